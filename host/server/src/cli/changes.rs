//! `tenon changes`: what runs changed on both sides, for a shop's people.

use std::io::Write as _;

use tenon_host::observe::{Change, Side, Written};

use super::{Exit, args, harmless, site};
use crate::control::Control;
use crate::control::runs::{self, History};

/// `tenon changes`.
pub fn changes(args: &args::Changes) -> anyhow::Result<Exit> {
    let wanted = History {
        tenant: &args.place.tenant,
        connection: args.connection.as_ref(),
        record: args.record.as_deref(),
        most: args.lines,
    };
    let told = match Control::open_to_read(&args.place.data)? {
        Some(mut control) => control.alone(|db| Ok(runs::history(db, wanted)?))?,
        None => Vec::new(),
    };
    site::expect_tenant(&args.place)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&told)?)?;
        return Ok(Exit::Done);
    }
    for told in told {
        let (at, connection, job) = (told.started_at, told.connection, told.job);
        writeln!(out, "{at} {connection} {job}, {}", text(&told.written))?;
    }
    Ok(Exit::Done)
}

/// What people read of a record that was written, without anything by which a value could take over the
/// terminal.
pub fn text(written: &Written) -> String {
    let side = match written.side {
        Side::Platform => "ERP",
        Side::Counterpart => "counterpart",
    };
    let change = match written.change {
        Change::Created => "new",
        Change::Updated => "changed",
        Change::Removed => "removed",
    };
    let mut text = format!("{side}: {} ", written.record_kind);
    if let Some(label) = &written.label {
        text += &format!("{label} ");
    }
    let names = [Some(&written.origin), written.key.as_ref()];
    let names: Vec<&str> = (names.into_iter().flatten())
        .map(String::as_str)
        .filter(|name| !name.is_empty())
        .collect();
    text += &format!("({}), {change}", names.join(", "));
    let mut lines = vec![text];
    for field in &written.changes {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let (before, after) = (shown(&field.before), shown(&field.after));
        lines.push(format!("    {}: {before} -> {after}", field.field));
    }
    let lines = lines.iter().map(|line| harmless(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use tenon_host::observe::FieldChange;

    use super::*;

    #[test]
    fn a_change_is_printed_field_by_field_and_cannot_take_over_a_terminal() {
        let written = Written {
            side: Side::Platform,
            record_kind: "order".to_owned(),
            origin: "crm:a:order:7".to_owned(),
            key: Some("12".to_owned()),
            label: Some("N7".to_owned()),
            change: Change::Updated,
            changes: vec![FieldChange {
                field: "comment".to_owned(),
                before: None,
                after: Some("call\n\u{1b}[2Jfirst".to_owned()),
            }],
        };
        let wanted = "ERP: order N7 (crm:a:order:7, 12), changed\n    comment: - -> call  [2Jfirst";
        assert_eq!(wanted, text(&written));
    }
}
