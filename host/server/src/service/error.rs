//! Why an operation was not done.

use std::fmt;

use jiff::Timestamp;
use tenon_host::manifest::SettingsError;
use tenon_host::model::Fault;
use tenon_host::reason::{LANGUAGES, Mend, Reason};
use tenon_host::rules::Broken;
use tenon_host::{CallError, CompileError, ConnectError, Connector, InstallError};

use crate::control::Failure;
use crate::key::KeyTrouble;
use crate::queue::QueueFailure;
use crate::told::{Explained, TEXTS, Told};
use crate::vault::Trouble;

/// Kinds of things that an operation names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A customer of the platform.
    Tenant,
    /// A connector switched on in a tenant.
    Connection,
    /// A connector of which no version is installed.
    Connector,
    /// An installed component.
    Version,
    /// A job of a connector.
    Job,
    /// A button of a connector.
    Action,
    /// A dynamic choice of the settings.
    Choice,
    /// A credential of a connector.
    Credential,
    /// A wanted run.
    Request,
    /// A run.
    Run,
    /// A record of the platform.
    Record,
    /// A kind of record.
    Kind,
    /// An access token.
    Token,
    /// A pair of records.
    Binding,
    /// Something that a run asked people.
    Question,
    /// A webhook that was given up.
    Webhook,
    /// Something that is held for maintenance.
    Maintenance,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::Tenant => "tenant",
            What::Connection => "connection",
            What::Connector => "connector",
            What::Version => "version",
            What::Job => "job",
            What::Action => "action",
            What::Choice => "choice",
            What::Credential => "credential",
            What::Request => "request",
            What::Run => "run",
            What::Record => "record",
            What::Kind => "kind of record",
            What::Token => "token",
            What::Binding => "binding",
            What::Question => "question",
            What::Webhook => "webhook",
            What::Maintenance => "maintenance",
        })
    }
}

/// A value that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON Pointer into what was sent, or the name of a parameter.
    pub path: String,
    /// What is wrong.
    pub why: Reason,
    /// The rules of a schema that it breaks, where one has them.
    pub rules: Vec<Broken>,
}

/// Why an operation was not done. After a [`Error::Failure`] some of it may have been.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It names something that is not there.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// What kind of thing.
        what: What,
        /// Its name.
        name: String,
    },
    /// It would make something that is there.
    #[error("there is a {what} `{name}` already")]
    Exists {
        /// What kind of thing.
        what: What,
        /// Its name.
        name: String,
    },
    /// Values break rules.
    #[error("{}", join(.0))]
    Invalid(Vec<Violation>),
    /// Somebody else changed the settings since they were read.
    #[error("the settings were changed meanwhile; they are at revision {revision} now")]
    Changed {
        /// The present revision.
        revision: u64,
    },
    /// It can only be done while the connection is off.
    #[error("the connection is switched on; switch it off first")]
    ConnectionOn,
    /// It can only be done while the connection is on.
    #[error("the connection is not switched on")]
    ConnectionNotOn,
    /// What is for webhooks is asked of a connector that takes none.
    #[error("this connector takes no webhooks")]
    NoWebhooks,
    /// A run does not stop at a checkpoint in time.
    #[error("a run of the connection is under way and did not stop in time; try again later")]
    Busy,
    /// A version that connections run stays.
    #[error("{connections} connections run this version")]
    VersionInUse {
        /// How many.
        connections: u64,
    },
    /// There is nothing to go back to.
    #[error("the connection has no earlier version to go back to")]
    NoPrevious,
    /// The version is one of another connector.
    #[error("the version is one of the connector `{found}`, not of `{wanted}`")]
    OtherConnector {
        /// Whose version it is.
        found: String,
        /// What the connection runs.
        wanted: String,
    },
    /// The connection's state is newer than the version.
    #[error("what the connection keeps is of state version {kept}; this version knows {known}")]
    OlderState {
        /// Version of what is in storage.
        kept: u32,
        /// Version that the component knows.
        known: u32,
    },
    /// A tenant is deleted after its connections are switched off.
    #[error("{connections} connections of the tenant are switched on; switch them off first")]
    TenantInUse {
        /// How many.
        connections: u64,
    },
    /// Nobody asks that any more.
    #[error("no run asks this any more; look at the present questions")]
    QuestionExpired,
    /// The question has its answer.
    #[error("the question is answered already")]
    QuestionAnswered,
    /// Credentials that the connector needs were not given; one of each list is needed.
    #[error("credentials are missing: {}", credentials(.0))]
    MissingCredential(Vec<Vec<String>>),
    /// A stored credential belongs to another address than the settings lead to now.
    #[error("the settings lead elsewhere than when the credential `{0}` was given; give it again")]
    CredentialAgain(String),
    /// The component cannot be installed.
    #[error("the component cannot be installed: {}", .0.whole(LANGUAGES[0]))]
    BadComponent(Explained),
    /// The counterpart or the connector refused, and said why.
    #[error("{0}")]
    Refused(Explained),
    /// Something outside is not there at the moment.
    #[error("{0}")]
    Unavailable(Explained),
    /// The key that seals credentials, or what it seals, cannot be used.
    #[error(transparent)]
    Key(KeyTrouble),
    /// It is held for maintenance already, for something else or by somebody else.
    #[error("it is held already, since {since} by {actor}; that maintenance is to end first")]
    Held {
        /// Since when.
        since: Timestamp,
        /// By whom.
        actor: String,
    },
    /// Something lies under the name of a tenant that is to be made.
    #[error("records or credentials were stored under the name `{name}` before it was a tenant")]
    Leftover {
        /// The name.
        name: String,
    },
    /// The control database failed.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl Error {
    /// Nothing of this kind and name.
    pub fn not_found(what: What, name: impl fmt::Display) -> Error {
        Error::NotFound {
            what,
            name: name.to_string(),
        }
    }

    /// One value that breaks a rule.
    pub fn invalid(path: impl Into<String>, why: Reason) -> Error {
        Error::Invalid(vec![Violation {
            path: path.into(),
            why,
            rules: Vec::new(),
        }])
    }

    /// What people are told: what a database or a file system says is for the log of who runs the
    /// server.
    pub fn told(&self) -> Told {
        let text = match self {
            Error::Failure(failure) => {
                tracing::error!("{failure}");
                TEXTS.text(&self.reason(), LANGUAGES[0])
            }
            Error::Key(trouble) => {
                tracing::error!("{trouble}");
                TEXTS.text(&self.reason(), LANGUAGES[0])
            }
            error => error.to_string(),
        };
        Told {
            text,
            why: Some(self.reason()),
        }
    }

    /// The same for every language.
    pub fn reason(&self) -> Reason {
        match self {
            Error::BadComponent(why) | Error::Refused(why) | Error::Unavailable(why) => {
                Reason::clone(&why.why)
            }
            Error::NotFound { what, name } => {
                let reason = Reason::new("server.not_found").arg("what", what);
                reason.arg("name", name)
            }
            Error::Exists { what, name } => {
                let reason = Reason::new("server.exists").arg("what", what);
                reason.arg("name", name)
            }
            Error::Invalid(violations) => match violations.first() {
                Some(violation) => violation.why.clone(),
                None => Reason::new("server.invalid"),
            },
            Error::Changed { revision } => {
                Reason::new("server.etag_mismatch").arg("revision", revision)
            }
            Error::ConnectionOn => Reason::new("server.connection_on"),
            Error::ConnectionNotOn => Reason::new("server.connection_not_on"),
            Error::NoWebhooks => Reason::new("server.no_webhooks"),
            Error::Busy => Reason::new("server.busy"),
            Error::VersionInUse { connections } => {
                Reason::new("server.version_in_use").arg("connections", connections)
            }
            Error::NoPrevious => Reason::new("server.no_previous_version"),
            Error::OtherConnector { found, wanted } => Reason::new("server.other_connector")
                .arg("found", found)
                .arg("wanted", wanted),
            Error::OlderState { kept, known } => Reason::new("server.older_state")
                .arg("kept", kept)
                .arg("known", known),
            Error::TenantInUse { connections } => {
                Reason::new("server.tenant_in_use").arg("connections", connections)
            }
            Error::MissingCredential(groups) => {
                let names = groups.iter().map(|names| names.join(" / "));
                let names = names.collect::<Vec<_>>().join(", ");
                let reason = Reason::new("server.credential_missing").arg("names", names);
                match groups.first().and_then(|names| names.first()) {
                    Some(name) => reason.mend(Mend::Credential(name.clone())),
                    None => reason,
                }
            }
            Error::CredentialAgain(name) => Reason::new("server.credential_again")
                .arg("name", name)
                .mend(Mend::Credential(name.clone())),
            Error::QuestionExpired => Reason::new("server.question_expired"),
            Error::QuestionAnswered => Reason::new("server.question_answered"),
            Error::Key(_) => Reason::new("server.key_unusable"),
            Error::Held { since, actor } => Reason::new("server.held")
                .arg("since", since.strftime("%Y-%m-%d %H:%M:%S UTC"))
                .arg("actor", actor),
            Error::Leftover { name } => Reason::new("server.leftover").arg("name", name),
            Error::Failure(_) => Reason::new("server.failed-inside"),
        }
    }

    /// What it means that a call into a component failed.
    pub(crate) fn called(connector: &Connector, error: &CallError) -> Error {
        let why = Explained::new(error.reason(), &connector.catalogue);
        match error {
            CallError::Fault(Fault::Transient(_)) => Error::Unavailable(why),
            _ => Error::Refused(why),
        }
    }

    /// Something of the machine is not as it has to be, and may be later. Its log tells what.
    pub(super) fn trouble(why: Reason, detail: impl fmt::Display) -> Error {
        tracing::error!("{}: {detail}", TEXTS.text(&why, LANGUAGES[0]));
        Error::Unavailable(why.into())
    }

    /// Why a component cannot be loaded that was installed before: what it was refused for then is
    /// not its fault now.
    pub(super) fn loading(error: InstallError) -> Error {
        use CompileError::{Failed, TooLong, TooMuchMemory};
        match error {
            InstallError::Compile(Failed(_) | TooLong(_) | TooMuchMemory(_)) => {
                Error::trouble(Reason::new("server.component-not-loaded"), error)
            }
            error => error.into(),
        }
    }

    /// Whether the version is to blame: its component cannot be used, or the settings do not fit it.
    pub(crate) fn is_of_version(&self) -> bool {
        matches!(self, Error::BadComponent(_) | Error::Invalid(_))
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotFound { .. } => "not_found",
            Error::Exists { .. } => "exists",
            Error::Invalid(_) => "invalid",
            Error::Changed { .. } => "changed_meanwhile",
            Error::ConnectionOn => "connection_on",
            Error::ConnectionNotOn => "connection_not_on",
            Error::NoWebhooks => "no_webhooks",
            Error::Busy => "busy",
            Error::VersionInUse { .. } => "version_in_use",
            Error::NoPrevious => "no_previous_version",
            Error::OtherConnector { .. } => "other_connector",
            Error::OlderState { .. } => "older_state",
            Error::TenantInUse { .. } => "tenant_in_use",
            Error::QuestionExpired => "question_expired",
            Error::QuestionAnswered => "question_answered",
            Error::MissingCredential(_) => "credential_missing",
            Error::CredentialAgain(_) => "credential_again",
            Error::BadComponent(_) => "bad_component",
            Error::Refused(_) => "refused",
            Error::Unavailable(_) => "unavailable",
            Error::Key(_) => "key_unusable",
            Error::Held { .. } => "held",
            Error::Leftover { .. } => "leftover",
            Error::Failure(_) => "internal",
        }
    }
}

fn join(violations: &[Violation]) -> String {
    let line = |Violation { path, why, .. }: &Violation| {
        let text = TEXTS.told(why, LANGUAGES[0]);
        match path.as_str() {
            "" => text,
            path => format!("{path}: {text}"),
        }
    };
    violations.iter().map(line).collect::<Vec<_>>().join("; ")
}

fn credentials(missing: &[Vec<String>]) -> String {
    let one = |names: &Vec<String>| names.join(" or ");
    missing.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Key(trouble) => Error::Key(trouble),
            Trouble::Database(failure) => Error::Failure(failure),
        }
    }
}

/// Where its file lies is told to nobody but who reads the log.
impl From<tenon_erp::Error> for Error {
    fn from(error: tenon_erp::Error) -> Self {
        Fault::from(error).into()
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Error::Failure(error.into())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Error::Failure(error.into())
    }
}

impl From<SettingsError> for Violation {
    fn from(error: SettingsError) -> Self {
        Violation {
            why: error.reason(),
            path: error.path,
            rules: error.rules,
        }
    }
}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Settings(errors) => {
                Error::Invalid(errors.into_iter().map(Violation::from).collect())
            }
            ConnectError::MissingCredential(names) => Error::MissingCredential(vec![names]),
            ConnectError::UnknownCredential(name, _) => Error::not_found(What::Credential, name),
            ConnectError::Limit(error) => Error::invalid("/limits", error.reason()),
            ConnectError::Egress(error) => Error::invalid("", error.reason()),
            // A tenant has none that is not checked before.
            ConnectError::Place(error) => Error::Failure(Failure::new(error)),
        }
    }
}

impl From<InstallError> for Error {
    fn from(error: InstallError) -> Self {
        use CompileError::{Foreign, NotStarted};
        match error {
            InstallError::Cache { .. } | InstallError::Compile(Foreign(_) | NotStarted { .. }) => {
                Error::trouble(Reason::new("server.nothing-compiled"), error)
            }
            error => Error::BadComponent(error.reason().into()),
        }
    }
}

impl From<QueueFailure> for Error {
    fn from(error: QueueFailure) -> Self {
        Error::Failure(Failure::new(error))
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        // The platform's own: no component has a text for it.
        match fault {
            Fault::Transient(reason) => Error::Unavailable(reason.into()),
            fault => Error::Refused(fault.reason().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_the_machine_lacks_is_no_fault_of_a_version() {
        let cache = || InstallError::Cache {
            path: "/srv/data/compiled".into(),
            source: io::Error::other("no space left on device"),
        };
        let slow = || InstallError::Compile(CompileError::TooLong(Duration::from_secs(60)));
        for error in [
            Error::loading(cache()),
            Error::loading(slow()),
            Error::from(cache()),
            Error::from(Failure::new("/srv/data/control.sqlite: disk I/O error")),
        ] {
            assert!(!error.is_of_version(), "{error}");
            let told = error.told().text;
            assert!(!told.contains("/srv") && !told.contains("space"), "{told}");
        }
        // Who installs a component is told that it is too large to compile.
        assert!(Error::from(slow()).is_of_version());
        assert!(Error::loading(InstallError::NotAConnector).is_of_version());
        assert!(Error::invalid("/days", Reason::new("host.limit.unknown")).is_of_version());
    }
}
