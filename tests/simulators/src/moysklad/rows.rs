//! The collections that objects own, as resources of their own: positions of documents, parts of
//! bundles, bank accounts, persons to talk to.

use serde_json::Value as Json;

use super::account::Account;
use super::endpoints::{Answer, Call, Reply};
use super::id::Id;
use super::input::{self, Mode};
use super::kind::Kind;
use super::query::{Page, envelope, extra};
use super::record::Record;
use super::refusal::Refusal;
use super::save;
use super::value::Value;
use super::wire::{Expand, Wire};
use crate::json;

/// A collection of one object.
struct Collection {
    owner: Record,
    name: &'static str,
    kind: Kind,
}

impl Collection {
    /// The collection that a path names.
    fn of(account: &Account, kind: Kind, call: &Call<'_>) -> Result<Self, Refusal> {
        let id = call.id()?;
        let owner = account.peek(id).filter(|record| record.kind == kind);
        let owner = owner.ok_or_else(|| Refusal::about(1021, id.to_string()))?;
        let named = call.path.split('/').nth(4).unwrap_or_default();
        let (name, kind) = kind
            .collections()
            .iter()
            .find(|(name, _)| *name == named)
            .ok_or_else(|| Refusal::about(1002, call.path))?;
        Ok(Self {
            owner: owner.clone(),
            name,
            kind: *kind,
        })
    }

    fn rows(&self) -> &[Record] {
        self.owner.rows(self.name)
    }

    fn row(&self, id: Id) -> Result<&Record, Refusal> {
        let row = self.rows().iter().find(|row| row.id == id);
        row.ok_or_else(|| Refusal::about(1021, id.to_string()))
    }

    /// Enters the owner with other rows.
    fn store(&self, account: &mut Account, rows: Vec<Record>) -> Result<(), Refusal> {
        let mut owner = self.owner.clone();
        owner.set(self.name, Value::Rows(rows));
        account.check_shipped(&owner, &self.owner)?;
        account.replace(owner, &self.owner)
    }
}

/// `GET /entity/{type}/{id}/{collection}`.
pub fn list(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let collection = Collection::of(account, kind, call)?;
    let page = Page::usual(call, account.behaviour.limit_over_max)?;
    let expand = page.expand(call);
    let wire = Wire::new(account, call.precise, page.extra(call)?);
    let rows = collection.rows();
    let word = collection.kind.meta_type();
    let body = envelope(&wire, call, &page, rows.len(), word, |out| {
        json::elements(out.key("rows"), page.of(rows), |out, row| {
            wire.record(out, row, &expand);
        });
    });
    Ok(Reply::json(body))
}

/// `GET /entity/{type}/{id}/{collection}/{rowId}`.
pub fn one(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let collection = Collection::of(account, kind, call)?;
    let row = collection.row(call.sub_id()?)?;
    let expand = Expand::parse(call.parameter("expand").unwrap_or_default());
    let mut out = String::new();
    Wire::new(account, call.precise, extra(call)?).record(&mut out, row, &expand);
    Ok(Reply::json(out))
}

/// `POST /entity/{type}/{id}/{collection}`: adds rows, and changes those that have a `meta`. All of
/// them are entered, or none.
pub fn post(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let collection = Collection::of(account, kind, call)?;
    let body = input::body(call.body)?;
    let sent = match &body {
        Json::Array(elements) => elements.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut rows = collection.rows().to_vec();
    let mut touched = Vec::new();
    for json in sent {
        let fields = input::object(json)?;
        if fields.contains_key("meta") {
            let reference = account.reference(json, collection.name)?;
            let mut row = collection.row(reference.id)?.clone();
            account.apply(&mut row, fields, Mode::Updating)?;
            touched.push(row.id);
            rows.retain(|other| other.id != row.id);
            rows.push(row);
        } else {
            let row = account.new_row(collection.kind, fields)?;
            touched.push(row.id);
            rows.push(row);
        }
    }
    collection.store(account, rows)?;
    let expand = Expand::parse(call.parameter("expand").unwrap_or_default());
    let wire = Wire::new(account, call.precise, None);
    let owner = account.get(collection.owner.id);
    let rows = owner.rows(collection.name).iter();
    let shown = rows.filter(|row| touched.contains(&row.id));
    let mut out = String::new();
    json::elements(&mut out, shown, |out, row| wire.record(out, row, &expand));
    Ok(Reply::json(out))
}

/// `PUT /entity/{type}/{id}/{collection}/{rowId}`.
pub fn put(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let collection = Collection::of(account, kind, call)?;
    let id = call.sub_id()?;
    let mut row = collection.row(id)?.clone();
    let body = input::body(call.body)?;
    account.apply(&mut row, input::object(&body)?, Mode::Updating)?;
    let rows = collection.rows().iter();
    let rows = rows
        .map(|other| if other.id == id { &row } else { other })
        .cloned()
        .collect();
    collection.store(account, rows)?;
    one(account, kind, call)
}

/// `DELETE /entity/{type}/{id}/{collection}/{rowId}`.
pub fn delete(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let collection = Collection::of(account, kind, call)?;
    let id = call.sub_id()?;
    collection.row(id)?;
    let rows = collection.rows().iter();
    let rows = rows.filter(|row| row.id != id).cloned().collect();
    collection.store(account, rows)?;
    Ok(Reply::empty())
}

/// `POST /entity/{type}/{id}/{collection}/delete`.
pub fn delete_many(account: &mut Account, kind: Kind, call: &Call<'_>) -> Answer {
    let collection = Collection::of(account, kind, call)?;
    let body = input::body(call.body)?;
    let elements = body.as_array().ok_or_else(|| Refusal::code(2001))?;
    let results: Vec<Result<Id, Refusal>> = elements
        .iter()
        .map(|json| {
            let reference = account.reference(json, collection.name)?;
            Ok(collection.row(reference.id)?.id)
        })
        .collect();
    let gone: Vec<Id> = results.iter().flatten().copied().collect();
    let rows = collection.rows().iter();
    let rows = rows
        .filter(|row| !gone.contains(&row.id))
        .cloned()
        .collect();
    collection.store(account, rows)?;
    Ok(save::deletions(account, &results))
}
