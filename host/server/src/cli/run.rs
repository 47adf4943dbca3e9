//! `tenon run`, `check` and `choices`: calls into a connector.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tenon_host::ids::TenantId;
use tenon_host::observe::{Level, LogLine, Observer, Progress, Stop, Written};
use tenon_host::reason::{Catalogue, Reason};
use tenon_host::report::{Outcome, RejectedRecord, RunReport};
use tenon_host::{
    CallError, ConnectError, Connection, ConnectionSpec, EgressSettings, Host, JobRequest, Limits,
    Mend, Mode, PlacePart,
};
use tokio::sync::watch;

use super::args::{self, Connect, Place};
use super::door::{self, Door};
use super::language::Language;
use super::{Exit, changes, not_json, site, stop_signal};
use crate::belonging::at_home;
use crate::control::{Control, tenants};
use crate::journal::Journal;
use crate::told::refusal;
use crate::{told, vault};

pub async fn run(args: args::Run, language: Language) -> anyhow::Result<Exit> {
    let which = &args.connect.which;
    let _alone = match door::enter(&which.place.data)? {
        Door::Open(alone) => alone,
        Door::Served(server) => {
            let args::Place { data, tenant } = &which.place;
            let (url, connection) = (server.url(), which.id()?);
            let run = format!(
                "{url}v1/tenants/{tenant}/connections/{connection}/jobs/{}/run",
                args.job
            );
            anyhow::bail!(
                refusal("server.run-beside")
                    .arg("data", data.display())
                    .arg("console", format_args!("{url}console/"))
                    .arg("address", run)
            );
        }
    };
    let (host, connection) = open(&args.connect).await?;
    let jobs = &connection.connector().manifest.jobs;
    if !jobs.iter().any(|job| job.id == args.job) {
        let known: Vec<_> = jobs.iter().map(|job| job.id.as_str()).collect();
        let known = known.join(", ");
        anyhow::bail!(
            refusal("server.no-job")
                .arg("job", &args.job)
                .arg("known", known)
        );
    }
    let journal = Journal::new(
        which.place.data.clone(),
        which.place.tenant.clone(),
        which.id()?,
        args.job.clone(),
    );
    let request = JobRequest {
        argument: args.argument,
        mode: match (args.preview, args.compare) {
            (_, true) => Mode::Compare,
            (true, false) => Mode::Preview,
            (false, false) => Mode::Live,
        },
        confirmed: args.confirmed.into_iter().collect(),
        ..JobRequest::asked(args.job)
    };
    let lowest = if args.verbose {
        Level::Debug
    } else {
        Level::Warn
    };
    let voice = Voice::of(&connection, language);
    let mut watcher = Watcher::new(lowest, args.connect.json, journal, voice);
    watcher.changes = args.changes;
    let watcher = Arc::new(watcher);
    let listening = Arc::clone(&watcher);
    tokio::spawn(async move {
        stop_signal().await;
        listening.stop.send_replace(true);
    });
    let report = host.run(&connection, &request, watcher.clone()).await;
    watcher.bar.finish_and_clear();
    watcher.written(watcher.journal.write());
    if args.connect.json {
        super::say(format_args!("{}\n", serde_json::to_string(&report)?))?;
    } else {
        super::say(summary(&report, &watcher.voice))?;
        let questions = questions(&report, &watcher.voice, &this_command());
        super::say(questions)?;
    }
    if let Some(error) = &report.error {
        let told = watcher.voice.text(error, report.why.as_ref());
        super::complain(format_args!(
            "tenon: {}",
            mendable(&told, report.why.as_ref())
        ));
    }
    Ok(match report.outcome {
        Outcome::Done if report.failed == 0 && report.questions.is_empty() => Exit::Done,
        Outcome::Done => Exit::SomeFailed,
        Outcome::Suspended => Exit::Stopped,
        _ => Exit::CouldNotRun,
    })
}

/// A text with the name of what puts it right.
fn mendable(text: &str, why: Option<&Reason>) -> String {
    match why.and_then(|why| why.mend.as_ref()) {
        Some(Mend::Credential(name)) => format!("{text} (credential `{name}`)"),
        Some(Mend::Setting(path)) => format!("{text} (settings.{path})"),
        Some(Mend::Record(record)) => {
            format!("{text} ({} `{}`)", record.kind.name(), record.key)
        }
        None => text.to_owned(),
    }
}

pub async fn check(args: Connect, language: Language) -> anyhow::Result<Exit> {
    let (host, connection) = open(&args).await?;
    let voice = Voice::of(&connection, language);
    let account = (host.check(&connection).await).map_err(|error| voice.error(error))?;
    let notes: Vec<String> = (account.notes.iter())
        .map(|note| mendable(&voice.said(note), Some(note)))
        .collect();
    if args.json {
        let told = json!({ "account": account.name, "notes": notes });
        super::say(format_args!("{told}\n"))?;
    } else {
        super::say(format_args!("{}\n", account.name))?;
        for note in notes {
            super::complain(format_args!("warning: {note}"));
        }
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
        super::say(format_args!("{}\n", serde_json::Value::from(choices)))?;
    } else {
        for (value, label) in choices {
            super::say(format_args!("{value}\t{label}\n"))?;
        }
    }
    Ok(Exit::Done)
}

async fn open(args: &Connect) -> anyhow::Result<(Host, Connection)> {
    let settings = match &args.settings {
        None => json!({}),
        Some(file) => {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| file.display().to_string())?;
            serde_json::from_str(&text).map_err(|error| not_json(file, error))?
        }
    };
    let mut credentials = (args.credentials.iter())
        .map(args::CredentialSource::read)
        .collect::<anyhow::Result<HashMap<_, _>>>()?;
    let id = args.which.id()?;
    let Place { data, tenant } = &args.which.place;
    let host = site::host(data, tenant)?;
    let connector = site::install(&host, &args.which.connector, args.component.as_deref()).await?;
    let stored = (connector.manifest.credentials.iter())
        .map(|credential| credential.name.as_str())
        .filter(|name| !credentials.contains_key(*name))
        .collect::<Vec<_>>();
    let kept = vault::stored(data, tenant, &id, &stored)?;
    credentials.extend(at_home(&connector.manifest, &settings, kept)?);
    let spec = ConnectionSpec {
        tenant: tenant.clone(),
        id,
        settings,
        credentials,
        place: home(data, tenant, &args.home)?,
        egress: EgressSettings {
            grants: (args.grants.iter().cloned())
                .map(url::Origin::from)
                .collect(),
            hosts: site::hosts(data, &args.which.connector)?,
            no_budget: args.no_budget,
            ..EgressSettings::default()
        },
        limits: limits(&args.limits)?,
    };
    match host.connect(connector, spec) {
        Ok(connection) => Ok((host, connection)),
        Err(ConnectError::MissingCredential(names)) => {
            anyhow::bail!(refusal("server.give-credential").arg("names", names.join(" / ")))
        }
        Err(error) => Err(error.into()),
    }
}

/// Where and for whom: as the server knows the tenant, else as was given, with the defaults.
fn home(data: &Path, tenant: &TenantId, given: &args::Home) -> anyhow::Result<tenon_host::Place> {
    let args::Home {
        time_zone,
        language,
        currency,
    } = given;
    let flags = [
        ("--time-zone", time_zone),
        ("--language", language),
        ("--currency", currency),
    ];
    let known = match Control::open_existing(data)? {
        Some(mut control) => control.alone(|db| Ok(tenants::get(db, tenant)?))?,
        None => None,
    };
    if let Some(known) = known {
        if let Some((flag, _)) = flags.iter().find(|(_, given)| given.is_some()) {
            anyhow::bail!(
                refusal("server.place-of-tenant")
                    .arg("tenant", tenant)
                    .arg("flag", flag)
            );
        }
        return Ok(known.place());
    }
    let usual = tenon_host::Place::default();
    let place = tenon_host::Place {
        time_zone: time_zone.clone().unwrap_or(usual.time_zone),
        language: language.clone().unwrap_or(usual.language),
        currency: currency.clone().unwrap_or(usual.currency),
    };
    place.check().map_err(|error| {
        let flag = match error.part {
            PlacePart::TimeZone => "--time-zone",
            PlacePart::Language => "--language",
            PlacePart::Currency => "--currency",
        };
        anyhow::Error::from(error).context(flag)
    })?;
    Ok(place)
}

/// The defaults, but for what was given.
fn limits(given: &[(String, u64)]) -> anyhow::Result<Limits> {
    let given = given.iter().map(|(name, number)| (name, number));
    Limits::with(given).context("--limit")
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

    fn said(&self, why: &Reason) -> String {
        told::text(&self.texts, why, self.language)
    }

    fn error(&self, error: CallError) -> anyhow::Error {
        let why = error.reason();
        let text = told::whole(&self.texts, &why, self.language);
        anyhow::Error::msg(mendable(&text, Some(&why)))
    }
}

/// Shows a run on the terminal, on standard error.
struct Watcher {
    voice: Voice,
    journal: Journal,
    bar: ProgressBar,
    /// Lines below it are not shown.
    lowest: Level,
    /// The result is JSON.
    json: bool,
    /// Every change is printed, on standard output.
    changes: bool,
    stop: watch::Sender<bool>,
}

impl Watcher {
    fn new(lowest: Level, json: bool, journal: Journal, voice: Voice) -> Watcher {
        let bar = if json || !std::io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::no_length()
        };
        Watcher {
            voice,
            journal,
            bar,
            lowest,
            json,
            changes: false,
            stop: watch::Sender::new(false),
        }
    }
}

impl Watcher {
    /// A log that cannot be kept is no reason to end the run.
    fn written(&self, outcome: anyhow::Result<()>) {
        if let Err(error) = outcome {
            (self.bar).suspend(|| {
                super::complain(format_args!("warning: the log is not kept: {error:#}"))
            });
        }
    }
}

#[async_trait]
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

    fn wrote(&self, written: &Written) {
        if !self.changes {
            return;
        }
        let line = if self.json {
            // It holds texts alone.
            serde_json::to_string(written).unwrap_or_default()
        } else {
            changes::text(written)
        };
        let _ = (self.bar).suspend(|| super::say(format_args!("{line}\n")));
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
        self.bar.suspend(|| super::complain(format_args!("{text}")));
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

    async fn stopped(&self) -> Stop {
        // The sender lives as long as `self`.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
        Stop::Person
    }
}

/// What people read at the end of a run.
fn summary(report: &RunReport, voice: &Voice) -> String {
    let outcome = match report.outcome {
        Outcome::Done => "done",
        Outcome::Suspended => "stopped; run again to go on from the last checkpoint",
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

/// What people have to agree to before it is done, each with the command that does it.
fn questions(report: &RunReport, voice: &Voice, command: &str) -> String {
    let mut text = String::new();
    for question in &report.questions {
        text += &format!(
            "not done, {} of {} ({}): {}\n",
            question.affected,
            question.total,
            question.kind,
            voice.text(&question.text, Some(&question.why))
        );
        for sample in &question.samples {
            text += &format!("    {sample}\n");
        }
        if question.affected > question.samples.len() as u64 && !question.samples.is_empty() {
            text += "    …\n";
        }
        text += &format!("  to have it done: {command} --confirm {}\n", question.id);
    }
    text
}

/// The command line of this process, for a shell, as one that writes.
fn this_command() -> String {
    let writes = |argument: &String| argument != "--preview" && argument != "--compare";
    let arguments: Vec<String> = std::env::args().filter(writes).collect();
    let quoted = shlex::try_join(arguments.iter().map(String::as_str));
    quoted.unwrap_or_else(|_| arguments.join(" "))
}

#[cfg(test)]
mod tests {
    use tenon_host::Reason;
    use tenon_host::report::Question;

    use super::*;

    #[test]
    fn an_open_question_is_printed_with_its_numbers_and_the_command_that_agrees() {
        let question = Question {
            id: "0a1b".to_owned(),
            text: "180 cards would be archived".to_owned(),
            why: Reason::new("products.gone"),
            kind: "product".to_owned(),
            affected: 180,
            total: 200,
            samples: vec!["Filter".to_owned()],
        };
        let report = RunReport {
            outcome: Outcome::Done,
            questions: vec![question],
            ..RunReport::begun(
                "1",
                "crm".parse().unwrap(),
                "crm 1.0.0",
                "products",
                jiff::Timestamp::UNIX_EPOCH,
            )
        };
        let wanted = "not done, 180 of 200 (product): 180 cards would be archived\n    Filter\n    \
                      …\n  to have it done: tenon run crm products --confirm 0a1b\n";
        let voice = Voice {
            language: "en",
            texts: Arc::default(),
        };
        let printed = questions(&report, &voice, "tenon run crm products");
        assert_eq!(wanted, printed);
    }
}
