//! Mistypes the list that the values of a setting come from, which would stay empty for ever.

use tenon_hostile_guests::{Attack, guest, manifest};
use tenon_sdk::model::ConnectorManifest;

guest!(Guest);

impl Attack for Guest {
    fn describe(name: &str) -> ConnectorManifest {
        let settings_schema = r#"{
            "type": "object",
            "required": ["url"],
            "properties": {
                "url": { "type": "string" },
                "warehouse": { "type": "string", "x-directory": "warehouse" }
            }
        }"#;
        ConnectorManifest {
            settings_schema: settings_schema.to_owned(),
            ..manifest(name)
        }
    }
}
