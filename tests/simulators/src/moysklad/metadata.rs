//! What an administrator defines for kinds: statuses, additional fields, characteristics.

use super::account::Account;
use super::endpoints::{Answer, Call, Reply};
use super::id::Id;
use super::input;
use super::kind::Kind;
use super::query::{Page, envelope};
use super::record::Record;
use super::refusal::Refusal;
use super::save;
use super::wire::{Expand, Wire};
use crate::json::{self, object};

/// `GET /entity/{type}/metadata`.
pub fn of_kind(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let wire = Wire::new(account, call.precise, None);
    let mut out = String::new();
    object(&mut out, |out| {
        let base = &account.base;
        let href = format!("{base}/entity/{}/metadata", kind.word());
        out.object("meta", |meta| {
            meta.put("href", &href);
            meta.put("mediaType", "application/json");
        });
        if kind == Kind::Variant {
            let all = account.all(Kind::Characteristic);
            json::elements(out.key("characteristics"), all, |out, one| {
                wire.record(out, one, &Expand::default());
            });
            return;
        }
        if let Some(owner) = kind.attributes() {
            let size = account.definitions(kind).count();
            out.object("attributes", |out| {
                out.object("meta", |meta| {
                    let href = format!("{base}/entity/{}/metadata/attributes", owner.word());
                    meta.put("href", href);
                    meta.put("type", Kind::AttributeMetadata.word());
                    meta.put("mediaType", "application/json");
                    meta.put("size", size);
                    meta.put("limit", 1000_usize);
                    meta.put("offset", 0_usize);
                });
            });
        }
        let states = account.states(kind);
        if !states.is_empty() {
            json::elements(out.key("states"), states, |out, state| {
                wire.record(out, state, &Expand::default());
            });
        }
        if kind == Kind::Counterparty {
            let mut tags: Vec<String> = account
                .all(kind)
                .into_iter()
                .filter_map(|agent| match agent.get("tags") {
                    Some(super::value::Value::Words(words)) => Some(words.clone()),
                    _ => None,
                })
                .flatten()
                .collect();
            tags.sort();
            tags.dedup();
            out.put("tags", tags.as_slice());
        }
        out.put("createShared", false);
    });
    Ok(Reply::json(out))
}

fn defined(account: &Account, definition: Kind, kind: Kind, id: Id) -> Result<&Record, Refusal> {
    account
        .peek(id)
        .filter(|one| one.kind == definition && one.text("entityType") == kind.word())
        .ok_or_else(|| Refusal::about(1021, id.to_string()))
}

fn shown(account: &Account, record: &Record) -> Answer {
    let mut out = String::new();
    Wire::new(account, false, None).record(&mut out, record, &Expand::default());
    Ok(Reply::json(out))
}

fn list(account: &Account, call: &Call<'_>, kind: Kind, records: &[&Record]) -> Answer {
    let page = Page::usual(call, account.behaviour.limit_over_max)?;
    let wire = Wire::new(account, false, None);
    let total = records.len();
    let body = envelope(&wire, call, &page, total, kind.meta_type(), |out| {
        json::elements(out.key("rows"), page.of(records), |out, one| {
            wire.record(out, one, &Expand::default());
        });
    });
    Ok(Reply::json(body))
}

/// `GET /entity/{type}/metadata/attributes`.
pub fn attributes(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let all: Vec<&Record> = account.definitions(kind).collect();
    list(account, call, Kind::AttributeMetadata, &all)
}

/// `POST /entity/{type}/metadata/attributes`.
pub fn post_attributes(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    save::save(account, Kind::AttributeMetadata, call, Some(kind))
}

/// `GET /entity/{type}/metadata/attributes/{id}`.
pub fn attribute(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let definition = defined(account, Kind::AttributeMetadata, kind, call.id()?)?;
    shown(account, definition)
}

/// `PUT /entity/{type}/metadata/attributes/{id}`.
pub fn put_attribute(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let id = defined(account, Kind::AttributeMetadata, kind, call.id()?)?.id;
    save::update_one(account, Kind::AttributeMetadata, call, id)
}

/// `DELETE /entity/{type}/metadata/attributes/{id}`. The field vanishes from the objects.
pub fn delete_attribute(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let id = defined(account, Kind::AttributeMetadata, kind, call.id()?)?.id;
    account.take(id);
    Ok(Reply::empty())
}

/// `POST /entity/{type}/metadata/attributes/delete`.
pub fn delete_attributes(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let body = input::body(call.body)?;
    let elements = body.as_array().ok_or_else(|| Refusal::code(2001))?;
    let results: Vec<Result<Id, Refusal>> = elements
        .iter()
        .map(|json| {
            let reference = account.reference(json, "meta")?;
            let id = defined(account, Kind::AttributeMetadata, kind, reference.id)?.id;
            account.take(id);
            Ok(id)
        })
        .collect();
    Ok(save::deletions(account, &results))
}

/// `POST /entity/{type}/metadata/states`.
pub fn post_states(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    save::save(account, Kind::State, call, Some(kind))
}

/// `GET /entity/{type}/metadata/states/{id}`.
pub fn state(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let state = defined(account, Kind::State, kind, call.id()?)?;
    shown(account, state)
}

/// `PUT /entity/{type}/metadata/states/{id}`.
pub fn put_state(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let id = defined(account, Kind::State, kind, call.id()?)?.id;
    save::update_one(account, Kind::State, call, id)
}

/// `DELETE /entity/{type}/metadata/states/{id}`.
pub fn delete_state(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let id = defined(account, Kind::State, kind, call.id()?)?.id;
    account.remove(id, &[Kind::State])?;
    Ok(Reply::empty())
}

/// `GET /entity/variant/metadata/characteristics`.
pub fn characteristics(account: &mut Account, _: Kind, call: &Call<'_>) -> Answer {
    let all = account.all(Kind::Characteristic);
    list(account, call, Kind::Characteristic, &all)
}

/// `POST /entity/variant/metadata/characteristics`.
pub fn create_characteristic(account: &mut Account, _: Kind, call: &Call<'_>) -> Answer {
    save::save(account, Kind::Characteristic, call, None)
}

/// `GET /entity/variant/metadata/characteristics/{id}`.
pub fn characteristic(account: &mut Account, _: Kind, call: &Call<'_>) -> Answer {
    let id = call.id()?;
    let known = account
        .peek(id)
        .filter(|one| one.kind == Kind::Characteristic);
    shown(
        account,
        known.ok_or_else(|| Refusal::about(1021, id.to_string()))?,
    )
}
