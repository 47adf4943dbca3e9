//! A connector without a counterpart, in several versions: what operating connectors is tried on.
//!
//! It keeps a ledger in its storage: the job `add` enters its argument, and `tell` logs all entries.
//! So a test sees what was lost or doubled, whatever happened to the process in between. An argument
//! may say more: `slow:N` makes N checkpoints with a wait before each, `many:N` an entry before each of
//! them, `busy:MS` computes for so long,
//! `reject:ID` reports a record, `take:ID` takes it, `drop:ID` wants nothing of it any more, `made:ID`
//! takes another one that gets the key ID, `later:MS` sets a timer that adds an entry, `refuse` needs an
//! admin, `fail` passes by itself, `lose:N` loses N entries of 200, which the job `heard` clears away
//! when people ask for it and agree; after `hold:N` it does not go on before. A webhook `nap:MS` takes
//! so long to be read. Two entries mean something: `stays` cannot be brought over to a later version,
//! and with `slow-hooks` switching on takes a while. While the setting `note` is `wrong`, a run of the
//! whole job needs an admin.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tenon_sdk::model::{
    Action, Binding, Cause, Change, ConnectorManifest, Directive, Fault, FieldChange, Job, Outcome,
    Progress, Question, Reason, ReasonText, RecordKind, Rejection, Request, Subject, Subscription,
    Webhook, Webhooks, Written,
};
use tenon_sdk::runtime::{bindings, run, schedule, storage};
use tenon_sdk::{info, text};

#[doc(hidden)]
pub use tenon_sdk;

/// Where the entries are; before them stands their number, so that they keep their order.
const ENTRY: &str = "entry/";

/// Where a slow run is.
const DONE: &str = "slow/done";

/// The one code of the ledger.
const SAID: &str = "said";

/// A reason in these words. An entry has any length, and a log tells all of them.
pub fn said(text: impl Into<String>) -> Reason {
    Reason {
        code: SAID.to_owned(),
        args: vec![("text".to_owned(), text.into())],
        mend: None,
        detail: None,
    }
}
/// How many entries are lost.
const LOST: &str = "lost";

/// There when nothing goes on before that is cleared.
const HOLD: &str = "lost/hold";

/// What tells versions apart.
pub trait Version {
    /// The version of the connector.
    const VERSION: &'static str;
    /// The version of its state.
    const STATE: u32;
    /// Whether it does its work.
    const GOOD: bool = true;
    /// Whether it needs an admin for all that it does.
    const STUCK: bool = false;
}

/// Makes the type of a version and exports it: `ledger!(Ledger);` in each file of `examples/`.
#[macro_export]
macro_rules! ledger {
    ($ledger:ident) => {
        /// The version that the head of this file describes.
        pub struct $ledger;

        impl $crate::tenon_sdk::Connector for $ledger {
            fn describe() -> $crate::tenon_sdk::model::ConnectorManifest {
                $crate::manifest::<$ledger>()
            }

            fn choices(
                _option: &str,
            ) -> Result<Vec<$crate::tenon_sdk::model::Choice>, $crate::tenon_sdk::model::Fault>
            {
                Ok(Vec::new())
            }

            fn check() -> Result<$crate::tenon_sdk::model::Account, $crate::tenon_sdk::model::Fault>
            {
                Ok($crate::tenon_sdk::model::Account {
                    id: Some("ledger".to_owned()),
                    name: "the ledger".to_owned(),
                    facts: Vec::new(),
                    notes: Vec::new(),
                })
            }

            fn enable(callback: &str) -> Result<(), $crate::tenon_sdk::model::Fault> {
                $crate::enable(callback)
            }

            fn disable() -> Result<(), $crate::tenon_sdk::model::Fault> {
                Ok(())
            }

            fn receive(
                webhook: &$crate::tenon_sdk::model::Webhook,
            ) -> Result<Vec<$crate::tenon_sdk::model::Request>, $crate::tenon_sdk::model::Fault>
            {
                $crate::receive(webhook)
            }

            fn migrate(from_version: u32) -> Result<(), $crate::tenon_sdk::model::Fault> {
                $crate::migrate(from_version)
            }

            fn run(
                job: &str,
                argument: Option<&str>,
                cause: &$crate::tenon_sdk::model::Cause,
            ) -> Result<$crate::tenon_sdk::model::Outcome, $crate::tenon_sdk::model::Fault> {
                $crate::run::<$ledger>(job, argument.unwrap_or_default(), cause)
            }
        }

        $crate::tenon_sdk::export!($ledger);
    };
}

/// What every version says of itself.
pub fn manifest<V: Version>() -> ConnectorManifest {
    let job = |id: &str, listens_to: &[Subscription]| Job {
        id: id.to_owned(),
        title: text!(en: "Job", uk: "Завдання", ru: "Задание"),
        schedule: None,
        listens_to: listens_to.to_vec(),
    };
    ConnectorManifest {
        name: "ledger".to_owned(),
        version: V::VERSION.to_owned(),
        title: text!(en: "Ledger", uk: "Журнал", ru: "Журнал"),
        settings_schema: r#"{
            "type": "object",
            "properties": { "note": { "type": "string", "maxLength": 20 } },
            "additionalProperties": false
        }"#
        .to_owned(),
        credentials: Vec::new(),
        endpoints: Vec::new(),
        jobs: vec![
            job("add", &[]),
            job("tell", &[]),
            job(
                "heard",
                &[
                    Subscription::Changed(RecordKind::Order),
                    Subscription::Visited(RecordKind::Partner),
                ],
            ),
        ],
        actions: vec![Action {
            id: "add".to_owned(),
            title: text!(en: "Enter", uk: "Внести", ru: "Внести"),
            record_kind: RecordKind::Order,
        }],
        state_version: V::STATE,
        options: Vec::new(),
        webhooks: Some(Webhooks { signature: None }),
        reasons: vec![ReasonText {
            code: SAID.to_owned(),
            text: vec![("en".to_owned(), "{text}".to_owned())],
        }],
    }
}

/// Remembers where webhooks are to be sent.
///
/// # Errors
/// When somebody else's are to be replaced and nobody has agreed to that.
pub fn enable(callback: &str) -> Result<(), Fault> {
    info!(said(format!("webhooks to {}", callback.len())));
    if entries().iter().any(|(_, entry)| entry == "slow-hooks") {
        std::thread::sleep(Duration::from_secs(3));
    }
    let taken = (entries().iter()).any(|(_, entry)| entry == "taken-hooks");
    if taken && !run::confirmed(&replaced()) {
        return Err(Fault::Configuration(replaced().reason));
    }
    Ok(())
}

/// Asks whether webhooks of somebody else may be replaced.
fn replaced() -> Question {
    Question {
        reason: said("20 webhooks of somebody else are replaced".to_owned()),
        record_kind: "webhook".to_owned(),
        affected: 20,
        total: 20,
        samples: vec!["shop".to_owned(), "stock".to_owned()],
        facts: vec![20],
    }
}

/// An entry for each webhook: its body.
///
/// # Errors
/// When the body is no text.
pub fn receive(webhook: &Webhook) -> Result<Vec<Request>, Fault> {
    let body = String::from_utf8(webhook.body.clone())
        .map_err(|_| Fault::Rejected(said("the body is not text")))?;
    if let Some(ms) = body.strip_prefix("nap:") {
        std::thread::sleep(Duration::from_millis(ms.parse().unwrap_or(0)));
    }
    Ok(vec![Request {
        job: "add".to_owned(),
        argument: Some(body),
    }])
}

/// Marks the entries as brought over.
///
/// # Errors
/// When the storage is full, or an entry says that it cannot be brought over.
pub fn migrate(from_version: u32) -> Result<(), Fault> {
    for (key, value) in entries() {
        if value == "stays" {
            return Err(Fault::Configuration(said(
                "an entry cannot be brought over",
            )));
        }
        put(&key, &format!("{value}@{from_version}"))?;
    }
    Ok(())
}

/// Does a job.
///
/// # Errors
/// As the argument wants it.
pub fn run<V: Version>(job: &str, argument: &str, cause: &Cause) -> Result<Outcome, Fault> {
    assert!(V::GOOD, "this version is bad");
    if V::STUCK {
        return Err(Fault::Configuration(said("this version needs an admin")));
    }
    match (job, argument.split_once(':')) {
        ("tell", _) => {
            let entries: Vec<String> = entries().into_iter().map(|(_, value)| value).collect();
            let (number, all) = (entries.len(), entries.join(" "));
            info!(said(format!("{number} of {}: {all}", V::VERSION)));
        }
        ("heard", _) if *cause == Cause::Asked => clear()?,
        ("heard", _) => add(&heard(cause))?,
        (_, Some(("slow", checkpoints))) => return slow(checkpoints, false),
        (_, Some(("many", entries))) => return slow(entries, true),
        (_, Some(("busy", ms))) => return Ok(busy(ms)),
        (_, Some(("reject", id))) => run::reject(&[Rejection {
            record_kind: "order".to_owned(),
            subject: Subject::Origin(origin(id)),
            label: id.to_owned(),
            reason: said("it was meant to be rejected"),
        }]),
        (_, Some(("take", id))) => bindings::bind(&[pair(&format!("erp-{id}"), &origin(id))]),
        (_, Some(("made", key))) => bindings::bind(&[pair(key, &origin("another"))]),
        (_, Some(("drop", id))) => run::settle("order", &[Subject::Origin(origin(id))]),
        (_, Some(("later", ms))) => {
            let delay = ms.parse().unwrap_or(0);
            schedule::after("later", "add", delay, Some("timer"));
        }
        (_, Some(("lose", number))) => put(LOST, number)?,
        (_, Some(("hold", number))) => {
            put(LOST, number)?;
            put(HOLD, "")?;
        }
        _ => match (argument, cause) {
            ("refuse", _) => {
                return Err(Fault::Configuration(said("a setting is wrong")));
            }
            (_, Cause::Action(call)) if call.target.key == "refuse" => {
                return Err(Fault::Configuration(said("it cannot be done")));
            }
            ("", Cause::Asked | Cause::Scheduled) if run::settings().contains("wrong") => {
                return Err(Fault::Configuration(said("a setting is wrong")));
            }
            ("fail", _) => return Err(Fault::Transient(said("try later"))),
            (_, Cause::Action(call)) => add(&format!("pressed-{}", call.target.key))?,
            _ => add(argument)?,
        },
    }
    Ok(Outcome::Done)
}

/// Clears away what is lost, or asks whether to.
fn clear() -> Result<(), Fault> {
    let lost: u64 = get(LOST).and_then(|lost| lost.parse().ok()).unwrap_or(0);
    let reason = said(format!("{lost} entries of 200 are lost"));
    let agreed = run::confirmed(&Question {
        reason: reason.clone(),
        record_kind: "entry".to_owned(),
        affected: lost,
        total: 200,
        samples: (0..lost).map(|number| format!("entry {number}")).collect(),
        facts: lost.to_le_bytes().to_vec(),
    });
    match agreed {
        true if lost > 0 => {
            storage::delete(&[LOST.to_owned(), HOLD.to_owned()]);
            add(&format!("cleared-{lost}"))
        }
        false if get(HOLD).is_some() => Err(Fault::Configuration(reason)),
        _ => Ok(()),
    }
}

/// The name of a record at the counterpart that there is not.
fn origin(id: &str) -> String {
    format!("ledger:books:order:{id}")
}

/// A record that both sides agree on.
fn pair(key: &str, origin: &str) -> Binding {
    Binding {
        kind: "order".to_owned(),
        key: key.to_owned(),
        origin: origin.to_owned(),
        fingerprint: Some(vec![1]),
    }
}

fn heard(cause: &Cause) -> String {
    match cause {
        Cause::Changed(records) => {
            let keys: Vec<&str> = records.iter().map(|record| record.key.as_str()).collect();
            format!("changed-{}", keys.join("+"))
        }
        Cause::Visited(record) => format!("visited-{}", record.key),
        _ => "nothing".to_owned(),
    }
}

/// Makes checkpoints until it has made as many as wanted, in this run or those before; with an entry
/// each, or one at the end.
fn slow(checkpoints: &str, each: bool) -> Result<Outcome, Fault> {
    let total: u64 = checkpoints.parse().unwrap_or(0);
    let mut done: u64 = get(DONE).and_then(|done| done.parse().ok()).unwrap_or(0);
    let before = if each { done } else { 0 };
    while done < total {
        std::thread::sleep(Duration::from_millis(20));
        done += 1;
        put(DONE, &done.to_string())?;
        if each {
            add(&format!("many-{done}"))?;
        }
        let progress = Progress {
            done,
            total: Some(total),
            created: done - before,
            updated: 0,
            unchanged: 0,
            failed: 0,
        };
        if run::checkpoint(progress) == Directive::Stop && done < total {
            return Ok(Outcome::Suspended);
        }
    }
    storage::delete(&[DONE.to_owned()]);
    if !each {
        add(&format!("slow-{total}"))?;
    }
    Ok(Outcome::Done)
}

/// Computes, with a checkpoint every tenth of a second.
fn busy(ms: &str) -> Outcome {
    let end = Instant::now() + Duration::from_millis(ms.parse().unwrap_or(0));
    while Instant::now() < end {
        let checkpoint = Instant::now() + Duration::from_millis(100);
        while Instant::now() < checkpoint {
            black_box((0..black_box(100_000_u64)).sum::<u64>());
        }
        let progress = Progress {
            done: 0,
            total: None,
            created: 0,
            updated: 0,
            unchanged: 0,
            failed: 0,
        };
        if run::checkpoint(progress) == Directive::Stop {
            return Outcome::Suspended;
        }
    }
    Outcome::Done
}

/// Enters a text once: whoever asks again gets what is there, as with every record that has an id.
fn add(entry: &str) -> Result<(), Fault> {
    let entries = entries();
    if entries.iter().any(|(_, value)| value == entry) {
        return Ok(());
    }
    let number = entries.len();
    run::wrote(&[Written {
        record_kind: "entry".to_owned(),
        origin: format!("ledger:entry:{number}"),
        key: None,
        label: None,
        change: Change::Created,
        fields: vec![FieldChange {
            field: "text".to_owned(),
            before: None,
            after: Some(entry.to_owned()),
        }],
    }]);
    put(&format!("{ENTRY}{number:08}"), entry)
}

fn entries() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = storage::scan(ENTRY, after.as_deref(), 1_000);
        let Some((last, _)) = page.last() else {
            return all;
        };
        after = Some(last.clone());
        let text =
            |(key, value): (String, Vec<u8>)| (key, String::from_utf8_lossy(&value).into_owned());
        all.extend(page.into_iter().map(text));
    }
}

fn get(key: &str) -> Option<String> {
    let found = storage::get(&[key.to_owned()]).pop().flatten()?;
    Some(String::from_utf8_lossy(&found).into_owned())
}

fn put(key: &str, value: &str) -> Result<(), Fault> {
    storage::set(&[(key.to_owned(), value.as_bytes().to_vec())])
        .map_err(|_| Fault::Rejected(said("the ledger is full")))
}
