//! Why a run is wanted, as JSON: `{"type": "visited", "record": {"kind": "partner", "key": "7"}}`.
//!
//! The host's own type says nothing about JSON, because it is of the contract with components. This
//! form is of the control database and of the API: `#[serde(with = "crate::queue::cause")]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tenon_host::{Cause, RecordRef};

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Written {
    Scheduled,
    Asked,
    Action { action: String, target: RecordRef },
    Webhook,
    Changed { records: Vec<RecordRef> },
    Visited { record: RecordRef },
}

/// Writes a cause as JSON.
pub fn serialize<S: Serializer>(cause: &Cause, serializer: S) -> Result<S::Ok, S::Error> {
    Written::from(cause.clone()).serialize(serializer)
}

/// Reads a cause from JSON.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Cause, D::Error> {
    Written::deserialize(deserializer).map(Cause::from)
}

/// A cause as text.
pub fn to_text(cause: &Cause) -> serde_json::Result<String> {
    serde_json::to_string(&Written::from(cause.clone()))
}

/// A cause from its text.
pub fn from_text(text: &str) -> serde_json::Result<Cause> {
    serde_json::from_str::<Written>(text).map(Cause::from)
}

impl From<Cause> for Written {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Scheduled => Written::Scheduled,
            Cause::Asked => Written::Asked,
            Cause::Action { action, target } => Written::Action { action, target },
            Cause::Webhook => Written::Webhook,
            Cause::Changed(records) => Written::Changed { records },
            Cause::Visited(record) => Written::Visited { record },
        }
    }
}

impl From<Written> for Cause {
    fn from(cause: Written) -> Self {
        match cause {
            Written::Scheduled => Cause::Scheduled,
            Written::Asked => Cause::Asked,
            Written::Action { action, target } => Cause::Action { action, target },
            Written::Webhook => Cause::Webhook,
            Written::Changed { records } => Cause::Changed(records),
            Written::Visited { record } => Cause::Visited(record),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_comes_back_from_its_text() {
        let record = |key: &str| RecordRef {
            kind: tenon_host::model::RecordKind::Order,
            key: key.to_owned(),
        };
        let causes = [
            (Cause::Scheduled, r#"{"type":"scheduled"}"#),
            (Cause::Asked, r#"{"type":"asked"}"#),
            (
                Cause::Action {
                    action: "send".to_owned(),
                    target: record("1"),
                },
                r#"{"type":"action","action":"send","target":{"kind":"order","key":"1"}}"#,
            ),
            (Cause::Webhook, r#"{"type":"webhook"}"#),
            (
                Cause::Changed(vec![record("1"), record("2")]),
                r#"{"type":"changed","records":[{"kind":"order","key":"1"},{"kind":"order","key":"2"}]}"#,
            ),
            (
                Cause::Visited(record("1")),
                r#"{"type":"visited","record":{"kind":"order","key":"1"}}"#,
            ),
        ];
        for (cause, text) in causes {
            assert_eq!(text, to_text(&cause).unwrap());
            assert_eq!(cause, from_text(text).unwrap());
        }
    }
}
