//! `tenon inspect`: what a component is.

use std::fmt::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;
use tenon_host::{Connector, Host, HostOptions};

use super::Exit;
use super::language::Language;
use super::{args, site};

pub async fn inspect(args: args::Inspect, language: Language) -> anyhow::Result<Exit> {
    // Inspecting leaves nothing behind.
    let scratch = tempfile::tempdir()?;
    let erp = tenon_erp::EmbeddedErp::open(scratch.path())?;
    let options = HostOptions::new(scratch.path().join("compiled"), site::compiler()?);
    let host = Host::new(Arc::new(erp), options)?;
    let wasm = std::fs::read(&args.file)
        .map_err(|error| anyhow::anyhow!("component {}: {error}", args.file.display()))?;
    let connector = (host.install(&wasm).await)
        .with_context(|| format!("component {}", args.file.display()))?;
    if args.json {
        let object = json!({
            "digest": connector.digest,
            "size": wasm.len(),
            "manifest": connector.manifest,
            "imports": connector.imports,
        });
        println!("{object}");
    } else {
        print!("{}", describe(&connector, wasm.len(), language));
    }
    Ok(Exit::Done)
}

fn describe(connector: &Connector, size: usize, language: &str) -> String {
    let manifest = &connector.manifest;
    let mut text = format!(
        "{} {} — {}\nsha256 {}, {} KiB\n",
        manifest.name,
        manifest.version,
        manifest.title.get(language),
        connector.digest,
        size.div_ceil(1024)
    );
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(text, "\n{title}");
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
        }
    };
    let jobs = manifest.jobs.iter().map(|job| {
        let schedule = job.schedule.as_deref().unwrap_or("when asked");
        format!("{} — {} ({schedule})", job.id, job.title.get(language))
    });
    section("jobs", jobs.collect());
    let actions = manifest.actions.iter().map(|action| {
        let title = action.title.get(language);
        format!("{} — {title} (on {})", action.id, action.record_kind.name())
    });
    section("actions", actions.collect());
    let credentials = (manifest.credentials.iter())
        .map(|credential| format!("{} — {}", credential.name, credential.title.get(language)));
    section("credentials", credentials.collect());
    let endpoints = manifest.endpoints.iter().map(|endpoint| {
        let budgets = endpoint.budgets.iter().map(|budget| {
            let window = std::time::Duration::from_millis(budget.window_ms);
            format!("{} requests in {} s, ", budget.units, window.as_secs_f64())
        });
        let budgets: String = budgets.collect();
        format!(
            "{}: {budgets}{} at once",
            endpoint.origin, endpoint.parallel
        )
    });
    section("endpoints", endpoints.collect());
    let settings = manifest.settings_schema.get("properties");
    let settings = settings.and_then(|properties| properties.as_object());
    let settings = settings.into_iter().flatten().map(|(name, schema)| {
        let title = schema.pointer(&format!("/x-titles/{language}"));
        let title = title.or_else(|| schema.get("title"));
        let title = title.and_then(|title| title.as_str()).unwrap_or_default();
        format!("{name} — {title}")
    });
    section("settings", settings.collect());
    section("imports", connector.imports.clone());
    text
}
