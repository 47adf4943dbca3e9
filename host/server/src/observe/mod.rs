//! What operators see of a server: figures for Prometheus ([`Metrics`]), traces for an OTLP collector
//! and the server's own log ([`Tracing`]).
//!
//! The threat: all of this leaves the server for systems that more people read, and that keep it for
//! long. So figures and spans know connectors, jobs, routes and how things ended, in words that come
//! from manifests and from this program, and nothing else: no path or query, no text of an error, no
//! record, and no tenant. A tenant's name is a shop's name, and a figure for each of ten thousand
//! tenants times connectors times jobs is more than a Prometheus can keep. Who needs to know about one
//! shop finds the run in the control database by the id that its span has.

mod metrics;
mod process;
mod requests;
mod sizes;
mod spans;
mod traces;

pub use metrics::{ConnectionFigures, Metrics, QueueFigures, WebhookFigures, WebhookResult};
pub use requests::watched;
pub use sizes::{Disk, Sizes};
pub use spans::{receive, run};
pub use traces::{LogFormat, Tracing, TracingError, TracingOptions};

use tenon_host::manifest::Manifest;

/// The job's name if the manifest has it: a component can ask for any job that it makes up.
fn known_job<'a>(manifest: &'a Manifest, job: &str) -> &'a str {
    let known = manifest.jobs.iter().find(|known| known.id == job);
    known.map_or("other", |known| &known.id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tenon_host::manifest::{Job, Manifest, Text};
    use tenon_host::report::{Outcome, RunReport};

    /// A connector `keycrm` with one job, `orders`.
    pub fn manifest() -> Manifest {
        Manifest {
            name: "keycrm".to_owned(),
            version: "0.1.0".to_owned(),
            title: Text::default(),
            settings_schema: json!({}).into(),
            credentials: Vec::new(),
            endpoints: Vec::new(),
            jobs: vec![Job {
                id: "orders".to_owned(),
                title: Text::default(),
                schedule: None,
                listens_to: Vec::new(),
            }],
            actions: Vec::new(),
            state_version: 0,
            options: Vec::new(),
            webhooks: None,
            reasons: Default::default(),
        }
    }

    /// A run of 90 seconds, with things in it that are nobody's business.
    pub fn report(job: &str, outcome: Outcome) -> RunReport {
        RunReport {
            finished_at: Some("2026-01-01T00:01:30Z".parse().unwrap()),
            outcome,
            memory: 3 << 20,
            error: Some("private-error at https://crm.example/buyers?phone=067".to_owned()),
            ..RunReport::begun(
                "20260101T000000.000-00000001",
                "private-connection".parse().unwrap(),
                "keycrm 0.1.0",
                job,
                "2026-01-01T00:00:00Z".parse().unwrap(),
            )
        }
    }
}
