//! `tenon records`: what stands in the embedded ERP.

use std::io::Write as _;

use comfy_table::{Table, presets};
use serde_json::Value;
use tenon_erp::{EmbeddedErp, Kind};

use super::{Exit, args, harmless, site};

pub async fn records(args: args::Records) -> anyhow::Result<Exit> {
    let kind: Kind = args.kind.parse()?;
    let erp = EmbeddedErp::open_to_read(&args.place.data);
    let tenant = &args.place.tenant;
    let records = erp.records(tenant, kind).or_else(|error| match error {
        // Whom a server knows had a file.
        tenon_erp::Error::NoTenant(_) if site::knows(&args.place.data, tenant)? => {
            Err(tenon_erp::Error::Lost(erp.file(tenant)).into())
        }
        error => Err(anyhow::Error::from(error)),
    })?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if args.json {
        let mut separator = "[";
        for record in records {
            write!(out, "{separator}{}", record?)?;
            separator = ",\n";
        }
        writeln!(out, "{}", if separator == "[" { "[]" } else { "]" })?;
    } else {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_header(columns(kind));
        for record in records {
            let record = record?;
            let cells = columns(kind).iter().map(|column| cell(&record, column));
            table.add_row(cells.map(|cell| harmless(&cell)));
        }
        writeln!(out, "{table}")?;
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// The fields that fit a terminal, as JSON Pointers without the first slash.
fn columns(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Orders => &[
            "key",
            "number",
            "created_at",
            "stage",
            "partner",
            "lines",
            "total",
            "currency",
        ],
        Kind::Products => &["key", "kind", "sku", "name", "unit", "variants"],
        Kind::Partners => &["key", "role", "name", "phones", "emails", "balance"],
        Kind::Stock => &[
            "product",
            "product_variant",
            "warehouse",
            "on_hand",
            "reserved",
            "available",
        ],
        Kind::Categories => &["key", "name", "parent"],
        Kind::Bindings => &["connection", "kind", "key", "origin"],
        Kind::Runs => &[
            "started_at",
            "connection",
            "job",
            "outcome",
            "created",
            "updated",
            "unchanged",
            "failed",
            "requests",
            "error",
        ],
        Kind::Entries(_) => &["key", "name", "code", "origin"],
    }
}

/// A value as one short text; of a list of records, how many there are.
fn cell(record: &Value, column: &str) -> String {
    match &record[column] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let texts: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            texts.join(", ")
        }
        Value::Array(items) => items.len().to_string(),
        Value::Object(fields) => fields
            .values()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        other => other.to_string(),
    }
}
