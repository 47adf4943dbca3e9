//! What a connector is: the exported half of the contract, with the defaults that most share.

use crate::contract::exports::tenon::connector::sync::Guest;
use crate::model::{Account, Cause, Choice, ConnectorManifest, Fault, Outcome, Request, Webhook};
use crate::reason;

/// Sync logic for one counterpart system.
///
/// No state outlives a call: what must last goes to [`storage`](crate::runtime::storage).
pub trait Connector {
    /// Name, settings, credentials, endpoints, jobs. Makes no call to the host.
    fn describe() -> ConnectorManifest;

    /// Values for a setting that only the counterpart knows.
    ///
    /// # Errors
    /// `unsupported` for an option that the settings schema does not name; else what the
    /// counterpart's answer came to.
    fn choices(option: &str) -> Result<Vec<Choice>, Fault> {
        Err(unknown_option(option))
    }

    /// Tries the credentials and says whose they are.
    ///
    /// # Errors
    /// `configuration` when the counterpart does not accept them.
    fn check() -> Result<Account, Fault>;

    /// Does a job, or goes on with it after a stop.
    ///
    /// # Errors
    /// Whatever keeps the whole job from going on; single bad records are rejected instead.
    fn run(job: &str, argument: Option<&str>, cause: &Cause) -> Result<Outcome, Fault>;

    /// Called when the connection is switched on; `callback` is where webhooks may be sent.
    ///
    /// # Errors
    /// When the counterpart could not be set up.
    fn enable(_callback: &str) -> Result<(), Fault> {
        Ok(())
    }

    /// Called when the connection is switched off.
    ///
    /// # Errors
    /// When the counterpart could not be cleaned up.
    fn disable() -> Result<(), Fault> {
        Ok(())
    }

    /// Turns a webhook into work, without any request of its own.
    ///
    /// # Errors
    /// `unsupported` unless the connector takes webhooks.
    fn receive(_webhook: &Webhook) -> Result<Vec<Request>, Fault> {
        Err(Fault::Unsupported(reason!("sdk.no-webhooks")))
    }

    /// Brings storage from an older state version to this one's.
    ///
    /// # Errors
    /// `configuration` for a version that it knows no way from.
    fn migrate(from_version: u32) -> Result<(), Fault> {
        let current = Self::describe().state_version;
        if from_version == current {
            Ok(())
        } else {
            Err(no_way(from_version, current))
        }
    }
}

/// The fault of a job that the connector does not have.
pub fn unknown_job(job: &str) -> Fault {
    Fault::Unsupported(reason!("sdk.no-job", job = job))
}

/// The fault of a state that the connector knows no way from.
pub(crate) fn no_way(from: u32, to: u32) -> Fault {
    Fault::Configuration(reason!("sdk.migration", from = from, to = to))
}

/// The fault of a choice that the settings schema does not name.
pub fn unknown_option(option: &str) -> Fault {
    Fault::Unsupported(reason!("sdk.no-choices", option = option))
}

impl<C: Connector> Guest for C {
    fn describe() -> ConnectorManifest {
        C::describe()
    }

    fn choices(option_name: String) -> Result<Vec<Choice>, Fault> {
        C::choices(&option_name)
    }

    fn check() -> Result<Account, Fault> {
        C::check()
    }

    fn enable(callback: String) -> Result<(), Fault> {
        C::enable(&callback)
    }

    fn disable() -> Result<(), Fault> {
        C::disable()
    }

    fn receive(webhook: Webhook) -> Result<Vec<Request>, Fault> {
        C::receive(&webhook)
    }

    fn run(job: String, argument: Option<String>, cause: Cause) -> Result<Outcome, Fault> {
        C::run(&job, argument.as_deref(), &cause)
    }

    fn migrate(from_version: u32) -> Result<(), Fault> {
        C::migrate(from_version)
    }
}

/// Exports a [`Connector`] as the component's world. Natively it does nothing, so that several
/// connectors can be linked into one program.
#[macro_export]
macro_rules! export {
    ($connector:ident) => {
        #[cfg(target_family = "wasm")]
        $crate::contract::export_world!($connector with_types_in $crate::contract);
    };
}
