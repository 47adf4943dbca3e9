//! What a connector says about itself, and what follows from it for its settings and endpoints.

use serde::Serialize;
use serde_json::Value;
use url::Url;

use crate::contract::exports::tenon::connector::sync;
use crate::contract::tenon::connector::manifest as wire;

/// Text for people in several languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text(std::collections::BTreeMap<String, String>);

impl Text {
    /// The text in a language, else in English, else in any.
    pub fn get(&self, language: &str) -> &str {
        [language, "en"]
            .iter()
            .find_map(|language| self.0.get(*language))
            .or_else(|| self.0.values().next())
            .map_or("", String::as_str)
    }
}

impl From<wire::Text> for Text {
    fn from(text: wire::Text) -> Self {
        Text(text.into_iter().collect())
    }
}

/// How requests to an endpoint are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthScheme {
    /// `Authorization: Bearer SECRET`.
    Bearer,
    /// `Authorization: Basic …`, from a secret of the form `login:password`.
    Basic,
    /// The secret as the value of a header of this name.
    Header(String),
    /// `Authorization: Bearer TOKEN`, with a token that the host gets for `login:password`.
    Token(TokenExchange),
}

/// How a login and a password become a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenExchange {
    /// Path at the endpoint's origin that answers to POST, signed as basic.
    pub path: String,
    /// Member of the JSON answer that is the token.
    pub member: String,
}

/// A credential that an admin gives to a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Credential {
    /// Name in the manifest, the settings page and the command line.
    pub name: String,
    /// Title for people.
    pub title: Text,
    /// How it is used.
    pub scheme: AuthScheme,
}

/// A place the connector talks to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Endpoint {
    /// An origin, or `{settings.NAME}` for the origin of the URL in that setting.
    pub origin: String,
    /// Requests are signed with the first of these that is given. Empty where nothing is signed.
    pub credentials: Vec<String>,
    /// Request budget in any window.
    pub units_per_window: u32,
    /// Length of the window in milliseconds.
    pub window_ms: u32,
    /// Requests under way at once.
    pub parallel: u32,
    /// Paths that cost more than one unit, by prefix.
    pub costs: Vec<(String, u32)>,
}

/// Work that a connector offers on a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    /// Name in requests.
    pub id: String,
    /// Title for people.
    pub title: Text,
    /// Cron expression in the tenant's time zone; none runs only when asked.
    pub schedule: Option<String>,
    /// Record kinds whose change on the platform starts it.
    pub listens_to: Vec<String>,
}

/// Work that a connector offers as a button on a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// Name in requests.
    pub id: String,
    /// Title for people.
    pub title: Text,
    /// Kind of record that has the button.
    pub record_kind: String,
}

/// The manifest of a connector.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    /// Name of the connector.
    pub name: String,
    /// Version of the connector.
    pub version: String,
    /// Title for people.
    pub title: Text,
    /// JSON Schema of the settings.
    pub settings_schema: Value,
    /// Credentials it needs.
    pub credentials: Vec<Credential>,
    /// Places it talks to.
    pub endpoints: Vec<Endpoint>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// Buttons.
    pub actions: Vec<Action>,
    /// Version of what it keeps in storage.
    pub state_version: u32,
}

/// The manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadManifest {
    /// The schema is not JSON.
    #[error("its settings schema is not JSON: {0}")]
    SchemaNotJson(#[from] serde_json::Error),
    /// The schema is not a JSON Schema.
    #[error("its settings schema is not a JSON Schema: {0}")]
    SchemaNotASchema(String),
    /// An endpoint names a credential that the manifest does not have.
    #[error("its endpoint {origin} names the credential `{credential}`, which it does not declare")]
    UnknownCredential {
        /// The endpoint.
        origin: String,
        /// The credential.
        credential: String,
    },
    /// A budget of nothing would block every request.
    #[error("its endpoint {0} allows no requests: units, window and parallel must be above 0")]
    NoBudget(String),
}

impl TryFrom<sync::ConnectorManifest> for Manifest {
    type Error = BadManifest;

    fn try_from(raw: sync::ConnectorManifest) -> Result<Self, BadManifest> {
        let settings_schema: Value = serde_json::from_str(&raw.settings_schema)?;
        jsonschema::validator_for(&settings_schema)
            .map_err(|error| BadManifest::SchemaNotASchema(error.to_string()))?;
        for endpoint in &raw.endpoints {
            if endpoint.units_per_window == 0 || endpoint.window_ms == 0 || endpoint.parallel == 0 {
                return Err(BadManifest::NoBudget(endpoint.origin.clone()));
            }
            let declared = |name: &String| raw.credentials.iter().any(|known| known.name == *name);
            if let Some(name) = endpoint.credentials.iter().find(|name| !declared(name)) {
                return Err(BadManifest::UnknownCredential {
                    origin: endpoint.origin.clone(),
                    credential: name.clone(),
                });
            }
        }
        Ok(Manifest {
            name: raw.name,
            version: raw.version,
            title: raw.title.into(),
            settings_schema,
            credentials: raw
                .credentials
                .into_iter()
                .map(|credential| Credential {
                    name: credential.name,
                    title: credential.title.into(),
                    scheme: match credential.scheme {
                        wire::AuthScheme::Bearer => AuthScheme::Bearer,
                        wire::AuthScheme::Basic => AuthScheme::Basic,
                        wire::AuthScheme::Header(name) => AuthScheme::Header(name),
                        wire::AuthScheme::Token(exchange) => AuthScheme::Token(TokenExchange {
                            path: exchange.path,
                            member: exchange.member,
                        }),
                    },
                })
                .collect(),
            endpoints: raw
                .endpoints
                .into_iter()
                .map(|endpoint| Endpoint {
                    origin: endpoint.origin,
                    credentials: endpoint.credentials,
                    units_per_window: endpoint.units_per_window,
                    window_ms: endpoint.window_ms,
                    parallel: endpoint.parallel,
                    costs: endpoint.costs,
                })
                .collect(),
            jobs: raw
                .jobs
                .into_iter()
                .map(|job| Job {
                    id: job.id,
                    title: job.title.into(),
                    schedule: job.schedule,
                    listens_to: job.listens_to,
                })
                .collect(),
            actions: raw
                .actions
                .into_iter()
                .map(|action| Action {
                    id: action.id,
                    title: action.title.into(),
                    record_kind: action.record_kind,
                })
                .collect(),
            state_version: raw.state_version,
        })
    }
}

/// One way in which settings break their schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("settings{path}: {reason}")]
pub struct SettingsError {
    /// JSON Pointer to the value; empty for the whole.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

/// All ways in which settings break the schema of a manifest, in the order of the settings.
pub fn check_settings(manifest: &Manifest, settings: &Value) -> Vec<SettingsError> {
    match jsonschema::validator_for(&manifest.settings_schema) {
        Ok(validator) => validator
            .iter_errors(settings)
            .map(|error| SettingsError {
                path: error.instance_path().to_string(),
                reason: error.to_string(),
            })
            .collect(),
        Err(error) => vec![SettingsError {
            path: String::new(),
            reason: error.to_string(),
        }],
    }
}

/// The endpoint has no usable origin with these settings.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint {endpoint} has no usable address: {reason}")]
pub struct BadOrigin {
    endpoint: String,
    reason: String,
}

impl Endpoint {
    /// Its origin with the settings of a connection. A setting that is absent has the default that
    /// the schema gives it.
    pub fn resolve(&self, settings: &Value, schema: &Value) -> Result<url::Origin, BadOrigin> {
        let bad = |reason: String| BadOrigin {
            endpoint: self.origin.clone(),
            reason,
        };
        let setting = self
            .origin
            .strip_prefix("{settings.")
            .and_then(|rest| rest.strip_suffix('}'));
        let address = match setting {
            None => self.origin.as_str(),
            Some(name) => settings
                .get(name)
                .or_else(|| schema.get("properties")?.get(name)?.get("default"))
                .and_then(Value::as_str)
                .ok_or_else(|| bad(format!("the setting `{name}` is missing")))?,
        };
        let url = Url::parse(address).map_err(|error| bad(format!("`{address}`: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(bad(format!("`{address}` is not an http or https address")));
        }
        Ok(url.origin())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Endpoint;

    fn endpoint(origin: &str) -> Endpoint {
        Endpoint {
            origin: origin.to_owned(),
            credentials: Vec::new(),
            units_per_window: 1,
            window_ms: 1,
            parallel: 1,
            costs: Vec::new(),
        }
    }

    #[test]
    fn an_endpoint_takes_its_origin_from_the_setting_else_from_the_schemas_default() {
        let schema = json!({"properties": {"base_url": {"default": "https://api.example/v1"}}});
        let endpoint = endpoint("{settings.base_url}");
        let given = json!({"base_url": "http://127.0.0.1:8080/v1"});
        let origin = endpoint.resolve(&given, &schema).unwrap();
        assert_eq!("http://127.0.0.1:8080", origin.ascii_serialization());
        let origin = endpoint.resolve(&json!({}), &schema).unwrap();
        assert_eq!("https://api.example", origin.ascii_serialization());
    }

    #[test]
    fn an_endpoint_without_an_address_says_which_setting_is_missing() {
        let error = endpoint("{settings.url}")
            .resolve(&json!({}), &json!({}))
            .unwrap_err();
        assert!(error.to_string().contains("`url` is missing"), "{error}");
        let error = endpoint("file:///etc/passwd")
            .resolve(&json!({}), &json!({}))
            .unwrap_err();
        assert!(error.to_string().contains("not an http"), "{error}");
    }
}
