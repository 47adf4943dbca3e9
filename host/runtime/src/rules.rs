//! Which rules of a JSON Schema a value breaks, as codes that can be worded in any language.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde::Serialize;

/// A rule that is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// JSON Pointer to the value, or to the member that is missing or unknown.
    pub path: String,
    /// Its stable name, such as `too_long`; `other` for a rule that has none.
    pub code: &'static str,
    /// What it expects, where its name does not say it all; of `other`, what is wrong.
    pub expected: String,
}

impl Broken {
    fn new(path: String, code: &'static str, expected: impl ToString) -> Broken {
        Broken {
            path,
            code,
            expected: expected.to_string(),
        }
    }
}

/// The JSON Pointer of a member of the object at `path`.
pub fn member(path: &str, name: &str) -> String {
    format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// What an error of a check says, without the value.
pub fn broken(error: &ValidationError<'_>) -> Vec<Broken> {
    let path = error.instance_path().to_string();
    let one = match error.kind() {
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            Broken::new(member(&path, name), "required", "")
        }
        Kind::AdditionalProperties { unexpected } => {
            let unknown = unexpected.iter().map(|name| member(&path, name));
            return unknown
                .map(|path| Broken::new(path, "unknown", ""))
                .collect();
        }
        Kind::OneOfNotValid { context } | Kind::AnyOf { context } => {
            if let Some(errors) = meant(context, &path) {
                return errors.iter().flat_map(broken).collect();
            }
            match alternatives(context) {
                Some(names) => Broken::new(path, "one_needed", names),
                None => Broken::new(path, "no_variant", ""),
            }
        }
        Kind::OneOfMultipleValid { .. } => Broken::new(path, "one_only", ""),
        Kind::Type { kind } => Broken::new(path, "type", types(kind)),
        Kind::Format { format } => Broken::new(path, "format", format),
        Kind::Pattern { pattern } => Broken::new(path, "pattern", pattern),
        Kind::MaxLength { limit } => Broken::new(path, "too_long", limit),
        Kind::MinLength { limit } => Broken::new(path, "too_short", limit),
        Kind::MaxItems { limit } | Kind::MaxProperties { limit } => {
            Broken::new(path, "too_many", limit)
        }
        Kind::MinItems { limit } | Kind::MinProperties { limit } => {
            Broken::new(path, "too_few", limit)
        }
        Kind::Maximum { limit } => Broken::new(path, "too_large", limit),
        Kind::Minimum { limit } => Broken::new(path, "too_small", limit),
        Kind::UniqueItems => Broken::new(path, "twice", ""),
        Kind::Enum { options } => Broken::new(path, "not_one_of", options),
        Kind::Constant { expected_value } => Broken::new(path, "not_one_of", expected_value),
        _ => Broken::new(path, "other", error.masked()),
    };
    vec![one]
}

/// The errors of the one variant that was meant: whose type fits, and whose constants.
fn meant<'a>(
    variants: &'a [Vec<ValidationError<'static>>],
    path: &str,
) -> Option<&'a [ValidationError<'static>]> {
    let rules_out = |error: &ValidationError<'_>| match error.kind() {
        Kind::Type { .. } => error.instance_path().to_string() == path,
        Kind::Constant { .. } | Kind::Enum { .. } => true,
        _ => false,
    };
    let mut fitting = variants
        .iter()
        .filter(|errors| !errors.iter().any(rules_out));
    match (fitting.next(), fitting.next()) {
        (Some(errors), None) => Some(errors),
        _ => None,
    }
}

/// The members of which one is needed, when that is all that each variant lacks.
fn alternatives(variants: &[Vec<ValidationError<'static>>]) -> Option<String> {
    let names: Option<Vec<&str>> = variants
        .iter()
        .map(|errors| match errors.as_slice() {
            [error] => match error.kind() {
                Kind::Required { property } => property.as_str(),
                _ => None,
            },
            _ => None,
        })
        .collect();
    names.map(|names| names.join(", "))
}

fn types(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => one.to_string(),
        TypeKind::Multiple(several) => {
            let names: Vec<_> = several.iter().map(|one| one.to_string()).collect();
            names.join(" / ")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_broken_rule_is_named_with_its_place_and_what_it_expects() {
        let schema = json!({
            "required": ["a/b"],
            "properties": {
                "a/b": {},
                "days": { "type": "integer", "minimum": 1, "multipleOf": 2 },
                "period": { "oneOf": [{ "required": ["from"] }, { "required": ["days"] }] },
                "text": { "anyOf": [{ "type": "array" }, { "type": "string", "maxLength": 2 }] },
            },
            "additionalProperties": false,
        });
        let validator = jsonschema::options().offline().build(&schema).unwrap();
        let of = |value: &Value| -> Vec<Broken> {
            let errors = validator.iter_errors(value);
            errors.flat_map(|error| broken(&error)).collect()
        };
        assert_eq!(
            vec![Broken::new("/a~1b".to_owned(), "required", "")],
            of(&json!({}))
        );
        for (name, value, code, expected) in [
            ("color", json!("red"), "unknown", ""),
            ("days", json!("two"), "type", "integer"),
            ("days", json!(0), "too_small", "1"),
            ("period", json!({}), "one_needed", "from, days"),
            ("period", json!({ "from": 1, "days": 2 }), "one_only", ""),
            ("text", json!("long"), "too_long", "2"),
            ("text", json!(7), "no_variant", ""),
        ] {
            let mut settings = json!({ "a/b": 1 });
            settings[name] = value;
            let wanted = Broken::new(format!("/{name}"), code, expected);
            assert_eq!(vec![wanted], of(&settings));
        }
        let odd = of(&json!({ "a/b": 1, "days": 3 }));
        assert_eq!("other", odd[0].code);
        assert!(odd[0].expected.contains("multiple of 2"), "{odd:?}");
    }
}
