//! A vendor's own description of its API, an OpenAPI document, to hold simulators and connectors
//! against. The documents are the vendors', so none is part of this repository: a developer who has
//! one names its file.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A description refers to something that it does not have.
#[derive(Debug, thiserror::Error)]
#[error("the description has no {0}")]
pub struct Dangling(String);

/// Differences by the property they were found at.
pub type Findings = BTreeMap<String, String>;

/// An OpenAPI document.
#[derive(Debug)]
pub struct Description(pub Value);

impl Description {
    /// A schema with references followed and `allOf` merged into one set of properties.
    ///
    /// # Errors
    /// When a reference leads nowhere.
    pub fn resolve(&self, schema: &Value) -> Result<Value, Dangling> {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.trim_start_matches('#');
            let target = self.0.pointer(pointer);
            return self.resolve(target.ok_or_else(|| Dangling(reference.to_owned()))?);
        }
        let Some(parts) = schema["allOf"].as_array() else {
            return Ok(schema.clone());
        };
        let mut properties = schema["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let mut whole = json!({ "type": "object" });
        for part in parts {
            let mut part = self.resolve(part)?;
            if let Value::Object(own) = part["properties"].take() {
                properties.extend(own);
            }
            for alternatives in ["oneOf", "anyOf"] {
                if part[alternatives].is_array() {
                    whole[alternatives] = part[alternatives].take();
                }
            }
        }
        whole["properties"] = properties.into();
        Ok(whole)
    }

    /// What in a value is not as a schema has it: other types, words of an enumeration that are none,
    /// texts that are too long, properties that it does not have.
    ///
    /// # Errors
    /// When a reference leads nowhere.
    pub fn differences(
        &self,
        path: &str,
        schema: &Value,
        value: &Value,
    ) -> Result<Findings, Dangling> {
        let schema = self.resolve(schema)?;
        let mut findings = Findings::new();
        let alternatives = ["oneOf", "anyOf"]
            .iter()
            .find_map(|word| schema[*word].as_array());
        if let Some(alternatives) = alternatives {
            let mut best: Option<Findings> = None;
            for alternative in alternatives {
                let mut whole = self.resolve(alternative)?;
                // What stands beside the alternatives holds for each of them.
                for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                    whole["properties"][name] = property.clone();
                }
                let found = self.differences(path, &whole, value)?;
                if best.as_ref().is_none_or(|best| found.len() < best.len()) {
                    best = Some(found);
                }
            }
            return Ok(best.unwrap_or_default());
        }
        let kind = schema["type"].as_str().unwrap_or("any");
        let fits = match kind {
            "integer" => value.is_i64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => true,
        };
        if !fits {
            findings.insert(path.to_owned(), format!("is {value} instead of {kind}"));
            return Ok(findings);
        }
        if let Some(words) = schema["enum"].as_array()
            && !words.contains(value)
        {
            findings.insert(path.to_owned(), format!("{value} is none of {words:?}"));
        }
        if let (Some(most), Some(text)) = (schema["maxLength"].as_u64(), value.as_str())
            && text.chars().count() as u64 > most
        {
            findings.insert(path.to_owned(), format!("is longer than {most}"));
        }
        for element in value.as_array().into_iter().flatten() {
            findings.extend(self.differences(path, &schema["items"], element)?);
        }
        let properties = schema["properties"].as_object();
        for (name, inner) in value.as_object().into_iter().flatten() {
            let inner_path = format!("{path}.{name}");
            match properties.and_then(|known| known.get(name)) {
                Some(property) => {
                    findings.extend(self.differences(&inner_path, property, inner)?);
                }
                // An object without properties of its own may hold anything.
                None if properties.is_none() => {}
                None => {
                    findings.insert(inner_path, "is not documented".to_owned());
                }
            }
        }
        Ok(findings)
    }

    /// The template of a path, such as `/entity/product/{id}`, that this path is of. One that names
    /// more of it comes before one that leaves it open.
    pub fn template(&self, path: &str) -> Option<&str> {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |template: &&String| {
            let known: Vec<&str> = template.split('/').collect();
            let mut pairs = known.iter().zip(&parts);
            known.len() == parts.len()
                && pairs.all(|(known, part)| known.starts_with('{') || known == part)
        };
        let templates = self.0["paths"].as_object()?.keys();
        let open = |template: &&String| template.matches('{').count();
        templates.filter(fits).min_by_key(open).map(String::as_str)
    }

    /// The parameters of a query that an operation has, with their schemas.
    ///
    /// # Errors
    /// When a reference leads nowhere.
    pub fn parameters(
        &self,
        template: &str,
        method: &str,
    ) -> Result<BTreeMap<String, Value>, Dangling> {
        let path = &self.0["paths"][template];
        let all = [&path["parameters"], &path[method]["parameters"]];
        let mut parameters = BTreeMap::new();
        for one in all.into_iter().filter_map(Value::as_array).flatten() {
            let one = self.resolve(one)?;
            if let (Some("query"), Some(name)) = (one["in"].as_str(), one["name"].as_str()) {
                parameters.insert(name.to_owned(), self.resolve(&one["schema"])?);
            }
        }
        Ok(parameters)
    }

    /// The schema of the JSON body that an operation takes.
    ///
    /// # Errors
    /// When a reference leads nowhere.
    pub fn body(&self, template: &str, method: &str) -> Result<Option<Value>, Dangling> {
        let body = self.resolve(&self.0["paths"][template][method]["requestBody"])?;
        let schema = &body["content"]["application/json"]["schema"];
        if schema.is_null() {
            return Ok(None);
        }
        self.resolve(schema).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::Description;
    use serde_json::json;

    fn description() -> Description {
        Description(json!({
            "paths": {
                "/part/{id}": { "get": { "parameters": [
                    { "in": "query", "name": "limit", "schema": { "type": "integer" } },
                    { "in": "header", "name": "accept", "schema": { "type": "string" } },
                ]}},
                "/part/delete": { "post": { "requestBody": { "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/Part" },
                }}}}},
            },
            "components": { "schemas": {
                "Named": { "properties": { "name": { "type": "string", "maxLength": 3 } } },
                "Part": { "allOf": [
                    { "$ref": "#/components/schemas/Named" },
                    { "properties": { "price": { "type": "number" } } },
                ]},
            }},
        }))
    }

    #[test]
    fn a_path_that_is_named_comes_before_one_that_is_left_open() {
        let description = description();
        assert_eq!(description.template("/part/delete"), Some("/part/delete"));
        assert_eq!(description.template("/part/7"), Some("/part/{id}"));
        assert_eq!(description.template("/part"), None);
    }

    #[test]
    fn only_parameters_of_the_query_count() {
        let parameters = description().parameters("/part/{id}", "get");
        let parameters = parameters.expect("a description");
        assert_eq!(parameters.keys().collect::<Vec<_>>(), ["limit"]);
    }

    #[test]
    fn other_types_unknown_properties_and_long_texts_are_found() {
        let description = description();
        let schema = description.body("/part/delete", "post");
        let schema = schema.expect("a description").expect("a body");
        let found = |value| {
            let found = description.differences("part", &schema, &value);
            found
                .expect("a description")
                .into_keys()
                .collect::<Vec<_>>()
        };
        assert!(found(json!({ "name": "abc", "price": 1.5 })).is_empty());
        assert_eq!(found(json!({ "name": "abcd" })), ["part.name"]);
        assert_eq!(found(json!({ "price": "1" })), ["part.price"]);
        assert_eq!(found(json!({ "cost": 1 })), ["part.cost"]);
    }
}
