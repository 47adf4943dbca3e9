//! The fields of an object that is written: what people are told of them, and whose they are.

use serde::Deserialize;
use serde_json::value::RawValue;
use tenon_sdk::model::FieldChange;
use uuid::Uuid;

use super::meta;

pub use tenon_sdk::push::Fields;
pub use tenon_sdk::push::fields::raw;

/// What people are told of a change from what was kept: references by their ids.
pub fn changes(fields: &Fields, kept: Option<&[u8]>) -> Vec<FieldChange> {
    #[derive(Deserialize)]
    struct Reference {
        meta: Meta,
    }
    #[derive(Deserialize)]
    struct Meta {
        href: String,
    }

    let mut changes = fields.changes(kept, |value| {
        let reference: Reference = serde_json::from_str(value.get()).ok()?;
        let id = meta::id_in(&reference.meta.href);
        Some(id.map_or(reference.meta.href, |id: Uuid| id.to_string()))
    });
    changes.retain(|change| change.field != "meta");
    changes
}

/// The inner part of a `{"meta":…}`.
pub fn inner(meta: &RawValue) -> Option<&RawValue> {
    #[derive(Deserialize)]
    struct Outer<'a> {
        #[serde(borrow)]
        meta: &'a RawValue,
    }
    Some(serde_json::from_str::<Outer<'_>>(meta.get()).ok()?.meta)
}
