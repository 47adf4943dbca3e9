//! `tenon inspect`: what a component is.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tenon_host::manifest::{AuthScheme, Endpoint, Subscription};
use tenon_host::{CONTRACT, Connector, Host, HostOptions};

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
        .map_err(|error| anyhow::anyhow!("{}: {error}", args.file.display()))?;
    let connector = (host.install(&wasm).await).with_context(|| args.file.display().to_string())?;
    if args.json {
        let object = json!({
            "digest": connector.digest,
            "size": wasm.len(),
            "contract": CONTRACT,
            "manifest": connector.manifest,
            "imports": connector.imports,
        });
        super::say(format_args!("{object}\n"))?;
    } else {
        super::say(describe(&connector, wasm.len(), language))?;
    }
    Ok(Exit::Done)
}

/// All that a component says about itself, for people.
fn describe(connector: &Connector, size: usize, language: &str) -> String {
    let manifest = &connector.manifest;
    let mut text = format!(
        "{} {} — {}\nsha256 {}, {} KiB\ncontract {CONTRACT}, state version {}\n",
        manifest.name,
        manifest.version,
        manifest.title.get(language),
        connector.digest,
        size.div_ceil(1024),
        manifest.state_version,
    );
    let mut section = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(text, "\n{title}");
            for line in lines {
                let _ = writeln!(text, "  {line}");
            }
        }
    };
    section("settings", settings(&manifest.settings_schema, language));
    section("choices", manifest.options.clone());
    let credentials = manifest.credentials.iter().map(|credential| {
        let title = credential.title.get(language);
        format!(
            "{} — {title} ({})",
            credential.name,
            scheme(&credential.scheme)
        )
    });
    section("credentials", credentials.collect());
    section(
        "endpoints",
        manifest.endpoints.iter().flat_map(endpoint).collect(),
    );
    let webhooks = manifest
        .webhooks
        .iter()
        .map(|webhooks| match &webhooks.signature {
            Some(signature) => format!(
                "signed in the header {} with {} ({})",
                signature.header,
                signature.credential,
                word(&signature.scheme),
            ),
            None => "not signed".to_owned(),
        });
    section("webhooks", webhooks.collect());
    let jobs = manifest.jobs.iter().map(|job| {
        let heard = job
            .listens_to
            .iter()
            .map(|subscription| match subscription {
                Subscription::Changed(kind) => format!(", changes of {}", kind.name()),
                Subscription::Visited(kind) => format!(", visits of {}", kind.name()),
            });
        let heard: String = heard.collect();
        let schedule = job.schedule.as_deref().unwrap_or("when asked");
        format!(
            "{} — {} ({schedule}{heard})",
            job.id,
            job.title.get(language)
        )
    });
    section("jobs", jobs.collect());
    let actions = manifest.actions.iter().map(|action| {
        let title = action.title.get(language);
        format!("{} — {title} (on {})", action.id, action.record_kind.name())
    });
    section("actions", actions.collect());
    let reasons = manifest.reasons.iter();
    let reasons = reasons.map(|(code, text)| format!("{code} — {}", text.get(language)));
    section("reasons", reasons.collect());
    section("imports", connector.imports.clone());
    text
}

/// The settings, those inside others below them.
fn settings(schema: &Value, language: &str) -> Vec<String> {
    let required = schema["required"].as_array();
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
    let mut lines = Vec::new();
    for (name, setting) in schema["properties"].as_object().into_iter().flatten() {
        let titles = &setting["x-titles"];
        let title = [&titles[language], &titles["en"], &setting["title"]]
            .into_iter()
            .find_map(Value::as_str);
        let mut notes = vec![kind(setting)];
        notes.extend(is_required(name).then(|| "required".to_owned()));
        let default = setting.get("default");
        notes.extend(default.map(|default| format!("{default} unless given")));
        let sources = [("x-options", "choice"), ("x-directory", "directory")];
        let sources = sources.into_iter().chain([("x-record", "record")]);
        let items = setting.get("items").unwrap_or(&Value::Null);
        notes.extend(sources.filter_map(|(word, what)| {
            let name = setting[word].as_str().or(items[word].as_str())?;
            Some(format!("{what} {name}"))
        }));
        lines.push(format!(
            "{name} — {} ({})",
            title.unwrap_or_default(),
            notes.join(", ")
        ));
        for inner in [setting, items] {
            let inner = settings(inner, language).into_iter();
            lines.extend(inner.map(|line| format!("  {line}")));
        }
    }
    lines
}

/// The type of a setting.
fn kind(setting: &Value) -> String {
    if let Some(values) = setting["enum"].as_array() {
        let values: Vec<String> = values.iter().map(Value::to_string).collect();
        return values.join(" | ");
    }
    match &setting["type"] {
        Value::String(one) if one == "array" => format!("list of {}", kind(&setting["items"])),
        Value::String(one) => one.clone(),
        Value::Array(several) => {
            let several: Vec<&str> = several.iter().filter_map(Value::as_str).collect();
            several.join(" or ")
        }
        _ => "any".to_owned(),
    }
}

fn scheme(scheme: &AuthScheme) -> String {
    match scheme {
        AuthScheme::Bearer => "bearer".to_owned(),
        AuthScheme::Basic => "basic: login:password".to_owned(),
        AuthScheme::Header(header) => format!("header {header}"),
        AuthScheme::Token(exchange) => format!(
            "login:password, exchanged at {} for `{}`",
            exchange.path, exchange.member
        ),
        AuthScheme::Webhook => "secret of webhooks".to_owned(),
    }
}

/// An endpoint, and what counts there.
fn endpoint(endpoint: &Endpoint) -> Vec<String> {
    let signed = match endpoint.credentials.as_slice() {
        [] => "not signed".to_owned(),
        names => format!("signed with {}", names.join(", else ")),
    };
    let mut lines = vec![format!(
        "{}, {signed}, {} at once",
        endpoint.origin, endpoint.parallel
    )];
    lines.extend(endpoint.budgets.iter().map(|budget| {
        let window = Duration::from_millis(budget.window_ms).as_secs_f64();
        let of = budget.credential.iter();
        let of: String = of.map(|name| format!(" with {name}")).collect();
        format!("  at most {} in {window} s{of}", budget.units)
    }));
    let costs = endpoint.costs.iter();
    lines.extend(costs.map(|(prefix, cost)| format!("  {prefix}… costs {cost}")));
    let reads = endpoint.reads.iter();
    lines.extend(reads.map(|read| format!("  {} {} only reads", read.method, read.path)));
    lines.extend((endpoint.redirects).then(|| "  what it redirects to may be read".to_owned()));
    lines
}

/// The word of the contract.
fn word(value: &impl serde::Serialize) -> String {
    let word = serde_json::to_value(value).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}
