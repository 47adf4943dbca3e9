//! Puts records into a tenant's file from JSON, for testing and small installations.
//!
//! People speak here, so a record is what they say: all its fields count, and its key is kept. Parts
//! whose origin they leave out keep their owner where they are known by the same id, name, price type
//! or file name; new ones are the people's own.
//! All records of one load are written, or none.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tenon_host::model::{
    Category, Effect, Entry, Fault, Order, OrderFields, Partner, PartnerFields, Product,
    ProductFields, Reason, StockLevel,
};

use crate::book::{Book, Halt, Writer};
use crate::record::By;
use crate::{Error, Kind, catalog, directories, record, stock};

/// What a load did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// New records.
    pub created: u64,
    /// Changed records.
    pub updated: u64,
    /// Records that were right already.
    pub unchanged: u64,
}

/// Writes one record, or one list of them, into an open book and commits.
pub(crate) async fn load(book: &mut Book, kind: Kind, records: Value) -> Result<Loaded, Error> {
    let by = By::People;
    let records = without_computed(kind, records);
    match kind {
        Kind::Orders => {
            let fields = OrderFields::all();
            all(book, records, |writer, order: Order| {
                Ok(record::save(writer, order, fields, by)?.effect)
            })
            .await
        }
        Kind::Products => {
            let fields = ProductFields::all();
            all(book, records, |writer, product: Product| {
                Ok(record::save(writer, product, fields, by)?.effect)
            })
            .await
        }
        Kind::Partners => {
            let fields = PartnerFields::all();
            all(book, records, |writer, partner: Partner| {
                Ok(record::save(writer, partner, fields, by)?.effect)
            })
            .await
        }
        Kind::Categories => {
            all(book, records, |writer, category: Category| {
                Ok(catalog::save_category(writer, category, by)?.effect)
            })
            .await
        }
        Kind::Stock => {
            all(book, records, |writer, level: StockLevel| {
                stock::set(writer, &level).map(|saved| saved.effect)
            })
            .await
        }
        Kind::Entries(directory) => {
            all(book, records, |writer, entry: Entry| {
                directories::save(writer, directory, entry)
            })
            .await
        }
        Kind::Bindings | Kind::Runs => Err(Error::NotForPeople(kind)),
    }
}

async fn all<T: DeserializeOwned + Send>(
    book: &mut Book,
    records: Value,
    mut save: impl FnMut(&mut Writer<'_>, T) -> Result<Effect, Halt> + Send,
) -> Result<Loaded, Error> {
    let records = parse::<T>(records)?;
    let mut loaded = Loaded::default();
    let mut number = 0;
    let written = book
        .write(|writer| {
            for record in records {
                number += 1;
                match save(writer, record)? {
                    Effect::Created => loaded.created += 1,
                    Effect::Updated => loaded.updated += 1,
                    Effect::Unchanged => loaded.unchanged += 1,
                }
            }
            Ok(())
        })
        .await;
    match written {
        Ok(()) => {
            book.commit()?;
            Ok(loaded)
        }
        Err(fault) => {
            // What failed already matters more than a failure to undo, which closing does anyway.
            let _ = book.rollback();
            Err(match fault {
                Fault::Transient(_) | Fault::Configuration(_) => Error::Fault(fault),
                refused => Error::Record {
                    number,
                    reason: refused.reason(),
                },
            })
        }
    }
}

/// What [`crate::EmbeddedErp::page`] shows can be loaded again: the fields that are computed when a
/// record is read say nothing when it is written.
fn without_computed(kind: Kind, mut records: Value) -> Value {
    let computed: &[&str] = match kind {
        Kind::Orders => &["total", "error", "why", "attachments"],
        Kind::Partners => &["balance"],
        _ => &[],
    };
    let list = match &mut records {
        Value::Array(list) => list.as_mut_slice(),
        one => std::slice::from_mut(one),
    };
    for fields in list.iter_mut().filter_map(Value::as_object_mut) {
        fields.retain(|name, _| !computed.contains(&name.as_str()));
    }
    records
}

/// Reads every record before the first is written, so that a slip of the pen costs nothing.
fn parse<T: DeserializeOwned>(records: Value) -> Result<Vec<T>, Error> {
    let records = match records {
        Value::Array(records) => records,
        one => vec![one],
    };
    records
        .into_iter()
        .zip(1..)
        .map(|(record, number)| {
            serde_path_to_error::deserialize(record).map_err(|error| {
                let path = error.path().to_string();
                let field = if path == "." { "record" } else { &path };
                let reason = Reason::new("platform.unreadable").arg("field", field);
                Error::Record {
                    number,
                    reason: reason.detail(error.into_inner()),
                }
            })
        })
        .collect()
}
