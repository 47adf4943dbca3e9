//! What a job is called with, and how a declared connector calls it.

use serde::Deserialize;
use serde_json::Value;

use super::{Settings, Words};
use crate::connector::no_way;
use crate::http::Api;
use crate::model::{Cause, Fault, Outcome, Request, RunContext};
use crate::rejected::Retry;
use crate::runtime::run;
use crate::{reason, settings};

/// A call of a job.
#[derive(Debug)]
pub struct Call<'a, S> {
    /// What an admin has chosen. All records that it names are there.
    pub settings: S,
    /// What was asked for, if not the whole job.
    pub argument: Option<&'a str>,
    /// Where and for whom it runs.
    pub context: RunContext,
    /// Why it runs.
    pub cause: &'a Cause,
    /// Which rejected records are to be tried again.
    pub retry: Retry,
}

/// Calls a job: with its settings read and checked, and its retries ended as the call ends.
///
/// # Errors
/// `configuration` when the settings do not fit; else what the job fails with.
pub fn call<S: Settings>(
    job: &str,
    argument: Option<&str>,
    cause: &Cause,
    work: impl FnOnce(&Call<'_, S>) -> Result<Outcome, Fault>,
) -> Result<Outcome, Fault> {
    let settings: S = settings::load()?;
    settings.verify()?;
    let call = Call {
        settings,
        context: run::context(),
        argument,
        cause,
        retry: Retry::of(job, argument, cause),
    };
    call.retry.end(work(&call)?)
}

/// The API of an endpoint at `origin`, an address or `{settings.NAME}`. Nothing else of the settings is
/// read, so that the form can offer choices before all of it is filled in.
///
/// # Errors
/// `configuration` when the settings hold no address.
pub fn api<S: Settings>(
    origin: &str,
    credential: Option<&'static str>,
    explained_by: &'static [&'static str],
) -> Result<Api, Fault> {
    let name = origin
        .strip_prefix("{settings.")
        .and_then(|rest| rest.strip_suffix('}'));
    let base = match name {
        None => origin.to_owned(),
        Some(name) => address::<S>(name)?,
    };
    Ok(Api::new(&base, credential).explained_by(explained_by))
}

/// A setting that is an address, or what it is unless an admin says otherwise.
fn address<S: Settings>(name: &str) -> Result<String, Fault> {
    let given = Value::deserialize(&mut serde_json::Deserializer::from_str(&run::settings()))
        .unwrap_or_default();
    let schema = Value::Object(S::schema(&Words::default()));
    let given = given[name].as_str().filter(|address| !address.is_empty());
    given
        .or_else(|| schema["properties"][name]["default"].as_str())
        .map(str::to_owned)
        .ok_or_else(|| Fault::Configuration(reason!("sdk.setting", setting = name).setting(name)))
}

/// The fault of a connector that says of no place where it is.
pub fn no_endpoint() -> Fault {
    Fault::Unsupported(reason!("sdk.no-endpoint"))
}

/// The request for a whole job.
pub fn whole(job: &str) -> Request {
    Request {
        job: job.to_owned(),
        argument: None,
    }
}

/// The fault of a webhook that nobody has asked for.
pub fn unknown_topic(topic: &str) -> Fault {
    Fault::Rejected(reason!("sdk.no-topic", topic = topic))
}

/// Whether all steps that a state needed were there.
///
/// # Errors
/// `configuration` when they lead elsewhere.
pub fn migrated(from: u32, reached: u32, to: u32) -> Result<(), Fault> {
    match reached == to {
        true => Ok(()),
        false => Err(no_way(from, to)),
    }
}
