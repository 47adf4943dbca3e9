//! How the connector presents itself: what admins set, what the host grants, what people choose.

use std::collections::HashMap;

use tenon_sdk::model::{
    AuthScheme, Budget, Choice, ConnectorManifest, Credential, Endpoint, Fault, Job,
};
use tenon_sdk::{reasons, text, unknown_option};

use crate::api::{CREDENTIAL, Category, Named};
use crate::{jobs, settings};

/// KeyCRM's API key, limits and the one job.
pub fn manifest() -> ConnectorManifest {
    ConnectorManifest {
        name: "keycrm".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        title: text!(en: "KeyCRM orders", uk: "Замовлення KeyCRM", ru: "Заказы KeyCRM"),
        settings_schema: include_str!("settings.schema.json").to_owned(),
        options: ["statuses", "sources", "managers", "categories"]
            .map(str::to_owned)
            .to_vec(),
        credentials: vec![Credential {
            name: CREDENTIAL.to_owned(),
            title: text!(en: "API key", uk: "Ключ API", ru: "Ключ API"),
            scheme: AuthScheme::Bearer,
        }],
        endpoints: vec![Endpoint {
            origin: "{settings.base_url}".to_owned(),
            credentials: vec![CREDENTIAL.to_owned()],
            // The vendor counts requests in any minute; half a second covers the clocks. Its
            // description says 60, its newer article on API keys is quoted with 20.
            budgets: vec![Budget {
                units: 20,
                setting: Some("requests_per_minute".to_owned()),
                window_ms: 60_500,
                credential: None,
            }],
            parallel: 2,
            costs: Vec::new(),
            reads: Vec::new(),
            redirects: false,
        }],
        webhooks: None,
        jobs: vec![Job {
            id: jobs::ORDERS.to_owned(),
            title: text!(en: "Load orders", uk: "Отримати замовлення", ru: "Получить заказы"),
            schedule: Some("*/10 * * * *".to_owned()),
            listens_to: Vec::new(),
        }],
        actions: Vec::new(),
        state_version: 1,
        reasons: reasons!(),
    }
}

/// The dictionaries of the account, for the settings form.
///
/// # Errors
/// `unsupported` for an option that the schema does not name; else what KeyCRM's answer came to.
pub fn choices(option: &str) -> Result<Vec<Choice>, Fault> {
    let path = match option {
        "statuses" => "/order/status",
        "sources" => "/order/source",
        "managers" => "/users",
        "categories" => {
            let categories = settings::crm()?.all("/products/categories", &[])?;
            return Ok(category_choices(&categories));
        }
        other => return Err(unknown_option(other)),
    };
    let named: Vec<Named> = settings::crm()?.all(path, &[])?;
    Ok(named
        .into_iter()
        .filter_map(|entry| {
            let id = entry.id.get()?;
            Some(Choice {
                value: id.to_string(),
                label: entry.label().unwrap_or_else(|| id.to_string()),
            })
        })
        .collect())
}

/// Categories under their whole path: `Services / Repair`.
fn category_choices(categories: &[Category]) -> Vec<Choice> {
    let by_id: HashMap<i64, &Category> = categories
        .iter()
        .filter_map(|category| Some((category.id.get()?, category)))
        .collect();
    categories
        .iter()
        .filter_map(|category| {
            let id = category.id.get()?;
            let mut path = vec![category.name.as_deref().unwrap_or_default()];
            let mut parent = category.parent_id.get();
            // A loop of parents is cut where it has gone through every category once.
            while let Some(above) = parent.and_then(|id| by_id.get(&id)) {
                if path.len() > by_id.len() {
                    break;
                }
                path.push(above.name.as_deref().unwrap_or_default());
                parent = above.parent_id.get();
            }
            path.reverse();
            Some(Choice {
                value: id.to_string(),
                label: path.join(" / "),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{category_choices, manifest};
    use crate::settings::Settings;
    use tenon_sdk::time::Zone;

    #[test]
    fn the_schema_is_json_and_agrees_with_the_defaults() {
        let schema: serde_json::Value =
            serde_json::from_str(&manifest().settings_schema).expect("the schema is JSON");
        let defaults = Settings::parse(r#"{"last_days":1}"#, &Zone::named("UTC"))
            .expect("one setting is enough");
        let named = |name: &str| schema["properties"][name]["default"].as_str();
        let days = &schema["properties"]["look_back_days"]["default"];
        assert_eq!(days.as_u64(), Some(defaults.look_back_days.into()));
        assert_eq!(named("base_url"), Some(defaults.base_url.as_str()));
        assert_eq!(named("currency"), Some(defaults.booking.currency.as_str()));
    }

    #[test]
    fn every_reason_has_its_text_in_each_language() {
        assert_eq!(
            tenon_sdk::texts::problems(env!("CARGO_MANIFEST_DIR")),
            [""; 0]
        );
    }

    #[test]
    fn every_setting_has_a_title_in_each_language() {
        let schema: serde_json::Value =
            serde_json::from_str(&manifest().settings_schema).expect("the schema is JSON");
        for (name, property) in schema["properties"].as_object().expect("properties") {
            for language in ["en", "uk", "ru"] {
                assert!(
                    property["x-titles"][language].is_string(),
                    "{name} {language}"
                );
            }
        }
    }

    #[test]
    fn a_category_is_shown_with_the_path_to_it_even_in_a_loop() {
        let categories: Vec<crate::api::Category> = serde_json::from_str(
            r#"[{"id":1,"name":"Services","parent_id":null},
                {"id":2,"name":"Repair","parent_id":1},
                {"id":3,"name":"Loop","parent_id":3}]"#,
        )
        .expect("categories");
        let labels: Vec<_> = category_choices(&categories)
            .into_iter()
            .map(|choice| choice.label)
            .collect();
        assert_eq!(labels[..2], ["Services", "Services / Repair"]);
        assert!(labels[2].starts_with("Loop / Loop"));
    }
}
