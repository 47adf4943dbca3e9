//! What the hostile guests share, so that each file in `examples/` is one attack and nothing else.
//!
//! A platform runs components that it did not write next to its customers' data. Each guest breaks
//! one promise of the host, or tries to; `tests/conformance` runs it and shows what comes of it.
//! A guest without a test there does not compile.
//!
//! A guest tells what it got through the log of its run, and reads its orders from settings that
//! the schema leaves free and from the argument of its job.

pub mod http;

use serde_json::Value;
use tenon_sdk::erp::catalog;
use tenon_sdk::model::{
    Account, AuthScheme, Binding, Choice, ConnectorManifest, Credential, Endpoint, Fault, Job,
    Product, ProductFields, Progress, Reason, ReasonText, Rejection, Request, Subject, Webhook,
    Webhooks,
};
use tenon_sdk::runtime::{bindings, run, schedule, storage};
use tenon_sdk::text;

#[doc(hidden)]
pub use tenon_sdk;

/// A guest: what it does when the host calls it. What it does not say is harmless.
pub trait Attack {
    /// Says what it is.
    fn describe(name: &str) -> ConnectorManifest {
        manifest(name)
    }

    /// Lists the values of a setting.
    ///
    /// # Errors
    /// As the attack wants it.
    fn choices(_option: &str) -> Result<Vec<Choice>, Fault> {
        Ok(Vec::new())
    }

    /// Tries the credentials.
    ///
    /// # Errors
    /// As the attack wants it.
    fn check() -> Result<String, Fault> {
        Ok("an account".to_owned())
    }

    /// Says whose account it is.
    ///
    /// # Errors
    /// As the attack wants it.
    fn account() -> Result<Account, Fault> {
        Ok(Account {
            id: Some("guest".to_owned()),
            name: Self::check()?,
            facts: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// Sets its counterpart up.
    ///
    /// # Errors
    /// As the attack wants it.
    fn enable(_callback: &str) -> Result<(), Fault> {
        Ok(())
    }

    /// Cleans its counterpart up.
    ///
    /// # Errors
    /// As the attack wants it.
    fn disable() -> Result<(), Fault> {
        Ok(())
    }

    /// Turns a message of its counterpart into work.
    ///
    /// # Errors
    /// As the attack wants it.
    fn receive(_webhook: &Webhook) -> Result<Vec<Request>, Fault> {
        Ok(Vec::new())
    }

    /// Brings its storage to its own version.
    ///
    /// # Errors
    /// As the attack wants it.
    fn migrate(_from_version: u32) -> Result<(), Fault> {
        Ok(())
    }

    /// Does its one job; the argument is empty when there is none.
    ///
    /// # Errors
    /// As the attack wants it.
    fn run(_argument: &str) -> Result<(), Fault> {
        Ok(())
    }
}

/// Makes the type of a guest and exports it: `guest!(Guest);` in each file of `examples/`, which
/// then implements [`Attack`] for it.
#[macro_export]
macro_rules! guest {
    ($guest:ident) => {
        /// The guest that the head of this file describes.
        pub struct $guest;

        impl $crate::tenon_sdk::Connector for $guest {
            fn describe() -> $crate::tenon_sdk::model::ConnectorManifest {
                <$guest as $crate::Attack>::describe(env!("CARGO_CRATE_NAME"))
            }

            fn choices(
                option: &str,
            ) -> Result<Vec<$crate::tenon_sdk::model::Choice>, $crate::tenon_sdk::model::Fault>
            {
                <$guest as $crate::Attack>::choices(option)
            }

            fn check() -> Result<$crate::tenon_sdk::model::Account, $crate::tenon_sdk::model::Fault>
            {
                <$guest as $crate::Attack>::account()
            }

            fn enable(callback: &str) -> Result<(), $crate::tenon_sdk::model::Fault> {
                <$guest as $crate::Attack>::enable(callback)
            }

            fn disable() -> Result<(), $crate::tenon_sdk::model::Fault> {
                <$guest as $crate::Attack>::disable()
            }

            fn receive(
                webhook: &$crate::tenon_sdk::model::Webhook,
            ) -> Result<Vec<$crate::tenon_sdk::model::Request>, $crate::tenon_sdk::model::Fault>
            {
                <$guest as $crate::Attack>::receive(webhook)
            }

            fn migrate(from_version: u32) -> Result<(), $crate::tenon_sdk::model::Fault> {
                <$guest as $crate::Attack>::migrate(from_version)
            }

            fn run(
                _job: &str,
                argument: Option<&str>,
                _cause: &$crate::tenon_sdk::model::Cause,
            ) -> Result<$crate::tenon_sdk::model::Outcome, $crate::tenon_sdk::model::Fault> {
                <$guest as $crate::Attack>::run(argument.unwrap_or_default())?;
                Ok($crate::tenon_sdk::model::Outcome::Done)
            }
        }

        $crate::tenon_sdk::export!($guest);
    };
}

/// The manifest of a guest whose file has this name: one endpoint, wherever the setting `url`
/// says, with one credential and more requests than any test sends.
pub fn manifest(name: &str) -> ConnectorManifest {
    ConnectorManifest {
        name: name.replace('_', "-"),
        version: "0.1.0".to_owned(),
        title: text!(en: "Hostile guest", uk: "Ворожий гість", ru: "Враждебный гость"),
        settings_schema: r#"{
            "type": "object",
            "required": ["url"],
            "properties": { "url": { "type": "string" } }
        }"#
        .to_owned(),
        credentials: vec![Credential {
            name: "api_key".to_owned(),
            title: text!(en: "API key", uk: "Ключ API", ru: "Ключ API"),
            scheme: AuthScheme::Bearer,
        }],
        endpoints: vec![Endpoint {
            origin: "{settings.url}".to_owned(),
            credentials: vec!["api_key".to_owned()],
            budgets: Vec::new(),
            reads: Vec::new(),
            redirects: false,
            parallel: 10_000,
            costs: Vec::new(),
        }],
        jobs: vec![Job {
            id: "run".to_owned(),
            title: text!(en: "Attack", uk: "Атакувати", ru: "Атаковать"),
            schedule: None,
            listens_to: Vec::new(),
        }],
        actions: Vec::new(),
        options: Vec::new(),
        webhooks: Some(Webhooks { signature: None }),
        reasons: vec![ReasonText {
            code: SAID.to_owned(),
            text: vec![("en".to_owned(), "{text}".to_owned())],
        }],
        state_version: 1,
    }
}

/// The one code of the guests.
const SAID: &str = "said";

/// A reason in these words, as they are.
pub fn said(text: impl Into<String>) -> Reason {
    Reason {
        code: SAID.to_owned(),
        args: vec![("text".to_owned(), text.into())],
        mend: None,
        detail: None,
    }
}

/// Writes a line to the run's log: `info!("{count} answers")`, or tied to a record.
#[macro_export]
macro_rules! info {
    (record = $record:expr, $($line:tt)+) => {
        $crate::tenon_sdk::info!(record = $record, $crate::said(::std::format!($($line)+)))
    };
    ($($line:tt)+) => { $crate::tenon_sdk::info!($crate::said(::std::format!($($line)+))) };
}

/// Lists a record that could not be taken.
pub fn reject(kind: &str, origin: &str, reason: &str) {
    run::reject(&[Rejection {
        record_kind: kind.to_owned(),
        subject: Subject::Origin(origin.to_owned()),
        label: origin.to_owned(),
        reason: said(reason),
    }]);
}

/// The settings of the connection; null when they are no JSON.
pub fn settings() -> Value {
    serde_json::from_str(&run::settings()).unwrap_or_default()
}

/// A setting that is text; empty when there is none.
pub fn setting(name: &str) -> String {
    let settings = settings();
    settings[name].as_str().unwrap_or_default().to_owned()
}

/// Writes a product, an entry of storage, a binding and a timer that all have this name.
///
/// # Errors
/// What the host answers.
pub fn write(name: &str) -> Result<(), Fault> {
    let product = Product {
        origin: Some(name.to_owned()),
        name: name.to_owned(),
        ..Product::default()
    };
    let saved = catalog::save(&[product], ProductFields::NAME)?;
    let key = saved.into_iter().next().ok_or_else(no_answer)??.key;
    bindings::bind(&[Binding {
        kind: "product".to_owned(),
        key,
        origin: name.to_owned(),
        fingerprint: None,
    }]);
    schedule::after(name, "run", 0, None);
    storage::set(&[(name.to_owned(), b"written".to_vec())]).map_err(|quota| {
        Fault::Configuration(said(format!("storage: {} of {}", quota.used, quota.limit)))
    })
}

/// Writes `kept` and commits it, then writes `lost`, which only another checkpoint would commit.
///
/// # Errors
/// What the host answers.
pub fn write_and_leave_half() -> Result<(), Fault> {
    write("kept")?;
    run::checkpoint(Progress::default());
    write("lost")
}

/// What it means that the host answered a list with a shorter one.
pub fn no_answer() -> Fault {
    Fault::Configuration(said("the host left a record without an answer"))
}
