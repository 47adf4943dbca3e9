//! Making, changing and deleting objects, one by one and in arrays.

use axum::http::StatusCode;
use serde_json::{Map, Value as Json};

use super::account::Account;
use super::config::{DeletedDocuments, KnownSyncId};
use super::endpoints::{Answer, Call, Reply};
use super::id::Id;
use super::input::{self, Mode};
use super::kind::{ASSORTMENT, Kind};
use super::record::Record;
use super::refusal::Refusal;
use super::schema;
use super::value::Value;
use super::wire::{Expand, Wire};
use crate::json;

type Body = Map<String, Json>;

impl Account {
    /// Makes an object of what a body says. `within` is the kind that a status or an additional
    /// field is defined for.
    pub(super) fn create(
        &mut self,
        kind: Kind,
        body: &Body,
        within: Option<Kind>,
    ) -> Result<Id, Refusal> {
        if kind.is_read_only() {
            return Err(Refusal::about(1011, kind.word()));
        }
        if let Some(id) = self.with_sync_id(kind, body) {
            return match self.behaviour.known_sync_id {
                KnownSyncId::AsIs => Ok(id),
                KnownSyncId::Updated => self.update(id, body),
            };
        }
        let mut record = self.begin(kind);
        if let Some(within) = within {
            record.set("entityType", Value::Text(within.word().to_owned()));
        }
        self.apply(&mut record, body, Mode::Creating)?;
        self.complete(&mut record, None)?;
        let id = record.id;
        self.put(record);
        Ok(id)
    }

    fn with_sync_id(&self, kind: Kind, body: &Body) -> Option<Id> {
        schema::find(kind, "syncId")?;
        let sync_id: Id = body.get("syncId")?.as_str()?.parse().ok()?;
        let known = self.indexed(kind, "syncId", &sync_id.to_string())?;
        known.first().copied()
    }

    /// Changes an object as a body says.
    pub(super) fn update(&mut self, id: Id, body: &Body) -> Result<Id, Refusal> {
        let before = self
            .peek(id)
            .ok_or_else(|| Refusal::about(1021, id.to_string()))?
            .clone();
        if before.kind.is_read_only() {
            return Err(Refusal::about(1009, before.kind.word()));
        }
        // What lies in the bin is restored by people alone.
        if before.get("deleted").is_some() {
            return Err(Refusal::about(1021, id.to_string()));
        }
        let mut record = before.clone();
        self.apply(&mut record, body, Mode::Updating)?;
        self.check_shipped(&record, &before)?;
        self.replace(record, &before)?;
        Ok(id)
    }

    /// Enters a changed object in place of its former self.
    pub(super) fn replace(&mut self, mut record: Record, before: &Record) -> Result<(), Refusal> {
        self.complete(&mut record, Some(before))?;
        let archived = record.flag("archived") != before.flag("archived");
        if schema::find(record.kind, "updated").is_some()
            && (!archived || self.behaviour.archiving_updates)
        {
            let moment = self.stamp();
            record.set("updated", Value::Moment(moment));
        }
        let renamed = record.kind == Kind::Product && record.name() != before.name();
        let repriced = self.behaviour.prices_update_variants
            && record.get("salePrices") != before.get("salePrices");
        let id = record.id;
        self.put(record);
        if renamed || repriced {
            self.follow_product(id)?;
        }
        Ok(())
    }

    /// Variants bear the name, and may show the prices, of their product.
    fn follow_product(&mut self, product: Id) -> Result<(), Refusal> {
        let variants: Vec<Record> = self
            .referrers(product)
            .filter(|one| one.kind == Kind::Variant)
            .cloned()
            .collect();
        for before in variants {
            self.replace(before.clone(), &before)?;
        }
        Ok(())
    }

    /// Deletes an object, unless another one needs it.
    pub(super) fn remove(&mut self, id: Id, kinds: &[Kind]) -> Result<(), Refusal> {
        let record = self
            .peek(id)
            .filter(|record| kinds.contains(&record.kind))
            .ok_or_else(|| Refusal::about(1021, id.to_string()))?;
        let kind = record.kind;
        if kind.is_read_only() {
            return Err(Refusal::about(1010, kind.word()));
        }
        if kind == Kind::Currency && record.flag("default") {
            return Err(Refusal::code(31000));
        }
        if kind.is_document() {
            let hangs = ["shippedSum", "payedSum"].map(|sum| record.number(sum));
            if hangs.iter().any(|sum| !sum.is_zero()) {
                return Err(Refusal::code(1028));
            }
            if self.behaviour.deleted_documents == DeletedDocuments::Binned {
                self.bin(id);
            } else {
                self.take(id);
            }
            return Ok(());
        }
        // Variants go with their product.
        let (variants, others): (Vec<&Record>, Vec<&Record>) = self
            .referrers(id)
            .filter(|one| one.id != id)
            .partition(|one| kind == Kind::Product && one.kind == Kind::Variant);
        let variants: Vec<Id> = variants.iter().map(|one| one.id).collect();
        let of_variants = variants.iter().flat_map(|variant| self.referrers(*variant));
        let users: Vec<_> = others
            .into_iter()
            .chain(of_variants)
            .map(|user| (self.href(user.reference()), user.kind.meta_type()))
            .collect();
        if !users.is_empty() {
            return Err(Refusal::code(1028).dependencies(users));
        }
        for variant in variants {
            self.take(variant);
        }
        self.take(id);
        Ok(())
    }

    /// Puts a document into the bin.
    pub(super) fn bin(&mut self, id: Id) {
        let moment = self.stamp();
        if let Some(record) = self.peek(id) {
            let mut record = record.clone();
            record.set("deleted", Value::Moment(moment));
            record.set("updated", Value::Moment(moment));
            self.put(record);
        }
    }

    /// The object that an element of an array names by its `meta`.
    fn named(&self, json: &Json, kinds: &[Kind]) -> Result<Id, Refusal> {
        let reference = self.reference(json, "meta")?;
        if kinds.contains(&reference.kind) {
            Ok(reference.id)
        } else {
            Err(Refusal::about(2024, reference.kind.word()))
        }
    }

    /// Makes or changes what an element of an array says.
    fn upsert(&mut self, kind: Kind, json: &Json, within: Option<Kind>) -> Result<Id, Refusal> {
        let body = input::object(json)?;
        if body.contains_key("meta") {
            let id = self.named(json, &[kind])?;
            self.update(id, body)
        } else {
            self.create(kind, body, within)
        }
    }
}

/// Makes an object, or carries out an array, and answers with what became of it.
pub fn save(account: &mut Account, kind: Kind, call: &Call<'_>, within: Option<Kind>) -> Answer {
    match input::body(call.body)? {
        Json::Array(elements) => {
            let results: Vec<_> = elements
                .iter()
                .map(|element| account.upsert(kind, element, within))
                .collect();
            Ok(bulk(account, call, &results))
        }
        body => {
            let id = account.create(kind, input::object(&body)?, within)?;
            Ok(shown(account, call, id))
        }
    }
}

/// The reply to an array: objects and errors, each at its place.
fn bulk(account: &Account, call: &Call<'_>, results: &[Result<Id, Refusal>]) -> Reply {
    let expand = Expand::parse(call.parameter("expand").unwrap_or_default());
    let wire = Wire::new(account, call.precise, None);
    let mut out = String::new();
    json::elements(&mut out, results, |out, result| match result {
        Ok(id) => wire.record(out, account.get(*id), &expand),
        Err(refusal) => refusal.write(out),
    });
    Reply::json(out).status(bulk_status(account, results))
}

fn bulk_status<T>(account: &Account, results: &[Result<T, Refusal>]) -> StatusCode {
    if results.iter().all(Result::is_ok) {
        return StatusCode::OK;
    }
    StatusCode::from_u16(account.behaviour.mixed_bulk_status).unwrap_or(StatusCode::BAD_REQUEST)
}

/// The reply with one object.
pub fn shown(account: &Account, call: &Call<'_>, id: Id) -> Reply {
    let expand = Expand::parse(call.parameter("expand").unwrap_or_default());
    let mut out = String::new();
    Wire::new(account, call.precise, None).record(&mut out, account.get(id), &expand);
    Reply::json(out)
}

/// `POST /entity/{type}`.
pub fn post(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    save(account, kind, call, None)
}

/// `PUT /entity/{type}/{id}`.
pub fn put(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let id = call.id()?;
    update_one(account, kind, call, id)
}

/// Changes one object of a kind.
pub fn update_one(account: &mut Account, kind: Kind, call: &Call<'_>, id: Id) -> Answer {
    let body = input::body(call.body)?;
    if body.is_array() {
        return Err(Refusal::code(2009));
    }
    if account.peek(id).is_none_or(|record| record.kind != kind) {
        return Err(Refusal::about(1021, id.to_string()));
    }
    account.update(id, input::object(&body)?)?;
    Ok(shown(account, call, id))
}

/// `DELETE /entity/{type}/{id}`. What is not there is answered without a body.
pub fn delete(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let id = call.id()?;
    if account.peek(id).is_none_or(|record| record.kind != kind) {
        return Err(Refusal::bare(StatusCode::NOT_FOUND));
    }
    account.remove(id, &[kind])?;
    Ok(Reply::empty())
}

/// `DELETE /entity/{type}/syncid/{syncId}`.
pub fn delete_by_sync_id(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let sync_id = call.id()?.to_string();
    let known = account.indexed(kind, "syncId", &sync_id);
    let id = known.and_then(|ids| ids.first().copied());
    account.remove(id.ok_or_else(|| Refusal::about(1057, &sync_id))?, &[kind])?;
    Ok(Reply::empty())
}

/// `POST /entity/{type}/delete`.
pub fn delete_many(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    delete_named(account, &[kind], call)
}

/// `POST /entity/assortment/delete`.
pub fn delete_assortment(account: &mut Account, _: Kind, call: &Call<'_>) -> Answer {
    delete_named(account, ASSORTMENT, call)
}

/// Deletes what an array names.
pub fn delete_named(account: &mut Account, kinds: &[Kind], call: &Call<'_>) -> Answer {
    let body = input::body(call.body)?;
    let elements = body.as_array().ok_or_else(|| Refusal::code(2001))?;
    let results: Vec<Result<Id, Refusal>> = elements
        .iter()
        .map(|element| {
            let id = account.named(element, kinds)?;
            account.remove(id, kinds)?;
            Ok(id)
        })
        .collect();
    Ok(deletions(account, &results))
}

/// The reply to an array of what is to be deleted.
pub fn deletions(account: &Account, results: &[Result<Id, Refusal>]) -> Reply {
    let mut out = String::new();
    json::elements(&mut out, results, |out, result| match result {
        Ok(id) => json::object(out, |out| {
            out.put("info", format!("Сущность с UUID: {id} успешно удалена"));
        }),
        Err(refusal) => refusal.write(out),
    });
    Reply::json(out).status(bulk_status(account, results))
}

/// `POST /entity/{type}/{id}/trash`.
pub fn trash(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let id = call.id()?;
    if account.peek(id).is_none_or(|record| record.kind != kind) {
        return Err(Refusal::about(1021, id.to_string()));
    }
    if !kind.is_document() {
        return Err(Refusal::code(1066));
    }
    if !account.settings.recycle_bin {
        return Err(Refusal::code(1067));
    }
    account.bin(id);
    Ok(Reply::empty())
}
