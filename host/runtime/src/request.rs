//! What a connector is asked to do, and why.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::contract::exports::tenon::connector::sync;
use crate::contract::tenon::connector::manifest as wire;
pub use crate::reason::RecordRef;

/// What a run is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It does its work.
    #[default]
    Live,
    /// It tells what it would do, and changes neither side.
    Preview,
    /// It goes over everything, whatever fingerprints say, and tells where the sides differ. It
    /// changes neither side.
    Compare,
}

impl Mode {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Live => "live",
            Mode::Preview => "preview",
            Mode::Compare => "compare",
        }
    }

    /// Whether anything may be changed.
    pub fn writes(self) -> bool {
        self == Mode::Live
    }
}

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRequest {
    /// Name of a job of the manifest.
    pub job: String,
    /// Argument of the job.
    pub argument: Option<String>,
    /// Why it runs.
    pub cause: Cause,
    /// What it is for.
    pub mode: Mode,
    /// The questions of earlier runs that people have agreed to, by their ids.
    pub confirmed: HashSet<String>,
    /// A number that only grows, by which a host whose lease ran out is refused. None where one host
    /// alone runs the connection, and so has no lease.
    pub fence: Option<u64>,
}

impl JobRequest {
    /// A job without an argument that somebody asked for.
    pub fn asked(job: impl Into<String>) -> JobRequest {
        JobRequest {
            job: job.into(),
            argument: None,
            cause: Cause::Asked,
            mode: Mode::Live,
            confirmed: HashSet::new(),
            fence: None,
        }
    }
}

/// Why a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was time.
    Scheduled,
    /// By a person or through the API.
    Asked,
    /// A button on a record was pressed.
    Action {
        /// Name of an action of the manifest.
        action: String,
        /// The record.
        target: RecordRef,
    },
    /// A webhook of the counterpart asked for it.
    Webhook,
    /// Records changed on the platform.
    Changed(Vec<RecordRef>),
    /// Somebody is looking at a record, such as a customer at their account.
    Visited(RecordRef),
}

/// A message of the counterpart, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// What stood behind the callback's address.
    pub topic: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Query of the URL, without the question mark.
    pub query: String,
    /// Body.
    pub body: Vec<u8>,
}

/// A job that a connector wants run because of a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedJob {
    /// Name of a job of the manifest.
    pub job: String,
    /// Argument of the job.
    pub argument: Option<String>,
}

impl From<Cause> for sync::Cause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::Scheduled => sync::Cause::Scheduled,
            Cause::Asked => sync::Cause::Asked,
            Cause::Action { action, target } => {
                sync::Cause::Action(wire::ActionCall { action, target })
            }
            Cause::Webhook => sync::Cause::Webhook,
            Cause::Changed(records) => sync::Cause::Changed(records),
            Cause::Visited(record) => sync::Cause::Visited(record),
        }
    }
}

impl From<Webhook> for wire::Webhook {
    fn from(webhook: Webhook) -> Self {
        wire::Webhook {
            topic: webhook.topic,
            headers: webhook.headers,
            query: webhook.query,
            body: webhook.body,
        }
    }
}

impl From<sync::Request> for WantedJob {
    fn from(request: sync::Request) -> Self {
        WantedJob {
            job: request.job,
            argument: request.argument,
        }
    }
}
