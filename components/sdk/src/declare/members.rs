//! The schemas of structs and of words to choose, as the macros put them together.

use serde_json::{Value, json};

use super::{Schema, Setting, Words};

/// A text in English, Ukrainian and Russian.
type Text = [&'static str; 3];

/// The schema of a struct that is being put together.
#[derive(Debug, Default)]
pub struct Members {
    required: Vec<Value>,
    properties: Schema,
    rules: Schema,
}

impl Members {
    /// Of nothing yet.
    pub fn new() -> Members {
        Members::default()
    }

    /// Adds a field.
    pub fn add<T: Setting>(
        &mut self,
        name: &str,
        words: &Words,
        title: Text,
        hint: Option<Text>,
        default: Option<Value>,
    ) {
        if default.is_none() && T::absent().is_none() {
            self.required.push(name.into());
        }
        let mut schema = T::schema(words);
        if let Some(default) = default.or_else(T::absent_json) {
            schema.insert("default".to_owned(), default);
        }
        schema.insert("x-titles".to_owned(), by_language(title));
        if let Some(hint) = hint {
            schema.insert("x-descriptions".to_owned(), by_language(hint));
        }
        self.properties.insert(name.to_owned(), schema.into());
    }

    /// Exactly one of these fields is given.
    pub fn one_of(&mut self, names: &[&str]) {
        let each = names.iter().map(|name| json!({ "required": [name] }));
        self.rules
            .insert("oneOf".to_owned(), Value::Array(each.collect()));
    }

    /// A field has to be given when another has this value.
    pub fn need(&mut self, name: &str, other: &str, value: impl Into<Value>) {
        let rule = json!({
            "if": { "required": [other], "properties": { other: { "const": value.into() } } },
            "then": { "required": [name] },
        });
        let rules = self.rules.entry("allOf").or_insert_with(|| json!([]));
        if let Value::Array(rules) = rules {
            rules.push(rule);
        }
    }

    /// The whole.
    pub fn done(self) -> Schema {
        let mut schema = Schema::new();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("additionalProperties".to_owned(), false.into());
        if !self.required.is_empty() {
            schema.insert("required".to_owned(), self.required.into());
        }
        schema.extend(self.rules);
        schema.insert("properties".to_owned(), self.properties.into());
        schema
    }
}

/// The schema of words to choose from, each with its title.
pub fn words(words: &[(&str, Text)]) -> Schema {
    let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
    let titles = words.iter();
    let titles: Schema = titles
        .map(|(name, title)| ((*name).to_owned(), by_language(*title)))
        .collect();
    let mut schema = Schema::new();
    schema.insert("type".to_owned(), "string".into());
    schema.insert("enum".to_owned(), names.into());
    schema.insert("x-enum-titles".to_owned(), titles.into());
    schema
}

fn by_language([en, uk, ru]: Text) -> Value {
    json!({ "en": en, "uk": uk, "ru": ru })
}
