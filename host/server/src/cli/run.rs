//! `tenon run`, `check` and `choices`: calls into a connector.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tenon_host::observe::{Level, LogLine, Observer, Progress};
use tenon_host::reason::{Catalogue, Reason};
use tenon_host::report::{Outcome, RejectedRecord, RunReport};
use tenon_host::{
    CallError, ConnectError, Connection, ConnectionSpec, EgressSettings, Host, JobRequest, Limits,
    Mode,
};

use super::args::{self, Connect, Place};
use super::language::Language;
use super::{Exit, site};
use crate::journal::Journal;
use crate::{told, vault};

pub async fn run(args: args::Run, language: Language) -> anyhow::Result<Exit> {
    let (host, connection) = open(&args.connect).await?;
    let jobs = &connection.connector().manifest.jobs;
    if !jobs.iter().any(|job| job.id == args.job) {
        let known: Vec<_> = jobs.iter().map(|job| job.id.as_str()).collect();
        let known = known.join(", ");
        anyhow::bail!("the connector has no job `{}`; it has: {known}", args.job);
    }
    let which = &args.connect.which;
    let journal = Journal::new(
        which.place.data.clone(),
        which.place.tenant.clone(),
        which.id()?,
        args.job.clone(),
    );
    let request = JobRequest {
        argument: args.argument,
        mode: if args.preview {
            Mode::Preview
        } else {
            Mode::Live
        },
        ..JobRequest::asked(args.job)
    };
    let watcher = Arc::new(Watcher::new(
        args.verbose,
        args.connect.json,
        journal,
        Voice::of(&connection, language),
    ));
    let listening = Arc::clone(&watcher);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            listening.stop.store(true, Ordering::Relaxed);
        }
    });
    let report = host.run(&connection, &request, watcher.clone()).await;
    watcher.bar.finish_and_clear();
    watcher.written(watcher.journal.write());
    if args.connect.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{}", summary(&report, &watcher.voice));
    }
    if let Some(error) = &report.error {
        let told = watcher.voice.text(error, report.why.as_ref());
        eprintln!("tenon: {told}");
    }
    Ok(match report.outcome {
        Outcome::Done if report.failed == 0 => Exit::Done,
        Outcome::Done => Exit::SomeFailed,
        Outcome::Suspended => Exit::Stopped,
        _ => Exit::CouldNotRun,
    })
}

pub async fn check(args: Connect, language: Language) -> anyhow::Result<Exit> {
    let (host, connection) = open(&args).await?;
    let voice = Voice::of(&connection, language);
    let account = (host.check(&connection).await).map_err(|error| voice.error(error))?;
    if args.json {
        println!("{}", json!({ "account": account.name }));
    } else {
        println!("{}", account.name);
    }
    Ok(Exit::Done)
}

pub async fn choices(args: args::Choices, language: Language) -> anyhow::Result<Exit> {
    let (host, connection) = open(&args.connect).await?;
    let voice = Voice::of(&connection, language);
    let choices = host.choices(&connection, &args.option).await;
    let choices = choices.map_err(|error| voice.error(error))?;
    if args.connect.json {
        let choices: Vec<_> = (choices.iter())
            .map(|(value, label)| json!({ "value": value, "label": label }))
            .collect();
        println!("{}", serde_json::Value::from(choices));
    } else {
        for (value, label) in choices {
            println!("{value}\t{label}");
        }
    }
    Ok(Exit::Done)
}

async fn open(args: &Connect) -> anyhow::Result<(Host, Connection)> {
    let settings = match &args.settings {
        None => json!({}),
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("settings {}", file.display()))?;
            serde_json::from_str(&text)
                .with_context(|| format!("settings {} are not JSON", file.display()))?
        }
    };
    let mut credentials = (args.credentials.iter())
        .map(args::CredentialSource::read)
        .collect::<anyhow::Result<HashMap<_, _>>>()?;
    let id = args.which.id()?;
    let Place { data, tenant } = &args.which.place;
    let host = site::host(data)?;
    let connector = site::install(&host, &args.which.connector, args.component.as_deref()).await?;
    let stored = (connector.manifest.credentials.iter())
        .map(|credential| credential.name.as_str())
        .filter(|name| !credentials.contains_key(*name))
        .collect::<Vec<_>>();
    credentials.extend(vault::stored(data, tenant, &id, &stored)?);
    let spec = ConnectionSpec {
        tenant: tenant.clone(),
        id,
        settings,
        credentials,
        place: tenon_host::Place::default(),
        egress: EgressSettings {
            grants: (args.grants.iter().cloned())
                .map(url::Origin::from)
                .collect(),
            no_budget: args.no_budget,
            ..EgressSettings::default()
        },
        limits: limits(&args.limits)?,
    };
    match host.connect(connector, spec) {
        Ok(connection) => Ok((host, connection)),
        Err(error @ ConnectError::MissingCredential(_)) => anyhow::bail!(
            "{error}; give it with --credential or store it with `tenon credential set`"
        ),
        Err(error) => Err(error.into()),
    }
}

/// The defaults, but for what was given.
fn limits(given: &[(String, u64)]) -> anyhow::Result<Limits> {
    let given = given
        .iter()
        .map(|(name, number)| (name.clone(), (*number).into()));
    let given = serde_json::Value::Object(given.collect());
    serde_json::from_value(given).context("--limit")
}

/// Tells in one language what a connector, the platform and the host have to say.
struct Voice {
    language: Language,
    texts: Arc<Catalogue>,
}

impl Voice {
    fn of(connection: &Connection, language: Language) -> Voice {
        Voice {
            language,
            texts: Arc::clone(&connection.connector().catalogue),
        }
    }

    fn text(&self, english: &str, why: Option<&Reason>) -> String {
        told::kept(&self.texts, english, why, self.language)
    }

    fn error(&self, error: CallError) -> anyhow::Error {
        anyhow::Error::msg(told::whole(&self.texts, &error.reason(), self.language))
    }
}

/// Shows a run on the terminal, on standard error.
struct Watcher {
    voice: Voice,
    journal: Journal,
    bar: ProgressBar,
    lowest: Level,
    stop: AtomicBool,
}

impl Watcher {
    fn new(verbose: bool, json: bool, journal: Journal, voice: Voice) -> Watcher {
        let bar = if json || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::no_length()
        };
        Watcher {
            voice,
            journal,
            bar,
            lowest: if verbose { Level::Debug } else { Level::Warn },
            stop: AtomicBool::new(false),
        }
    }
}

impl Watcher {
    /// A log that cannot be kept is no reason to end the run.
    fn written(&self, outcome: anyhow::Result<()>) {
        if let Err(error) = outcome {
            (self.bar).suspend(|| eprintln!("warning: the log is not kept: {error:#}"));
        }
    }
}

impl Observer for Watcher {
    fn rejected(&self, record: &RejectedRecord) {
        let RejectedRecord {
            kind,
            id,
            reason,
            why,
            ..
        } = record;
        let message = format!("{kind} {id} was not taken: {reason}");
        (self.journal).note(Level::Warn, &message, Some(why), Some(id));
    }

    fn log(&self, line: LogLine) {
        (self.journal).note(
            line.level,
            &line.message,
            line.why.as_ref(),
            line.record.as_deref(),
        );
        if line.level < self.lowest {
            return;
        }
        let level = match line.level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warning",
            Level::Error => "error",
        };
        let record = line.record.map(|key| format!(" [{key}]"));
        let message = self.voice.text(&line.message, line.why.as_ref());
        let text = format!("{level}: {message}{}", record.unwrap_or_default());
        self.bar.suspend(|| eprintln!("{text}"));
    }

    fn progress(&self, progress: Progress) {
        self.written(self.journal.write_some());
        if let (Some(total), None) = (progress.total, self.bar.length()) {
            self.bar.set_length(total);
            if let Ok(style) =
                ProgressStyle::with_template("{wide_bar} {pos}/{len}  {per_sec}  {eta} left  {msg}")
            {
                self.bar.set_style(style);
            }
        }
        self.bar.set_position(progress.done);
        if progress.failed > 0 {
            self.bar.set_message(format!("{} failed", progress.failed));
        }
    }

    fn wants_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What people read at the end of a run.
fn summary(report: &RunReport, voice: &Voice) -> String {
    let outcome = match report.outcome {
        Outcome::Done => "done",
        Outcome::Suspended => "stopped at a checkpoint; run again to go on",
        Outcome::Running => "under way",
        Outcome::Transient => "broke off; run again to go on",
        Outcome::Configuration => "could not run",
        Outcome::Crashed => "crashed",
    };
    let ended = report.finished_at.unwrap_or(report.started_at);
    let seconds = ended.duration_since(report.started_at).as_secs_f64();
    let preview = match report.mode {
        Mode::Live => "",
        Mode::Preview => " (preview)",
        Mode::Compare => " (compare)",
    };
    let mut text = format!(
        "{} {}{preview}: {outcome}, {seconds:.1} s\n\
         created {}  updated {}  unchanged {}  failed {}  requests {}\n",
        report.connector,
        report.job,
        report.created,
        report.updated,
        report.unchanged,
        report.failed,
        report.requests,
    );
    for record in &report.records {
        let reason = voice.text(&record.reason, Some(&record.why));
        text += &format!("  {} {}: {reason}\n", record.kind, record.id);
    }
    text
}
