//! What is the same in checks against any vendor's description.

use anyhow::{Context, Result};
use serde_json::Value;

/// An OpenAPI document.
pub struct Description(pub Value);

impl Description {
    /// A schema with references followed and `allOf` merged into one set of properties.
    pub fn resolve(&self, schema: &Value) -> Result<Value> {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.trim_start_matches('#');
            let target = self.0.pointer(pointer);
            return self.resolve(target.with_context(|| format!("no {reference}"))?);
        }
        let Some(parts) = schema["allOf"].as_array() else {
            return Ok(schema.clone());
        };
        let mut properties = schema["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let mut whole = serde_json::json!({ "type": "object" });
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
}
