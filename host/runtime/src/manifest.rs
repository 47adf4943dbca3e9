//! What a connector says about itself, and what follows from it for its settings and endpoints.
//!
//! The threat: a manifest comes out of untrusted bytes, and the host stores it, shows it to people
//! and acts on it for as long as the connector is installed. Nonsense in it would come up later and
//! elsewhere: a name that breaks a command line, a header that breaks every request, a pattern that
//! takes a core for hours, a schema fetched from an address of the connector's choice. So a manifest
//! that is not fit in each part and small in all is refused when the connector is installed.

use std::collections::HashSet;
use std::hash::Hash;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError};
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use url::Url;

use crate::contract::exports::tenon::connector::sync;
use crate::contract::tenon::connector::manifest as wire;
use crate::model::RecordKind;
use crate::reason::{self, Catalogue, HOST, Mend, Reason};
use crate::rules::{self, Broken};
use crate::schedule::{BadCron, Cron};
pub use crate::settings_schema::SettingsSchema;
use crate::settings_schema::{self, check_words};

/// Most bytes of a name or an id.
const NAME: usize = 63;
/// Most bytes of a version, a schedule, an origin, a path or a member.
const PHRASE: usize = 500;
/// Most characters of a title.
const TITLE: usize = 200;
/// Most languages of a title.
const LANGUAGES: usize = 20;
/// Most bytes of the settings schema.
const SCHEMA: usize = 256 << 10;
/// Most objects, arrays and values in the settings schema with its references written out.
const SCHEMA_PARTS: usize = 20_000;
/// Most patterns in the settings schema.
const PATTERNS: usize = 200;
/// Most bytes of one pattern, compiled.
const PATTERN: usize = 256 << 10;
/// Most credentials.
const CREDENTIALS: usize = 20;
/// Most endpoints.
const ENDPOINTS: usize = 20;
/// Most costs of an endpoint.
const COSTS: usize = 100;
/// Most jobs.
const JOBS: usize = 100;
/// Most record kinds that a job listens to.
const KINDS: usize = 50;
/// Most actions.
const ACTIONS: usize = 100;
/// Most names of choices.
const OPTIONS: usize = 100;
/// Most budgets of an endpoint.
const BUDGETS: usize = 20;
/// Most declared reads of an endpoint.
const READS: usize = 100;
/// Most codes of reasons.
const REASONS: usize = 1_000;
/// Most characters of the text of a reason.
const REASON: usize = 1_000;

/// The draft of the settings schema.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Words of that draft which give references another meaning or make a small schema take hours.
const UNAFFORDABLE: &[&str] = &[
    "$id",
    "$dynamicRef",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Headers that HTTP itself needs; a secret in one of them would break the request.
const HEADERS_OF_HTTP: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

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
    /// Signs nothing: the secret by which the counterpart signs its webhooks.
    Webhook,
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
    /// Requests wait until all of them have room.
    pub budgets: Vec<Budget>,
    /// Requests under way at once.
    pub parallel: u32,
    /// Paths that cost more than one unit, by prefix.
    pub costs: Vec<(String, u32)>,
    /// What may be sent in a preview, beside GET and HEAD.
    pub reads: Vec<Read>,
    /// Whether what its answers redirect to may be read: files that lie on other hosts.
    pub redirects: bool,
}

/// So many units in any window of this length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// A request costs one, or what its path costs.
    pub units: u32,
    /// The setting in which an admin says how many there are instead.
    pub setting: Option<String>,
    /// Length of the window in milliseconds.
    pub window_ms: u64,
    /// Counts only requests that are signed with this credential; none counts all.
    pub credential: Option<String>,
}

impl Budget {
    /// How many units there are with these settings.
    pub fn units(&self, settings: &Value) -> u32 {
        let chosen = (self.setting.as_ref()).and_then(|name| settings.get(name)?.as_u64());
        let chosen = chosen.and_then(|units| u32::try_from(units).ok());
        chosen.filter(|units| *units > 0).unwrap_or(self.units)
    }
}

/// Requests that change nothing at the counterpart although their method could.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Read {
    /// `POST`, mostly.
    pub method: String,
    /// The path; `*` stands for one segment.
    pub path: String,
}

/// That webhooks are taken, and how they are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Webhooks {
    /// None where the counterpart signs none.
    pub signature: Option<WebhookSignature>,
}

/// How the host knows that a webhook is the counterpart's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WebhookSignature {
    /// The credential that is the secret.
    pub credential: String,
    /// The header that the signature stands in.
    pub header: String,
    /// What the header holds.
    pub scheme: WebhookScheme,
}

/// What the header of a signed webhook holds, for the body as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookScheme {
    /// HMAC with SHA-256, in hex.
    HmacSha256Hex,
    /// HMAC with SHA-256, in base64.
    HmacSha256Base64,
    /// The secret itself.
    Secret,
}

/// What a job hears of from the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subscription {
    /// A record of this kind changed.
    Changed(RecordKind),
    /// Somebody looks at a record of this kind.
    Visited(RecordKind),
}

/// Work that a connector offers on a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Job {
    /// Name in requests.
    pub id: String,
    /// Title for people.
    pub title: Text,
    /// Cron expression in the tenant's time zone, which [`Cron`] reads; none runs only when asked.
    pub schedule: Option<String>,
    /// What on the platform starts it.
    pub listens_to: Vec<Subscription>,
}

/// Work that a connector offers as a button on a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// Name in requests.
    pub id: String,
    /// Title for people.
    pub title: Text,
    /// Kind of record that has the button.
    pub record_kind: RecordKind,
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
    pub settings_schema: SettingsSchema,
    /// The names that it has choices for.
    pub options: Vec<String>,
    /// Credentials it needs.
    pub credentials: Vec<Credential>,
    /// Places it talks to.
    pub endpoints: Vec<Endpoint>,
    /// None where the counterpart sends nothing.
    pub webhooks: Option<Webhooks>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// Buttons.
    pub actions: Vec<Action>,
    /// Version of what it keeps in storage.
    pub state_version: u32,
    /// The texts of the reasons that it gives, by code.
    pub reasons: std::collections::BTreeMap<String, Text>,
}

/// The manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadManifest {
    /// The schema is not JSON.
    #[error("its settings schema is not JSON: {0}")]
    SchemaNotJson(#[from] serde_json::Error),
    /// Something in the schema of the settings is not as it should be.
    #[error("{}", HOST.told(.0, reason::LANGUAGES[0]))]
    Schema(Reason),
    /// The schema is not a JSON Schema that the host takes.
    #[error("its settings schema is not usable: {0}")]
    SchemaNotASchema(String),
    /// There is too much of something.
    #[error("it has {count} {what}; at most {most} are taken")]
    TooMany {
        /// Of what.
        what: String,
        /// How many.
        count: usize,
        /// How many may be.
        most: usize,
    },
    /// A name is none.
    #[error(
        "its {what} `{name}` is not a name: use 1 to {NAME} characters of a-z 0-9 {signs} and begin \
         with a letter or digit"
    )]
    NotAName {
        /// What it names.
        what: &'static str,
        /// The name.
        name: String,
        /// What it may hold beside letters and digits.
        signs: &'static str,
    },
    /// Two things have one name.
    #[error("it has the {what} `{name}` twice")]
    Twice {
        /// What the name names.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The version does not say which of two is newer.
    #[error("its version `{0}` is not a semantic version such as 1.2.3")]
    Version(String),
    /// A title that the host could not fall back to.
    #[error("the title of its {0} is missing in English (`en`)")]
    NoEnglishTitle(String),
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
    /// A credential cannot be sent as the manifest says.
    #[error("its credential `{credential}` cannot be sent: {reason}")]
    Scheme {
        /// The credential.
        credential: String,
        /// What is wrong.
        reason: String,
    },
    /// A job would never be due.
    #[error("the schedule of its job `{job}`: {reason}")]
    Schedule {
        /// The job.
        job: String,
        /// What is wrong.
        reason: BadCron,
    },
    /// The text of a reason cannot be used.
    #[error("the text of its reason `{code}` {problem}")]
    Reason {
        /// The code.
        code: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Signed webhooks cannot be checked as it says.
    #[error("its webhooks cannot be checked: {0}")]
    Webhooks(String),
    /// An endpoint is not a place that requests can go to.
    #[error("its endpoint `{origin}` {reason}")]
    Origin {
        /// The endpoint.
        origin: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl BadManifest {
    /// Why, for people. What only the author of a connector can mend is told in the host's own words,
    /// as detail.
    pub fn reason(&self) -> Reason {
        match self {
            BadManifest::Schema(reason) => reason.clone(),
            other => Reason::new("host.install.manifest").detail(other),
        }
    }
}

/// Foreign text, fit to stand in one line of an error.
pub(crate) fn one_line(text: &str) -> String {
    const MOST: usize = 300;
    let mut line = String::new();
    for (index, word) in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .enumerate()
    {
        if index > 0 {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > MOST {
            line.truncate(line.floor_char_boundary(MOST));
            line.push('…');
            break;
        }
    }
    line
}

/// Passes so many of something and no more.
fn few(count: usize, most: usize, what: impl Into<String>) -> Result<(), BadManifest> {
    if count <= most {
        return Ok(());
    }
    let what = what.into();
    Err(BadManifest::TooMany { what, count, most })
}

/// Passes a name of letters, digits and these signs.
fn name(what: &'static str, name: &str, signs: &'static str) -> Result<(), BadManifest> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let fits = name.len() <= NAME
        && name.starts_with(plain)
        && name
            .chars()
            .all(|c| plain(c) || (c != ' ' && signs.contains(c)));
    if fits {
        return Ok(());
    }
    let name = one_line(name);
    Err(BadManifest::NotAName { what, name, signs })
}

/// Passes names of one kind that differ.
fn names<'a, N: AsRef<str> + ?Sized + 'a>(
    what: &'static str,
    all: impl IntoIterator<Item = &'a N>,
) -> Result<(), BadManifest> {
    let mut seen = HashSet::new();
    for one in all.into_iter().map(N::as_ref) {
        name(what, one, "_ -")?;
        if !seen.insert(one) {
            let name = one.to_owned();
            return Err(BadManifest::Twice { what, name });
        }
    }
    Ok(())
}

/// The first of several that was there before.
fn twice<T: Eq + Hash>(all: &[T]) -> Option<&T> {
    let mut seen = HashSet::new();
    all.iter().find(|one| !seen.insert(*one))
}

impl Text {
    fn check(&self, of: impl std::fmt::Display) -> Result<(), BadManifest> {
        few(
            self.0.len(),
            LANGUAGES,
            format!("languages in the title of its {of}"),
        )?;
        for (language, text) in &self.0 {
            name("language", language, "-")?;
            few(
                text.chars().count(),
                TITLE,
                format!("characters in the title of its {of}"),
            )?;
        }
        match self.0.get("en") {
            Some(text) if !text.trim().is_empty() => Ok(()),
            _ => Err(BadManifest::NoEnglishTitle(of.to_string())),
        }
    }
}

impl Credential {
    fn check(&self) -> Result<(), BadManifest> {
        self.title
            .check(format_args!("credential `{}`", self.name))?;
        let bad = |reason: String| {
            Err(BadManifest::Scheme {
                credential: self.name.clone(),
                reason,
            })
        };
        match &self.scheme {
            AuthScheme::Bearer | AuthScheme::Basic | AuthScheme::Webhook => Ok(()),
            AuthScheme::Header(header) => match header.parse::<http::HeaderName>() {
                Err(_) => bad(format!(
                    "`{}` is not the name of a header",
                    one_line(header)
                )),
                Ok(known) if HEADERS_OF_HTTP.contains(&known.as_str()) => {
                    bad(format!("HTTP itself needs the header `{known}`"))
                }
                Ok(_) => few(header.len(), NAME, "bytes in the name of a header"),
            },
            AuthScheme::Token(exchange) => {
                few(exchange.path.len(), PHRASE, "bytes in the path of a token")?;
                few(
                    exchange.member.len(),
                    PHRASE,
                    "bytes in the member of a token",
                )?;
                if !exchange.path.starts_with('/') {
                    let path = one_line(&exchange.path);
                    bad(format!(
                        "the path of its token, `{path}`, must begin with `/`"
                    ))
                } else if exchange.member.is_empty() {
                    bad("the member of the answer that is its token must be named".to_owned())
                } else {
                    Ok(())
                }
            }
        }
    }
}

impl Endpoint {
    /// The setting that its address is in.
    pub fn setting(&self) -> Option<&str> {
        self.origin
            .strip_prefix("{settings.")
            .and_then(|rest| rest.strip_suffix('}'))
    }

    fn bad(&self, reason: impl Into<String>) -> BadManifest {
        BadManifest::Origin {
            origin: one_line(&self.origin),
            reason: reason.into(),
        }
    }

    fn check(&self, credentials: &[Credential]) -> Result<(), BadManifest> {
        few(self.origin.len(), PHRASE, "bytes in an endpoint")?;
        few(self.budgets.len(), BUDGETS, "budgets at an endpoint")?;
        let blocks = |budget: &Budget| budget.units == 0 || budget.window_ms == 0;
        if self.budgets.iter().any(blocks) || self.parallel == 0 {
            return Err(BadManifest::NoBudget(one_line(&self.origin)));
        }
        few(self.reads.len(), READS, "reads at an endpoint")?;
        for read in &self.reads {
            few(read.path.len(), PHRASE, "bytes in the path of a read")?;
            if !read.path.starts_with('/') || read.path.contains(['?', '#']) {
                let path = one_line(&read.path);
                return Err(self.bad(format!(
                    "has a read of `{path}`, which must be a path that begins with `/`"
                )));
            }
            if read.method.parse::<http::Method>().is_err() {
                let method = one_line(&read.method);
                return Err(self.bad(format!("has a read by `{method}`, which is no method")));
            }
        }
        if let Some(Read { method, path }) = twice(&self.reads) {
            let path = one_line(path);
            return Err(self.bad(format!("has a read by {method} of `{path}` twice")));
        }
        few(
            self.credentials.len(),
            CREDENTIALS,
            "credentials at an endpoint",
        )?;
        names("credential", &self.credentials)?;
        let declared = |name: &String| credentials.iter().any(|known| known.name == *name);
        let of_budgets = (self.budgets.iter()).filter_map(|budget| budget.credential.as_ref());
        let mut named = self.credentials.iter().chain(of_budgets);
        if let Some(name) = named.find(|name| !declared(name)) {
            return Err(BadManifest::UnknownCredential {
                origin: one_line(&self.origin),
                credential: name.clone(),
            });
        }
        let signs_nothing = |known: &&Credential| {
            known.scheme == AuthScheme::Webhook && self.credentials.contains(&known.name)
        };
        if let Some(secret) = credentials.iter().find(signs_nothing) {
            return Err(self.bad(format!(
                "is signed with `{}`, which is the secret of webhooks",
                secret.name
            )));
        }
        few(self.costs.len(), COSTS, "costs at an endpoint")?;
        let prefixes: Vec<&String> = self.costs.iter().map(|(prefix, _)| prefix).collect();
        if let Some(prefix) = twice(&prefixes) {
            let prefix = one_line(prefix);
            return Err(self.bad(format!("has a cost for `{prefix}` twice")));
        }
        for (prefix, cost) in &self.costs {
            few(prefix.len(), PHRASE, "bytes in a cost's prefix")?;
            let prefix = one_line(prefix);
            if !prefix.starts_with('/') {
                return Err(self.bad(format!(
                    "has a cost for `{prefix}`, which must begin with `/`"
                )));
            }
            if *cost == 0 {
                return Err(self.bad(format!(
                    "has a cost of 0 for `{prefix}`; it must be above 0"
                )));
            }
        }
        Ok(())
    }

    /// Where it is; equal for endpoints that are the same place.
    fn place(&self, schema: &Value) -> Result<String, BadManifest> {
        if let Some(setting) = self.setting() {
            let known = schema.get("properties").and_then(|all| all.get(setting));
            return match known {
                Some(_) => Ok(self.origin.clone()),
                None => Err(self.bad("names a setting that its schema does not have")),
            };
        }
        let url = Url::parse(&self.origin).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && !self.origin.contains(['{', '}', '*'])
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
                && url.password().is_none()
        });
        let Some(url) = url else {
            return Err(self.bad(
                "is not an origin: write a scheme and a host, such as https://api.example.com, or \
                 {settings.NAME}",
            ));
        };
        Ok(url.origin().ascii_serialization())
    }
}

impl Manifest {
    /// Passes what the host can keep, show and act on.
    fn check(&self) -> Result<(), BadManifest> {
        name("name", &self.name, "-")?;
        few(self.version.len(), PHRASE, "bytes in its version")?;
        semver::Version::parse(&self.version)
            .map_err(|_| BadManifest::Version(one_line(&self.version)))?;
        self.title.check("connector")?;
        affordable(&self.settings_schema)?;
        (self.settings_schema.validator(settings_validator).map(drop))
            .map_err(BadManifest::SchemaNotASchema)?;
        few(self.options.len(), OPTIONS, "choices")?;
        names("choice", &self.options)?;
        check_words(&self.settings_schema, &self.options).map_err(BadManifest::Schema)?;

        few(self.credentials.len(), CREDENTIALS, "credentials")?;
        names("credential", self.credentials.iter().map(|one| &one.name))?;
        for credential in &self.credentials {
            credential.check()?;
        }
        few(self.endpoints.len(), ENDPOINTS, "endpoints")?;
        let mut places = HashSet::new();
        for endpoint in &self.endpoints {
            endpoint.check(&self.credentials)?;
            let chosen = (endpoint.budgets.iter()).filter_map(|budget| budget.setting.as_ref());
            for name in chosen {
                let properties = self.settings_schema.get("properties");
                if properties.and_then(|all| all.get(name)).is_none() {
                    let name = one_line(name);
                    return Err(endpoint.bad(format!(
                        "has a budget in the setting `{name}`, which its schema does not name"
                    )));
                }
            }
            if !places.insert(endpoint.place(&self.settings_schema)?) {
                return Err(endpoint.bad("is there twice"));
            }
        }
        few(self.jobs.len(), JOBS, "jobs")?;
        names("job", self.jobs.iter().map(|job| &job.id))?;
        for job in &self.jobs {
            job.title.check(format_args!("job `{}`", job.id))?;
            let schedule = job.schedule.as_deref().unwrap_or_default();
            few(
                schedule.len(),
                PHRASE,
                format!("bytes in the schedule of its job `{}`", job.id),
            )?;
            if let Some(schedule) = &job.schedule {
                schedule
                    .parse::<Cron>()
                    .map_err(|reason| BadManifest::Schedule {
                        job: job.id.clone(),
                        reason,
                    })?;
            }
            few(
                job.listens_to.len(),
                KINDS,
                format!("record kinds for its job `{}`", job.id),
            )?;
            if let Some(subscription) = twice(&job.listens_to) {
                let (Subscription::Changed(kind) | Subscription::Visited(kind)) = subscription;
                return Err(BadManifest::Twice {
                    what: "record kind",
                    name: kind.name().to_owned(),
                });
            }
        }
        few(self.actions.len(), ACTIONS, "actions")?;
        names("action", self.actions.iter().map(|action| &action.id))?;
        for action in &self.actions {
            action.title.check(format_args!("action `{}`", action.id))?;
        }
        self.check_webhooks()?;
        self.check_reasons()
    }

    fn check_webhooks(&self) -> Result<(), BadManifest> {
        let Some(Webhooks {
            signature: Some(signature),
        }) = &self.webhooks
        else {
            return Ok(());
        };
        let name = one_line(&signature.credential);
        let credential = (self.credentials.iter()).find(|one| one.name == signature.credential);
        match credential.map(|credential| &credential.scheme) {
            Some(AuthScheme::Webhook) => {}
            Some(_) => {
                return Err(BadManifest::Webhooks(format!(
                    "its credential `{name}` must be of the scheme `webhook`"
                )));
            }
            None => {
                return Err(BadManifest::Webhooks(format!(
                    "it does not declare the credential `{name}`"
                )));
            }
        }
        few(
            signature.header.len(),
            NAME,
            "bytes in the name of a header",
        )?;
        (signature.header.parse::<http::HeaderName>().map(drop)).map_err(|_| {
            let header = one_line(&signature.header);
            BadManifest::Webhooks(format!("`{header}` is not the name of a header"))
        })
    }

    fn check_reasons(&self) -> Result<(), BadManifest> {
        for (code, text) in &self.reasons {
            let bad = |problem: String| {
                Err(BadManifest::Reason {
                    code: one_line(code),
                    problem,
                })
            };
            name("reason", code, ". _ -")?;
            if ["host.", "platform.", "server."]
                .iter()
                .any(|taken| code.starts_with(taken))
            {
                return bad("has a code that only the host or the platform gives".to_owned());
            }
            few(text.0.len(), LANGUAGES, "languages of a reason")?;
            let Some(english) = text.0.get("en").filter(|text| !text.trim().is_empty()) else {
                return bad("is missing in English (`en`)".to_owned());
            };
            let sorted = |text| {
                let mut names = reason::placeholders(text);
                names.sort_unstable();
                names.dedup();
                names
            };
            for (language, other) in &text.0 {
                few(
                    other.chars().count(),
                    REASON,
                    "characters in the text of a reason",
                )?;
                if sorted(other) != sorted(english) {
                    return bad(format!(
                        "has other placeholders in `{language}` than in `en`"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The texts of all reasons that it gives.
    pub(crate) fn catalogue(&self) -> Catalogue {
        let mut texts = Catalogue::default();
        for (code, text) in &self.reasons {
            for (language, text) in &text.0 {
                texts.add(language, code, text);
            }
        }
        texts
    }
}

/// Passes a schema that is checked in a time that people do not notice. References that branch, and
/// `unevaluated…` inside itself, double the work with each step; so it is measured with its
/// references written out, which is also why they stay inside it.
fn affordable(schema: &Value) -> Result<(), BadManifest> {
    let bad = |reason: String| Err(BadManifest::SchemaNotASchema(one_line(&reason)));
    let mut patterns = 0;
    let mut parts = 0;
    let mut unseen = vec![schema];
    while let Some(part) = unseen.pop() {
        parts += 1;
        few(
            parts + unseen.len(),
            SCHEMA_PARTS,
            "or more parts in its settings schema with references written out",
        )?;
        match part {
            Value::Array(inner) => unseen.extend(inner),
            Value::Object(inner) => {
                for (word, value) in inner {
                    unseen.push(value);
                    match (word.as_str(), value) {
                        ("$ref", Value::String(to)) => {
                            let target = to.strip_prefix('#').and_then(|path| schema.pointer(path));
                            let Some(target) = target else {
                                return bad(format!(
                                    "`$ref` leads to `{to}`, which is no place in the schema itself"
                                ));
                            };
                            unseen.push(target);
                        }
                        ("$schema", Value::String(draft)) if draft != DRAFT => {
                            return bad(format!("`$schema` is `{draft}`; only {DRAFT} is known"));
                        }
                        (word, _) if UNAFFORDABLE.contains(&word) => {
                            return bad(format!("it has `{word}`, which is not taken"));
                        }
                        ("pattern", Value::String(_)) => patterns += 1,
                        ("patternProperties", Value::Object(known)) => patterns += known.len(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    few(patterns, PATTERNS, "patterns in its settings schema")
}

/// What checks settings. Patterns are matched in linear time, and nothing is fetched.
fn settings_validator(schema: &Value) -> Result<jsonschema::Validator, String> {
    jsonschema::options()
        .offline()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex().size_limit(PATTERN))
        .build(schema)
        .map_err(|error| one_line(&error.to_string()))
}

impl TryFrom<sync::ConnectorManifest> for Manifest {
    type Error = BadManifest;

    fn try_from(raw: sync::ConnectorManifest) -> Result<Self, BadManifest> {
        few(
            raw.settings_schema.len(),
            SCHEMA,
            "bytes in its settings schema",
        )?;
        let _: IgnoredAny = serde_json::from_str(&raw.settings_schema)?;
        few(raw.reasons.len(), REASONS, "reasons")?;
        let codes: Vec<&String> = raw.reasons.iter().map(|reason| &reason.code).collect();
        if let Some(code) = twice(&codes) {
            return Err(BadManifest::Twice {
                what: "reason",
                name: one_line(code),
            });
        }
        let settings_schema =
            settings_schema::read(&raw.settings_schema).map_err(BadManifest::Schema)?;
        let manifest = Manifest {
            name: raw.name,
            version: raw.version,
            title: raw.title.into(),
            settings_schema,
            options: raw.options,
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
                        wire::AuthScheme::Webhook => AuthScheme::Webhook,
                    },
                })
                .collect(),
            endpoints: raw
                .endpoints
                .into_iter()
                .map(|endpoint| Endpoint {
                    origin: endpoint.origin,
                    credentials: endpoint.credentials,
                    budgets: (endpoint.budgets.into_iter())
                        .map(|budget| Budget {
                            units: budget.units,
                            setting: budget.setting,
                            window_ms: budget.window_ms,
                            credential: budget.credential,
                        })
                        .collect(),
                    parallel: endpoint.parallel,
                    costs: endpoint.costs,
                    reads: (endpoint.reads.into_iter())
                        .map(|read| Read {
                            method: read.method,
                            path: read.path,
                        })
                        .collect(),
                    redirects: endpoint.redirects,
                })
                .collect(),
            webhooks: raw.webhooks.map(|webhooks| Webhooks {
                signature: webhooks.signature.map(|signature| WebhookSignature {
                    credential: signature.credential,
                    header: signature.header,
                    scheme: match signature.scheme {
                        wire::WebhookScheme::HmacSha256Hex => WebhookScheme::HmacSha256Hex,
                        wire::WebhookScheme::HmacSha256Base64 => WebhookScheme::HmacSha256Base64,
                        wire::WebhookScheme::Secret => WebhookScheme::Secret,
                    },
                }),
            }),
            jobs: raw
                .jobs
                .into_iter()
                .map(|job| Job {
                    id: job.id,
                    title: job.title.into(),
                    schedule: job.schedule,
                    listens_to: (job.listens_to.into_iter())
                        .map(|subscription| match subscription {
                            sync::Subscription::Changed(kind) => Subscription::Changed(kind),
                            sync::Subscription::Visited(kind) => Subscription::Visited(kind),
                        })
                        .collect(),
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
            reasons: (raw.reasons.into_iter())
                .map(|reason| (reason.code, reason.text.into()))
                .collect(),
        };
        manifest.check()?;
        Ok(manifest)
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
    /// The same for those who word it themselves; empty where no value is to blame.
    pub rules: Vec<Broken>,
    /// Whether a setting is not there that has to be: all is well otherwise.
    pub missing: bool,
}

/// All ways in which settings break the schema of a manifest, in the order of the settings.
pub fn check_settings(manifest: &Manifest, settings: &Value) -> Vec<SettingsError> {
    match manifest.settings_schema.validator(settings_validator) {
        Ok(validator) => validator
            .iter_errors(settings)
            .map(|error| {
                let rules = rules::broken(&error);
                // A member that is missing or unknown has a path of its own below the whole.
                let path = match rules.as_slice() {
                    [one] => one.path.clone(),
                    _ => error.instance_path().to_string(),
                };
                SettingsError {
                    path,
                    reason: reason(&error),
                    rules,
                    missing: !left_out(&error).is_empty(),
                }
            })
            .collect(),
        Err(reason) => vec![SettingsError {
            path: String::new(),
            reason,
            rules: Vec::new(),
            missing: false,
        }],
    }
}

/// The names of settings that are not there, when that is all that is wrong; of alternatives, one of
/// each that would do.
fn left_out(error: &ValidationError<'_>) -> Vec<String> {
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            vec![property.as_str().unwrap_or_default().to_owned()]
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            (context.iter())
                .map(|branch| branch.iter().map(left_out).collect::<Vec<_>>())
                .filter(|branch| branch.iter().all(|names| !names.is_empty()))
                .flat_map(|branch| branch.into_iter().flatten())
                .collect()
        }
        _ => Vec::new(),
    }
}

/// What is wrong, without the settings themselves where a list of names says it.
fn reason(error: &ValidationError<'_>) -> String {
    match left_out(error).as_slice() {
        [] | [_] => error.to_string(),
        names => format!("one of these is needed: {}", names.join(", ")),
    }
}

impl SettingsError {
    /// Why, for people: the setting, and what the schema says of it for a technician.
    pub fn reason(&self) -> Reason {
        let setting = self.path.trim_start_matches('/').replace('/', ".");
        if setting.is_empty() {
            return Reason::new("host.settings.wrong").detail(&self.reason);
        }
        let reason = Reason::new("host.setting.wrong").arg("setting", &setting);
        reason.mend(Mend::Setting(setting)).detail(&self.reason)
    }
}

/// The endpoint has no usable origin with these settings.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint {endpoint} has no usable address: {reason}")]
pub struct BadOrigin {
    endpoint: String,
    reason: String,
}

impl BadOrigin {
    /// Why, for people.
    pub fn reason(&self) -> Reason {
        let reason = Reason::new("host.endpoint.no-address").arg("endpoint", &self.endpoint);
        reason.detail(&self.reason)
    }
}

impl Endpoint {
    /// Its address with the settings of a connection, of which requests may go to the origin. A setting
    /// that is absent has the default that the schema gives it.
    pub fn address(&self, settings: &Value, schema: &Value) -> Result<Url, BadOrigin> {
        let bad = |reason: String| BadOrigin {
            endpoint: self.origin.clone(),
            reason,
        };
        let address = match self.setting() {
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
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoint(origin: &str) -> Endpoint {
        Endpoint {
            origin: origin.to_owned(),
            credentials: Vec::new(),
            budgets: Vec::new(),
            parallel: 1,
            costs: Vec::new(),
            reads: Vec::new(),
            redirects: false,
        }
    }

    #[test]
    fn an_endpoint_takes_its_origin_from_the_setting_else_from_the_schemas_default() {
        let schema = json!({"properties": {"base_url": {"default": "https://api.example/v1"}}});
        let endpoint = endpoint("{settings.base_url}");
        let given = json!({"base_url": "http://127.0.0.1:8080/v1"});
        let origin = endpoint.address(&given, &schema).unwrap().origin();
        assert_eq!("http://127.0.0.1:8080", origin.ascii_serialization());
        let origin = endpoint.address(&json!({}), &schema).unwrap().origin();
        assert_eq!("https://api.example", origin.ascii_serialization());
    }

    #[test]
    fn an_endpoint_without_an_address_says_which_setting_is_missing() {
        let error = endpoint("{settings.url}")
            .address(&json!({}), &json!({}))
            .unwrap_err();
        assert!(error.to_string().contains("`url` is missing"), "{error}");
        let error = endpoint("file:///etc/passwd")
            .address(&json!({}), &json!({}))
            .unwrap_err();
        assert!(error.to_string().contains("not an http"), "{error}");
    }

    fn title() -> wire::Text {
        vec![("en".to_owned(), "A title".to_owned())]
    }

    /// A manifest with one of everything, which is fit.
    fn fit() -> sync::ConnectorManifest {
        sync::ConnectorManifest {
            name: "shop-1".to_owned(),
            version: "0.1.0-beta.1+7".to_owned(),
            title: title(),
            settings_schema: r##"{
                "$defs": { "address": { "type": "string", "pattern": "^https?://\\S+$" } },
                "properties": { "url": { "$ref": "#/$defs/address" } }
            }"##
            .to_owned(),
            credentials: vec![wire::Credential {
                name: "api_key".to_owned(),
                title: title(),
                scheme: wire::AuthScheme::Header("X-Api-Key".to_owned()),
            }],
            endpoints: vec![wire::Endpoint {
                origin: "{settings.url}".to_owned(),
                credentials: vec!["api_key".to_owned()],
                budgets: vec![wire::Budget {
                    units: 60,
                    setting: None,
                    window_ms: 60_000,
                    credential: Some("api_key".to_owned()),
                }],
                parallel: 1,
                costs: vec![("/reports".to_owned(), 5)],
                reads: vec![wire::Read {
                    method: "POST".to_owned(),
                    path: "/orders/*/search".to_owned(),
                }],
                redirects: false,
            }],
            options: vec!["statuses".to_owned()],
            webhooks: Some(wire::Webhooks { signature: None }),
            jobs: vec![sync::Job {
                id: "orders".to_owned(),
                title: title(),
                schedule: Some("*/10 * * * *".to_owned()),
                listens_to: vec![sync::Subscription::Changed(RecordKind::Order)],
            }],
            actions: vec![sync::Action {
                id: "load_again".to_owned(),
                title: title(),
                record_kind: RecordKind::Order,
            }],
            state_version: 1,
            reasons: vec![wire::ReasonText {
                code: "order.no-buyer".to_owned(),
                text: vec![("en".to_owned(), "order {number} has no buyer".to_owned())],
            }],
        }
    }

    /// A change to a fit manifest, and words of the error that it must lead to.
    type Spoiled = (fn(&mut sync::ConnectorManifest), &'static str);

    fn every_one_is_refused(cases: &[Spoiled]) {
        Manifest::try_from(fit()).expect("a fit manifest");
        for (spoil, words) in cases {
            let mut manifest = fit();
            spoil(&mut manifest);
            let error = Manifest::try_from(manifest).expect_err(words).to_string();
            assert!(error.contains(words), "{words}: {error}");
            assert!(
                !error.contains('\n') && error.len() < 700,
                "{words}: {error}"
            );
        }
    }

    #[test]
    fn names_are_plain_and_not_endless() {
        every_one_is_refused(&[
            (|m| m.name.clear(), "its name ``"),
            (|m| m.name = "Shop".to_owned(), "its name `Shop`"),
            (|m| m.name = "a_b".to_owned(), "of a-z 0-9 - and"),
            (|m| m.name = "-rf".to_owned(), "its name `-rf`"),
            (|m| m.name = "../shop".to_owned(), "its name `../shop`"),
            (
                |m| m.name = "a b\n\u{1b}[2Jc".to_owned(),
                "its name `a b [2Jc`",
            ),
            (|m| m.name = "a".repeat(64), "use 1 to 63"),
            (|m| m.name = "а".repeat(99_999), "…` is not a name"),
            (|m| m.jobs[0].id.clear(), "its job `` is not a name"),
            (|m| m.jobs[0].id = "Orders".to_owned(), "its job `Orders`"),
            (|m| m.actions[0].id = "a b".to_owned(), "its action `a b`"),
            (|m| m.options[0].clear(), "its choice ``"),
            (|m| m.reasons[0].code.clear(), "its reason ``"),
            (
                |m| m.credentials[0].name = "a=b".to_owned(),
                "its credential `a=b`",
            ),
            (|m| m.title[0].0 = "EN".to_owned(), "its language `EN`"),
        ]);
    }

    #[test]
    fn nothing_has_the_name_of_another() {
        every_one_is_refused(&[
            (|m| m.jobs.push(m.jobs[0].clone()), "the job `orders` twice"),
            (
                |m| m.actions.push(m.actions[0].clone()),
                "the action `load_again` twice",
            ),
            (
                |m| m.credentials.push(m.credentials[0].clone()),
                "the credential `api_key` twice",
            ),
            (
                |m| m.endpoints.push(m.endpoints[0].clone()),
                "`{settings.url}` is there twice",
            ),
            (
                |m| m.jobs[0].listens_to = vec![m.jobs[0].listens_to[0]; 2],
                "the record kind `order` twice",
            ),
            (
                |m| {
                    m.endpoints[0].origin = "https://a.example".to_owned();
                    m.endpoints.push(m.endpoints[0].clone());
                    m.endpoints[1].origin = "https://A.example:443/".to_owned();
                },
                "is there twice",
            ),
        ]);
    }

    #[test]
    fn words_of_the_settings_schema_mean_something() {
        fn setting(manifest: &mut sync::ConnectorManifest, word: &str, value: &str) {
            let schema = json!({ "properties": { "url": {}, "shop": { word: value } } });
            manifest.settings_schema = schema.to_string();
        }
        every_one_is_refused(&[
            (
                |m| setting(m, "x-option", "statuses"),
                "settings_schema.properties.shop.x-option: there is no such word",
            ),
            (
                |m| setting(m, "x-options", "states"),
                "settings_schema.properties.shop.x-options: there is no choice `states`; there are \
                 `statuses`",
            ),
            (
                |m| setting(m, "x-directory", "shops"),
                "settings_schema.properties.shop.x-directory: there is no directory `shops`",
            ),
            (
                |m| setting(m, "x-record", "buyer"),
                "settings_schema.properties.shop.x-record: there is no kind of record `buyer`",
            ),
            (
                |m| m.settings_schema = r#"{ "properties": { "url": {}, "url": {} } }"#.to_owned(),
                "settings_schema.properties: it cannot be read (`url` is there twice",
            ),
        ]);
        let mut fit = fit();
        setting(&mut fit, "x-options", "statuses");
        assert!(Manifest::try_from(fit).is_ok());
    }

    #[test]
    fn a_version_can_be_compared() {
        every_one_is_refused(&[
            (|m| m.version.clear(), "its version ``"),
            (|m| m.version = "1.0".to_owned(), "its version `1.0`"),
            (|m| m.version = "v1.0.0".to_owned(), "such as 1.2.3"),
            (
                |m| m.version = format!("1.0.0-{}", "a".repeat(600)),
                "bytes in its version",
            ),
        ]);
    }

    #[test]
    fn a_title_is_there_in_english_and_short() {
        every_one_is_refused(&[
            (
                |m| m.title.clear(),
                "the title of its connector is missing in English",
            ),
            (
                |m| m.title[0].1 = " ".to_owned(),
                "the title of its connector is missing",
            ),
            (
                |m| m.title[0].0 = "uk".to_owned(),
                "the title of its connector is missing",
            ),
            (|m| m.jobs[0].title.clear(), "the title of its job `orders`"),
            (
                |m| m.actions[0].title.clear(),
                "the title of its action `load_again`",
            ),
            (
                |m| m.credentials[0].title.clear(),
                "the title of its credential `api_key`",
            ),
            (
                |m| m.title.push(("uk".to_owned(), "ї".repeat(201))),
                "201 characters in the title of its connector; at most 200",
            ),
            (
                |m| {
                    m.title
                        .extend((0..20).map(|n| (format!("x{n}"), String::new())))
                },
                "21 languages",
            ),
        ]);
        let mut manifest = fit();
        manifest.title.push(("uk".to_owned(), "ї".repeat(200)));
        assert!(Manifest::try_from(manifest).is_ok());
    }

    #[test]
    fn a_credential_goes_into_a_header_of_its_own() {
        fn sent_as(manifest: &mut sync::ConnectorManifest, header: &str) {
            manifest.credentials[0].scheme = wire::AuthScheme::Header(header.to_owned());
        }
        fn exchanged(manifest: &mut sync::ConnectorManifest, path: &str, member: &str) {
            manifest.credentials[0].scheme = wire::AuthScheme::Token(wire::TokenExchange {
                path: path.to_owned(),
                member: member.to_owned(),
            });
        }
        every_one_is_refused(&[
            (|m| sent_as(m, ""), "`` is not the name of a header"),
            (|m| sent_as(m, "a b"), "`a b` is not the name"),
            (
                |m| sent_as(m, "x\r\nhost: y"),
                "`x host: y` is not the name",
            ),
            (
                |m| sent_as(m, &"x".repeat(64)),
                "64 bytes in the name of a header",
            ),
            (
                |m| sent_as(m, "Host"),
                "HTTP itself needs the header `host`",
            ),
            (|m| sent_as(m, "content-length"), "HTTP itself needs"),
            (|m| sent_as(m, "Transfer-Encoding"), "HTTP itself needs"),
            (|m| sent_as(m, "connection"), "HTTP itself needs"),
            (|m| sent_as(m, "accept-encoding"), "HTTP itself needs"),
            (
                |m| exchanged(m, "security/token", "access_token"),
                "must begin with `/`",
            ),
            (|m| exchanged(m, "", "access_token"), "must begin with `/`"),
            (|m| exchanged(m, "/security/token", ""), "must be named"),
            (
                |m| exchanged(m, &"/".repeat(501), "t"),
                "501 bytes in the path of a token",
            ),
            (
                |m| exchanged(m, "/", &"t".repeat(501)),
                "501 bytes in the member",
            ),
        ]);
        let mut manifest = fit();
        exchanged(&mut manifest, "/security/token", "access_token");
        assert!(Manifest::try_from(manifest).is_ok());
        let mut manifest = fit();
        sent_as(&mut manifest, "Authorization");
        assert!(Manifest::try_from(manifest).is_ok());
    }

    #[test]
    fn an_endpoint_is_an_origin_or_a_setting_that_exists() {
        fn at(manifest: &mut sync::ConnectorManifest, origin: &str) {
            manifest.endpoints[0].origin = origin.to_owned();
        }
        every_one_is_refused(&[
            (|m| at(m, ""), "is not an origin"),
            (|m| at(m, "api.example"), "is not an origin"),
            (|m| at(m, "ftp://api.example"), "is not an origin"),
            (|m| at(m, "file:///"), "is not an origin"),
            (|m| at(m, "https://api.example/v1"), "is not an origin"),
            (|m| at(m, "https://api.example?a"), "is not an origin"),
            (|m| at(m, "https://api.example#a"), "is not an origin"),
            (
                |m| at(m, "https://me:secret@api.example"),
                "is not an origin",
            ),
            (|m| at(m, "{url}"), "is not an origin"),
            (|m| at(m, "https://{settings.url}"), "is not an origin"),
            (|m| at(m, "https://*.example"), "is not an origin"),
            (
                |m| at(m, "{settings.base}"),
                "names a setting that its schema does not have",
            ),
            (|m| at(m, "{settings.}"), "names a setting"),
            (
                |m| at(m, &format!("https://{}.example", "a".repeat(500))),
                "bytes in an endpoint",
            ),
        ]);
        let mut manifest = fit();
        at(&mut manifest, "https://api.example:8443");
        assert!(Manifest::try_from(manifest).is_ok());
    }

    #[test]
    fn a_setting_says_how_many_units_a_budget_has() {
        let budget = Budget {
            units: 20,
            setting: Some("pace".to_owned()),
            window_ms: 60_000,
            credential: None,
        };
        for (settings, units) in [
            (json!({}), 20),
            (json!({ "pace": 60 }), 60),
            (json!({ "pace": 0 }), 20),
            (json!({ "pace": "many" }), 20),
        ] {
            assert_eq!(units, budget.units(&settings), "{settings}");
        }
    }

    #[test]
    fn an_endpoint_has_a_budget_that_can_be_kept() {
        every_one_is_refused(&[
            (
                |m| m.endpoints[0].budgets[0].units = 0,
                "allows no requests",
            ),
            (
                |m| m.endpoints[0].budgets[0].window_ms = 0,
                "allows no requests",
            ),
            (
                |m| m.endpoints[0].budgets[0].setting = Some("pace".to_owned()),
                "has a budget in the setting `pace`, which its schema does not name",
            ),
            (
                |m| m.endpoints[0].budgets[0].credential = Some("token".to_owned()),
                "names the credential `token`, which it does not declare",
            ),
            (
                |m| m.credentials[0].scheme = wire::AuthScheme::Webhook,
                "is signed with `api_key`, which is the secret of webhooks",
            ),
            (
                |m| m.endpoints[0].reads[0].path = "orders".to_owned(),
                "has a read of `orders`",
            ),
            (
                |m| m.endpoints[0].reads[0].method = "a b".to_owned(),
                "has a read by `a b`",
            ),
            (|m| m.endpoints[0].parallel = 0, "allows no requests"),
            (
                |m| m.endpoints[0].costs[0].1 = 0,
                "has a cost of 0 for `/reports`",
            ),
            (
                |m| m.endpoints[0].costs[0].0 = "reports".to_owned(),
                "must begin with `/`",
            ),
            (
                |m| m.endpoints[0].costs[0].0 = "/".repeat(501),
                "bytes in a cost's prefix",
            ),
            (
                |m| m.endpoints[0].credentials[0] = "token".to_owned(),
                "names the credential `token`, which it does not declare",
            ),
        ]);
    }

    #[test]
    fn nothing_is_declared_twice() {
        every_one_is_refused(&[
            (
                |m| m.reasons.extend(m.reasons.clone()),
                "the reason `order.no-buyer` twice",
            ),
            (
                |m| m.options.extend(m.options.clone()),
                "the choice `statuses` twice",
            ),
            (
                |m| m.endpoints[0].costs.push(("/reports".to_owned(), 6)),
                "has a cost for `/reports` twice",
            ),
            (
                |m| {
                    let reads = m.endpoints[0].reads.clone();
                    m.endpoints[0].reads.extend(reads);
                },
                "has a read by POST of `/orders/*/search` twice",
            ),
        ]);
    }

    #[test]
    fn a_reason_has_one_text_with_the_same_placeholders_in_each_language() {
        fn text(manifest: &mut sync::ConnectorManifest, language: &str, text: &str) {
            let texts = &mut manifest.reasons[0].text;
            texts.push((language.to_owned(), text.to_owned()));
        }
        every_one_is_refused(&[
            (|m| m.reasons[0].text.clear(), "is missing in English"),
            (
                |m| text(m, "uk", "без покупця"),
                "other placeholders in `uk`",
            ),
            (
                |m| text(m, "ru", "{id} {number}"),
                "other placeholders in `ru`",
            ),
            (
                |m| m.reasons[0].code = "host.limit".to_owned(),
                "only the host or the platform",
            ),
        ]);
    }

    #[test]
    fn signed_webhooks_name_a_secret_of_their_own() {
        fn signed(manifest: &mut sync::ConnectorManifest, credential: &str, header: &str) {
            manifest.webhooks = Some(wire::Webhooks {
                signature: Some(wire::WebhookSignature {
                    credential: credential.to_owned(),
                    header: header.to_owned(),
                    scheme: wire::WebhookScheme::Secret,
                }),
            });
        }
        every_one_is_refused(&[
            (
                |m| signed(m, "secret", "x-sign"),
                "does not declare the credential",
            ),
            (
                |m| signed(m, "api_key", "x-sign"),
                "of the scheme `webhook`",
            ),
            (
                |m| {
                    m.credentials[0].scheme = wire::AuthScheme::Webhook;
                    m.endpoints.clear();
                    signed(m, "api_key", "a b");
                },
                "`a b` is not the name of a header",
            ),
        ]);
    }

    #[test]
    fn there_is_not_too_much_of_anything() {
        every_one_is_refused(&[
            (
                |m| m.jobs = vec![m.jobs[0].clone(); 101],
                "101 jobs; at most 100",
            ),
            (
                |m| m.actions = vec![m.actions[0].clone(); 101],
                "101 actions",
            ),
            (
                |m| m.credentials = vec![m.credentials[0].clone(); 21],
                "21 credentials",
            ),
            (
                |m| m.endpoints = vec![m.endpoints[0].clone(); 21],
                "21 endpoints",
            ),
            (
                |m| m.endpoints[0].credentials = vec!["api_key".to_owned(); 21],
                "21 credentials at an endpoint",
            ),
            (
                |m| m.endpoints[0].costs = vec![("/".to_owned(), 1); 101],
                "101 costs at an endpoint",
            ),
            (
                |m| m.jobs[0].listens_to = vec![m.jobs[0].listens_to[0]; 51],
                "51 record kinds",
            ),
            (
                |m| m.jobs[0].schedule = Some("*".repeat(501)),
                "501 bytes in the schedule",
            ),
            (
                |m| m.jobs[0].schedule = Some("61 * * * *".to_owned()),
                "the schedule of its job `orders`: `61 * * * *` is no schedule",
            ),
            (
                |m| m.settings_schema = format!("{{{}}}", " ".repeat(256 << 10)),
                "bytes in its settings schema; at most 262144",
            ),
            (
                |m| {
                    m.settings_schema = json!({ "properties": { "url": { "allOf": vec![json!({ "pattern": "a" }); 201] } } }).to_string()
                },
                "201 patterns in its settings schema",
            ),
        ]);
    }

    #[test]
    fn a_settings_schema_is_a_schema_of_its_own_without_costly_patterns() {
        every_one_is_refused(&[
            (
                |m| m.settings_schema.clear(),
                "its settings schema is not JSON",
            ),
            (
                |m| m.settings_schema = "[".repeat(200),
                "its settings schema is not JSON",
            ),
            (
                |m| m.settings_schema = r#"{"type": 7}"#.to_owned(),
                "its settings schema is not usable",
            ),
            (
                |m| m.settings_schema = r#"{"pattern": "(?=a)"}"#.to_owned(),
                "is not usable",
            ),
            (
                |m| m.settings_schema = r#"{"pattern": "(a)\\1"}"#.to_owned(),
                "is not usable",
            ),
            (
                |m| m.settings_schema = r#"{"pattern": "(\\w{99}){99}"}"#.to_owned(),
                "is not usable",
            ),
            (
                |m| m.settings_schema = refers("#/$defs/none"),
                "`#/$defs/none`, which is no place",
            ),
            (
                |m| m.settings_schema = refers("#name"),
                "`#name`, which is no place",
            ),
            (
                |m| m.settings_schema = refers("http://127.0.0.1:9/x"),
                "`http://127.0.0.1:9/x`, which",
            ),
            (
                |m| m.settings_schema = refers("file:///etc/passwd"),
                "`file:///etc/passwd`, which",
            ),
            (
                |m| m.settings_schema = json!({ "$schema": "http://127.0.0.1:9/meta" }).to_string(),
                "`$schema` is `http://127.0.0.1:9/meta`",
            ),
            (
                |m| m.settings_schema = json!({ "$id": "http://127.0.0.1:9/x" }).to_string(),
                "it has `$id`",
            ),
            (
                |m| m.settings_schema = json!({ "not": { "$dynamicRef": "#a" } }).to_string(),
                "it has `$dynamicRef`",
            ),
            (
                |m| m.settings_schema = json!({ "unevaluatedProperties": false }).to_string(),
                "it has `unevaluatedProperties`",
            ),
        ]);
    }

    fn refers(to: &str) -> String {
        json!({ "properties": { "url": { "$ref": to } } }).to_string()
    }

    #[test]
    fn alternatives_of_which_none_is_given_are_missing_settings() {
        let mut manifest = fit();
        manifest.settings_schema = json!({
            "oneOf": [{ "required": ["period"] }, { "required": ["last_days"] }],
            "properties": { "url": { "type": "string" }, "last_days": { "type": "integer" } },
        })
        .to_string();
        let manifest = Manifest::try_from(manifest).expect("a fit manifest");
        let errors = check_settings(&manifest, &json!({}));
        assert_eq!(1, errors.len(), "{errors:?}");
        assert!(errors[0].missing);
        assert_eq!(
            "one of these is needed: period, last_days",
            errors[0].reason
        );
        assert_eq!("one_needed", errors[0].rules[0].code);
        let wrong = check_settings(&manifest, &json!({ "last_days": "many" }));
        assert!(wrong.iter().all(|error| !error.missing), "{wrong:?}");
        let both = check_settings(&manifest, &json!({ "period": 1, "last_days": 1 }));
        assert!(both.iter().any(|error| !error.missing), "{both:?}");
    }

    #[test]
    fn a_settings_schema_does_not_grow_without_bounds_by_its_references() {
        every_one_is_refused(&[
            (
                |m| m.settings_schema = refers("#"),
                "or more parts in its settings schema",
            ),
            (
                |m| {
                    let twice = |n| json!({ "$ref": format!("#/$defs/{n}") });
                    let mut steps: serde_json::Map<_, _> = (0..30)
                        .map(|n| {
                            (
                                n.to_string(),
                                json!({ "allOf": [twice(n + 1), twice(n + 1)] }),
                            )
                        })
                        .collect();
                    steps.insert("30".to_owned(), json!({ "type": "object" }));
                    m.settings_schema = json!({ "$defs": steps, "$ref": "#/$defs/0" }).to_string();
                },
                "or more parts in its settings schema",
            ),
        ]);
    }

    #[test]
    fn a_pattern_that_backtracks_for_ever_elsewhere_is_matched_at_once() {
        let mut raw = fit();
        raw.settings_schema =
            json!({ "properties": { "url": { "pattern": "^(a|a)*(a|a)*(a|a)*$" } } }).to_string();
        let manifest = Manifest::try_from(raw).unwrap();
        let url = |text: String| check_settings(&manifest, &json!({ "url": text }));
        assert_eq!(Vec::<SettingsError>::new(), url("a".repeat(10_000)));
        assert_eq!("/url", url("a".repeat(10_000) + "!")[0].path);
    }
}
