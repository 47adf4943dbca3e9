//! The audit: who changed what and when, the only place where deletions can be seen afterwards.

use jiff::Timestamp;

use super::account::Account;
use super::endpoints::{Answer, Call, Reply};
use super::filter::{Condition, Operator};
use super::id::Id;
use super::kind::Kind;
use super::moscow;
use super::query::{Page, envelope};
use super::record::Record;
use super::refusal::Refusal;
use super::value::{Ref, Value};
use super::wire::Wire;
use crate::json::{Object, object};

/// On whose behalf the account is being changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Login of the employee, or name of the application.
    pub uid: String,
    /// `app` for the web interface, `jsonapi` for the API.
    pub source: &'static str,
    /// Webhooks whose addresses begin so are not told.
    pub muted: Vec<String>,
}

impl Default for Act {
    fn default() -> Self {
        Self {
            uid: "admin".to_owned(),
            source: "app",
            muted: Vec::new(),
        }
    }
}

/// What happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was made.
    Created,
    /// These fields got other values.
    Updated(Vec<&'static str>),
    /// It went into the archive.
    Archived,
    /// It came out of the archive.
    Unarchived,
    /// It went into the bin.
    Binned,
    /// It is gone.
    Deleted,
}

impl Action {
    /// What makes the difference between two states of an object; none when nothing does.
    pub fn between(before: &Record, after: &Record) -> Option<Self> {
        let mut changed: Vec<&'static str> = Vec::new();
        for (field, value) in after.fields() {
            if before.get(field) != Some(value) {
                changed.push(field);
            }
        }
        let lost = before.fields().map(|(field, _)| field);
        changed.extend(lost.filter(|field| after.get(field).is_none()));
        changed.retain(|field| *field != "updated");
        if changed.is_empty() {
            return None;
        }
        if changed.contains(&"deleted") {
            return Some(Self::Binned);
        }
        Some(match (before.flag("archived"), after.flag("archived")) {
            (false, true) => Self::Archived,
            (true, false) => Self::Unarchived,
            _ => Self::Updated(changed),
        })
    }

    /// The word in the audit.
    fn word(&self) -> &'static str {
        match self {
            Self::Created => "create",
            Self::Updated(_) => "update",
            Self::Archived => "puttoarchive",
            Self::Unarchived => "restorefromarchive",
            Self::Binned => "puttorecyclebin",
            Self::Deleted => "delete",
        }
    }

    /// The word in webhooks.
    pub fn webhook_word(&self) -> &'static str {
        match self {
            Self::Created => "CREATE",
            Self::Updated(_) | Self::Archived | Self::Unarchived => "UPDATE",
            Self::Binned | Self::Deleted => "DELETE",
        }
    }

    /// The fields that got other values.
    pub fn fields(&self) -> &[&'static str] {
        match self {
            Self::Updated(fields) => fields,
            Self::Archived | Self::Unarchived => &["archived"],
            _ => &[],
        }
    }
}

/// Something that happened to an object.
#[derive(Clone, Debug)]
pub struct Event {
    /// The object.
    pub object: Ref,
    /// What happened.
    pub action: Action,
    name: String,
    /// Fields with plain values, before and after.
    differences: Vec<(&'static str, Option<String>, Option<String>)>,
}

impl Event {
    /// What happened to an object that is now as given.
    pub fn new(record: &Record, action: Action, before: Option<&Record>) -> Self {
        let differences = before.map_or_else(Vec::new, |before| {
            let fields = action.fields().iter();
            fields
                .map(|field| (*field, plain(before.get(field)), plain(record.get(field))))
                .filter(|(_, old, new)| old.is_some() || new.is_some())
                .collect()
        });
        Self {
            object: record.reference(),
            name: record.name().to_owned(),
            action,
            differences,
        }
    }
}

/// The text of a plain value.
fn plain(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Text(text) => Some(text.clone()),
        Value::Flag(flag) => Some(flag.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Number(number) | Value::Money(number) => Some(number.to_string()),
        Value::Moment(moment) => Some(moscow::written(*moment)),
        _ => None,
    }
}

/// Changes that belong together.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Key.
    pub id: Id,
    /// On whose behalf.
    pub act: Act,
    /// When.
    pub moment: Timestamp,
    /// What happened.
    pub events: Vec<Event>,
}

const DEFAULT_LIMIT: usize = 25;
const MAX_LIMIT: usize = 100;

/// `GET /audit`.
pub fn entries(account: &mut Account, call: &Call<'_>) -> Answer {
    let page = Page::parse(
        call,
        DEFAULT_LIMIT,
        MAX_LIMIT,
        account.behaviour.limit_over_max,
    )?;
    let conditions = Condition::parse_all(call.parameter("filter").unwrap_or_default())?;
    let mut chosen: Vec<&Entry> = Vec::new();
    for entry in account.audit.iter().rev() {
        if matches(entry, &conditions)? {
            chosen.push(entry);
        }
    }
    let wire = Wire::new(account, false, None);
    let shown = page.of(&chosen);
    Ok(Reply::json(envelope(
        &wire,
        call,
        &page,
        chosen.len(),
        "audit",
        |out| {
            out.objects("rows", shown, |out, entry| entry_into(out, account, entry));
        },
    )))
}

fn matches(entry: &Entry, conditions: &[Condition]) -> Result<bool, Refusal> {
    for (condition, value) in conditions.iter().map(|one| (one, one.value.as_str())) {
        let holds = match (condition.field.as_str(), condition.operator) {
            ("moment", operator @ (Operator::NotLess | Operator::NotGreater)) => {
                let Some(moment) = moscow::read_filter(value) else {
                    return Err(Refusal::about(1035, value));
                };
                match operator {
                    Operator::NotLess => entry.moment >= moment,
                    _ => entry.moment <= moment,
                }
            }
            ("eventType", Operator::Equal) => entry
                .events
                .iter()
                .any(|event| event.action.word() == value),
            ("entityType", Operator::Equal) => {
                let mut kinds = entry.events.iter().map(|event| event.object.kind);
                kinds.any(|kind| kind.word() == value)
            }
            ("uid", Operator::Equal) => entry.act.uid == value,
            ("source", Operator::Equal) => entry.act.source == value,
            (field, _) => return Err(Refusal::about(1034, field)),
        };
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

fn entry_into(out: &mut Object<'_>, account: &Account, entry: &Entry) {
    let href = format!("{}/audit/{}", account.base, entry.id);
    out.object("meta", |meta| {
        meta.put("href", &href);
        meta.put("type", "audit");
        meta.put("mediaType", "application/json");
    });
    out.put("id", entry.id.to_string());
    out.put("uid", &entry.act.uid);
    out.put("source", entry.act.source);
    out.put("moment", moscow::to_the_second(entry.moment));
    out.put("objectCount", entry.events.len());
    if let Some(first) = entry.events.first() {
        let same = |event: &Event| {
            event.action.word() == first.action.word() && event.object.kind == first.object.kind
        };
        if entry.events.iter().all(same) {
            out.put("eventType", first.action.word());
            out.put("entityType", first.object.kind.word());
        }
    }
    out.object("events", |out| {
        out.object("meta", |meta| {
            meta.put("href", format!("{href}/events"));
            meta.put("type", "auditevent");
            meta.put("mediaType", "application/json");
            meta.put("size", entry.events.len());
            meta.put("limit", DEFAULT_LIMIT);
            meta.put("offset", 0_usize);
        });
    });
}

/// `GET /audit/{id}`.
pub fn entry(account: &mut Account, call: &Call<'_>) -> Answer {
    let entry = find(account, call)?;
    let mut out = String::new();
    object(&mut out, |out| entry_into(out, account, entry));
    Ok(Reply::json(out))
}

/// `GET /audit/{id}/events`.
pub fn events(account: &mut Account, call: &Call<'_>) -> Answer {
    let entry = find(account, call)?;
    let events = entry.events.iter().map(|event| (entry, event)).collect();
    list_events(account, call, events)
}

/// `GET /entity/{type}/{id}/audit`.
pub fn of_object(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let id = call.id()?;
    let object = Ref { kind, id };
    let events = account
        .audit
        .iter()
        .rev()
        .flat_map(|entry| entry.events.iter().map(move |event| (entry, event)))
        .filter(|(_, event)| event.object == object)
        .collect();
    list_events(account, call, events)
}

fn find<'a>(account: &'a Account, call: &Call<'_>) -> Result<&'a Entry, Refusal> {
    let id = call.id()?;
    let mut entries = account.audit.iter();
    entries
        .find(|entry| entry.id == id)
        .ok_or_else(|| Refusal::about(1021, id.to_string()))
}

fn list_events(account: &Account, call: &Call<'_>, events: Vec<(&Entry, &Event)>) -> Answer {
    let page = Page::parse(
        call,
        DEFAULT_LIMIT,
        MAX_LIMIT,
        account.behaviour.limit_over_max,
    )?;
    let wire = Wire::new(account, false, None);
    let shown = page.of(&events);
    let total = events.len();
    Ok(Reply::json(envelope(
        &wire,
        call,
        &page,
        total,
        "auditevent",
        |out| {
            out.objects("rows", shown, |out, (entry, event)| {
                out.object("audit", |out| {
                    out.object("meta", |meta| {
                        meta.put("href", format!("{}/audit/{}", account.base, entry.id));
                        meta.put("type", "audit");
                        meta.put("mediaType", "application/json");
                    });
                });
                out.object("entity", |out| {
                    out.object("meta", |meta| wire.meta(meta, event.object));
                });
                out.put("entityType", event.object.kind.word());
                out.put("eventType", event.action.word());
                out.put("moment", moscow::to_the_second(entry.moment));
                out.put("name", &event.name);
                out.put("uid", &entry.act.uid);
                out.put("source", entry.act.source);
                if !event.differences.is_empty() {
                    out.object("diff", |out| {
                        for (field, old, new) in &event.differences {
                            out.object(field, |out| {
                                out.put("oldValue", old.as_deref());
                                out.put("newValue", new.as_deref());
                            });
                        }
                    });
                }
            });
        },
    )))
}
