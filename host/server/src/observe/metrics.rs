//! The figures that a server counts, by name: the one place that knows them.
//!
//! Each [`Metrics`] has a recorder of its own instead of the process's, so that a platform's own
//! figures and several servers in one process stay apart. Labels take few values: names of connectors,
//! jobs and endpoints come from manifests, everything else from this program.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use metrics::{
    counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
    with_local_recorder,
};
use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tenon_host::manifest::Manifest;
use tenon_host::observe::Exchange;
use tenon_host::report::{Outcome, RunReport};

use super::sizes::Sizes;
use super::{known_job, process};
use crate::control::Uses;

const RUNS: &str = "tenon_runs_total";
const RUN_SECONDS: &str = "tenon_run_seconds";
const RUN_MEMORY: &str = "tenon_run_memory_bytes";
const QUEUE_WAITING: &str = "tenon_queue_waiting";
const QUEUE_OLDEST: &str = "tenon_queue_oldest_seconds";
const REQUESTS: &str = "tenon_requests_total";
const REQUEST_SECONDS: &str = "tenon_request_seconds";
const BUDGET_WAIT: &str = "tenon_budget_wait_seconds";
const BUDGET_UNITS: &str = "tenon_budget_units_total";
const BUDGET_USED_UP: &str = "tenon_budget_used_up_total";
const CONNECTIONS: &str = "tenon_connections";
const FAILED_RECORDS: &str = "tenon_failed_records";
const SCHEDULES_OVERDUE: &str = "tenon_schedules_overdue";
const SINCE_SUCCESS: &str = "tenon_last_success_seconds";
const DATABASE_BYTES: &str = "tenon_database_bytes";
const DISK_FREE: &str = "tenon_disk_free_bytes";
const DISK_SIZE: &str = "tenon_disk_size_bytes";
const WEBHOOKS: &str = "tenon_webhooks_total";
const WEBHOOKS_KEPT: &str = "tenon_webhooks_kept";
const CONTROL_USES: &str = "tenon_control_uses_total";
const HTTP_REQUESTS: &str = "tenon_http_requests_total";
const HTTP_SECONDS: &str = "tenon_http_request_seconds";
/// The name that Prometheus' own clients use.
const PROCESS_MEMORY: &str = "process_resident_memory_bytes";

/// Of one exchange over HTTP, either way.
const EXCHANGE_BUCKETS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];
const WAIT_BUCKETS: &[f64] = &[0.01, 0.1, 1.0, 5.0, 15.0, 60.0, 300.0];
const RUN_BUCKETS: &[f64] = &[
    0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0,
];
const MEMORY_BUCKETS: &[f64] = &[
    2_097_152.0,
    4_194_304.0,
    8_388_608.0,
    16_777_216.0,
    33_554_432.0,
    67_108_864.0,
    134_217_728.0,
    268_435_456.0,
];

/// Observations after which those that wait are put into their buckets.
const UPKEEP: u32 = 1_024;

/// The figures of one server. Clones count into the same.
#[derive(Clone)]
pub struct Metrics(Arc<Recorded>);

struct Recorded {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    observations: AtomicU32,
    /// When a run was done last, in milliseconds since 1970; 0 is never.
    succeeded_at: AtomicI64,
}

/// Requests for runs, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueFigures {
    /// May be claimed.
    pub ready: u64,
    /// Would be ready, but the connection is off, paused or held for maintenance.
    pub held: u64,
    /// Due in the future.
    pub later: u64,
    /// Under way.
    pub running: u64,
    /// Given up.
    pub dead: u64,
    /// How long the oldest that any idle worker could run has waited.
    pub oldest: Option<Duration>,
}

/// Connections and what became of their work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFigures {
    /// On and not held.
    pub on: u64,
    /// Switched off.
    pub off: u64,
    /// Stopped by the host until an admin acts.
    pub paused: u64,
    /// On, and held for maintenance.
    pub held: u64,
    /// Records that failed and wait for people.
    pub failed_records: u64,
    /// Schedules whose time passed over a minute ago, of connections that are on and not held.
    pub overdue: u64,
}

/// Messages of counterparts that no run came of yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WebhookFigures {
    /// That a connector is asked about sooner or later.
    pub waiting: u64,
    /// That an admin has to retry.
    pub given_up: u64,
}

/// What became of a message of a counterpart. One that is accepted is handled or fails later, more
/// than once if it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WebhookResult {
    /// Taken in.
    Accepted,
    /// Nobody is called by that secret.
    Unknown,
    /// Larger than messages may be.
    TooLarge,
    /// Not taken in now, because too many wait.
    Full,
    /// The connector has read it.
    Handled,
    /// The connector could not read it.
    Failed,
}

impl WebhookResult {
    /// As in labels.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            WebhookResult::Accepted => "accepted",
            WebhookResult::Unknown => "unknown",
            WebhookResult::TooLarge => "too_large",
            WebhookResult::Full => "full",
            WebhookResult::Handled => "handled",
            WebhookResult::Failed => "failed",
        }
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// What [`Metrics::render`] is served as.
    pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

    /// Figures that begin at nothing.
    pub fn new() -> Metrics {
        let recorder = [
            (RUN_SECONDS, RUN_BUCKETS),
            (RUN_MEMORY, MEMORY_BUCKETS),
            (REQUEST_SECONDS, EXCHANGE_BUCKETS),
            (BUDGET_WAIT, WAIT_BUCKETS),
            (HTTP_SECONDS, EXCHANGE_BUCKETS),
        ]
        .into_iter()
        .fold(PrometheusBuilder::new(), |builder, (name, buckets)| {
            builder
                .set_buckets_for_metric(Matcher::Full(name.to_owned()), buckets)
                .expect("there are buckets")
        })
        .build_recorder();
        with_local_recorder(&recorder, describe);
        Metrics(Arc::new(Recorded {
            handle: recorder.handle(),
            recorder,
            observations: AtomicU32::new(0),
            succeeded_at: AtomicI64::new(0),
        }))
    }

    /// A run has ended.
    pub fn ran(&self, manifest: &Manifest, report: &RunReport) {
        let connector = || manifest.name.clone();
        let job = || known_job(manifest, &report.job).to_owned();
        let outcome = report.outcome.as_str();
        if report.outcome == Outcome::Done
            && let Some(at) = report.finished_at
        {
            self.succeeded(at);
        }
        self.observe(|| {
            counter!(RUNS, "connector" => connector(), "job" => job(), "outcome" => outcome)
                .increment(1);
            if let Some(finished_at) = report.finished_at {
                // A clock that was set back meanwhile makes no run shorter than nothing.
                let took = finished_at.duration_since(report.started_at).as_secs_f64();
                histogram!(RUN_SECONDS, "connector" => connector(), "job" => job())
                    .record(took.max(0.0));
            }
            if report.not_before.is_some() {
                counter!(BUDGET_USED_UP, "connector" => connector()).increment(1);
            }
            // A run that never began had no memory.
            if report.memory > 0 {
                histogram!(RUN_MEMORY, "connector" => connector()).record(report.memory as f64);
            }
        });
    }

    /// A run sent a request.
    pub fn requested(&self, manifest: &Manifest, exchange: &Exchange) {
        let connector = || manifest.name.clone();
        let endpoint = || exchange.endpoint.to_string();
        let status = exchange.ending.to_string();
        self.observe(|| {
            counter!(REQUESTS, "connector" => connector(), "endpoint" => endpoint(), "status" => status)
                .increment(1);
            histogram!(REQUEST_SECONDS, "connector" => connector(), "endpoint" => endpoint())
                .record(exchange.took);
            histogram!(BUDGET_WAIT, "connector" => connector(), "endpoint" => endpoint())
                .record(exchange.waited);
            counter!(BUDGET_UNITS, "connector" => connector(), "endpoint" => endpoint())
                .increment(exchange.units.into());
        });
    }

    /// How the queue stands.
    pub fn queue(&self, figures: &QueueFigures) {
        let states = [
            ("ready", figures.ready),
            ("held", figures.held),
            ("later", figures.later),
            ("running", figures.running),
            ("dead", figures.dead),
        ];
        with_local_recorder(&self.0.recorder, || {
            for (state, count) in states {
                gauge!(QUEUE_WAITING, "state" => state).set(count as f64);
            }
            gauge!(QUEUE_OLDEST).set(figures.oldest.unwrap_or_default());
        });
    }

    /// How the connections stand.
    pub fn connections(&self, figures: &ConnectionFigures) {
        let states = [
            ("on", figures.on),
            ("off", figures.off),
            ("paused", figures.paused),
            ("held", figures.held),
        ];
        with_local_recorder(&self.0.recorder, || {
            for (state, count) in states {
                gauge!(CONNECTIONS, "state" => state).set(count as f64);
            }
            gauge!(FAILED_RECORDS).set(figures.failed_records as f64);
            gauge!(SCHEDULES_OVERDUE).set(figures.overdue as f64);
        });
    }

    /// What the data folder takes.
    pub fn sizes(&self, sizes: &Sizes) {
        let databases = [
            ("control", sizes.control),
            ("records", sizes.records),
            ("budgets", sizes.budgets),
        ];
        with_local_recorder(&self.0.recorder, || {
            for (database, bytes) in databases {
                gauge!(DATABASE_BYTES, "database" => database).set(bytes as f64);
            }
            if let Some(disk) = sizes.disk {
                gauge!(DISK_FREE).set(disk.free as f64);
                gauge!(DISK_SIZE).set(disk.size as f64);
            }
        });
    }

    /// A run was done then.
    pub fn succeeded(&self, at: Timestamp) {
        let at = at.as_millisecond();
        self.0.succeeded_at.fetch_max(at, Ordering::Relaxed);
    }

    /// How many messages of counterparts there are.
    pub fn webhooks(&self, figures: &WebhookFigures) {
        let states = [("waiting", figures.waiting), ("given_up", figures.given_up)];
        with_local_recorder(&self.0.recorder, || {
            for (state, count) in states {
                gauge!(WEBHOOKS_KEPT, "state" => state).set(count as f64);
            }
        });
    }

    /// How often the control database was used so far.
    pub fn control(&self, uses: &Uses) {
        with_local_recorder(&self.0.recorder, || {
            counter!(CONTROL_USES, "kind" => "read").absolute(uses.reads);
            counter!(CONTROL_USES, "kind" => "write").absolute(uses.writes);
        });
    }

    /// A message of a counterpart came, or was read.
    pub fn webhook(&self, result: WebhookResult) {
        with_local_recorder(&self.0.recorder, || {
            counter!(WEBHOOKS, "result" => result.as_str()).increment(1);
        });
    }

    /// The server has answered a request. The route is the pattern that it matched.
    pub(super) fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let route = || route.to_owned();
        self.observe(|| {
            counter!(HTTP_REQUESTS, "method" => method, "route" => route(), "status" => status.to_string())
                .increment(1);
            histogram!(HTTP_SECONDS, "method" => method, "route" => route()).record(took);
        });
    }

    /// All figures in the text format of Prometheus.
    pub fn render(&self) -> String {
        let succeeded_at = self.0.succeeded_at.load(Ordering::Relaxed);
        if succeeded_at > 0 {
            let ago = Timestamp::now().as_millisecond() - succeeded_at;
            with_local_recorder(&self.0.recorder, || {
                gauge!(SINCE_SUCCESS).set(ago.max(0) as f64 / 1_000.0);
            });
        }
        if let Some(bytes) = process::resident() {
            with_local_recorder(&self.0.recorder, || {
                gauge!(PROCESS_MEMORY).set(bytes as f64);
            });
        }
        self.0.handle.render()
    }

    /// Records with histograms. They keep every observation until somebody asks or cleans up, so a
    /// server that nobody asks cleans up by itself.
    fn observe(&self, record: impl FnOnce()) {
        with_local_recorder(&self.0.recorder, record);
        let before = self.0.observations.fetch_add(1, Ordering::Relaxed);
        if before % UPKEEP == UPKEEP - 1 {
            self.0.handle.run_upkeep();
        }
    }
}

fn describe() {
    describe_counter!(RUNS, "Runs that ended, by how they ended.");
    describe_histogram!(RUN_SECONDS, "How long runs took.");
    describe_histogram!(
        RUN_MEMORY,
        "Most linear memory that the component had in a run."
    );
    describe_gauge!(
        QUEUE_WAITING,
        "Requests for runs, by state: ready, held (ready, but the connection is off, paused or in \
         maintenance), later, running, or dead, which an admin has to retry."
    );
    describe_gauge!(
        QUEUE_OLDEST,
        "How long the oldest request has waited that any idle worker could run."
    );
    describe_counter!(
        REQUESTS,
        "HTTP requests of runs, repeats included, by status of the answer or kind of failure."
    );
    describe_histogram!(
        REQUEST_SECONDS,
        "How long HTTP requests of runs took, waiting for the budget aside."
    );
    describe_histogram!(
        BUDGET_WAIT,
        "How long HTTP requests of runs waited for their turn in the request budget."
    );
    describe_counter!(
        BUDGET_UNITS,
        "Units of request budgets that HTTP requests of runs took."
    );
    describe_counter!(
        BUDGET_USED_UP,
        "Runs that ended because a counterpart takes no more requests for long."
    );
    describe_gauge!(
        CONNECTIONS,
        "Connections, by state: on, off, paused, which needs an admin, or held for maintenance."
    );
    describe_gauge!(FAILED_RECORDS, "Records that failed and wait for people.");
    describe_gauge!(
        SCHEDULES_OVERDUE,
        "Schedules whose time passed over a minute ago without a request for a run."
    );
    describe_gauge!(
        SINCE_SUCCESS,
        "How long ago a run was done last, of whatever connection; absent until one was."
    );
    describe_gauge!(
        DATABASE_BYTES,
        "Bytes of the databases with their logs: control, records (all together), budgets."
    );
    describe_gauge!(DISK_FREE, "Bytes that are free where the data folder lies.");
    describe_gauge!(DISK_SIZE, "Bytes of the disk where the data folder lies.");
    describe_counter!(
        WEBHOOKS,
        "Messages of counterparts: accepted, unknown, too_large or full at the door, then handled or \
         failed."
    );
    describe_gauge!(
        WEBHOOKS_KEPT,
        "Messages of counterparts that are waiting, or given_up, which an admin has to retry."
    );
    describe_counter!(
        CONTROL_USES,
        "Uses of the control database. Writes that come at the same time share a commit."
    );
    describe_counter!(
        HTTP_REQUESTS,
        "Requests that this server answered, by route."
    );
    describe_histogram!(HTTP_SECONDS, "How long this server took to answer.");
    describe_gauge!(PROCESS_MEMORY, "Memory that this process has in RAM.");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tenon_host::observe::Ending;

    use super::super::sizes::Disk;
    use super::super::tests::{manifest, report};
    use super::*;
    use jiff::SignedDuration;

    fn exchange(ending: Ending) -> Exchange {
        Exchange {
            endpoint: Arc::from("{settings.base_url}"),
            method: "GET",
            ending,
            waited: Duration::from_secs(2),
            took: Duration::from_millis(300),
            received: 10,
            repeat: false,
            units: 5,
        }
    }

    /// Asserts that the figures have this line.
    fn has(metrics: &Metrics, line: &str) {
        let text = metrics.render();
        assert!(text.lines().any(|known| known == line), "{line} in\n{text}");
    }

    #[test]
    fn a_run_is_counted_with_its_time_and_memory() {
        let metrics = Metrics::new();
        metrics.ran(&manifest(), &report("orders", Outcome::Done));
        metrics.ran(&manifest(), &report("orders", Outcome::Done));
        metrics.ran(&manifest(), &report("orders", Outcome::Crashed));
        let of = r#"connector="keycrm",job="orders""#;
        has(
            &metrics,
            &format!("tenon_runs_total{{{of},outcome=\"done\"}} 2"),
        );
        has(
            &metrics,
            &format!("tenon_runs_total{{{of},outcome=\"crashed\"}} 1"),
        );
        has(&metrics, &format!("tenon_run_seconds_sum{{{of}}} 270"));
        has(
            &metrics,
            &format!("tenon_run_seconds_bucket{{{of},le=\"60\"}} 0"),
        );
        has(
            &metrics,
            &format!("tenon_run_seconds_bucket{{{of},le=\"300\"}} 3"),
        );
        let memory = r#"tenon_run_memory_bytes_bucket{connector="keycrm",le="4194304"} 3"#;
        has(&metrics, memory);
    }

    #[test]
    fn a_run_under_way_or_never_begun_has_no_time_and_no_memory() {
        let metrics = Metrics::new();
        let mut unbegun = report("orders", Outcome::Configuration);
        (unbegun.finished_at, unbegun.memory) = (None, 0);
        metrics.ran(&manifest(), &unbegun);
        let text = metrics.render();
        assert!(text.contains("tenon_runs_total{"), "{text}");
        assert!(!text.contains("tenon_run_seconds"), "{text}");
        assert!(!text.contains("tenon_run_memory"), "{text}");
    }

    #[test]
    fn a_request_is_counted_by_endpoint_with_both_its_times() {
        let metrics = Metrics::new();
        metrics.requested(&manifest(), &exchange(Ending::Status(429)));
        metrics.requested(&manifest(), &exchange(Ending::TimedOut));
        let of = r#"connector="keycrm",endpoint="{settings.base_url}""#;
        has(
            &metrics,
            &format!("tenon_requests_total{{{of},status=\"429\"}} 1"),
        );
        has(
            &metrics,
            &format!("tenon_requests_total{{{of},status=\"timed_out\"}} 1"),
        );
        has(&metrics, &format!("tenon_request_seconds_sum{{{of}}} 0.6"));
        has(
            &metrics,
            &format!("tenon_budget_wait_seconds_sum{{{of}}} 4"),
        );
        has(
            &metrics,
            &format!("tenon_budget_wait_seconds_count{{{of}}} 2"),
        );
        has(&metrics, &format!("tenon_budget_units_total{{{of}}} 10"));
        let spent = RunReport {
            not_before: Some(jiff::Timestamp::MAX),
            ..report("orders", Outcome::Transient)
        };
        metrics.ran(&manifest(), &spent);
        let of = r#"connector="keycrm""#;
        has(&metrics, &format!("tenon_budget_used_up_total{{{of}}} 1"));
    }

    #[test]
    fn the_queue_and_webhooks_are_told_by_state() {
        let metrics = Metrics::new();
        let busy = QueueFigures {
            ready: 5,
            held: 6,
            later: 4,
            running: 3,
            dead: 2,
            oldest: Some(Duration::from_secs(90)),
        };
        metrics.queue(&busy);
        has(&metrics, r#"tenon_queue_waiting{state="ready"} 5"#);
        has(&metrics, r#"tenon_queue_waiting{state="held"} 6"#);
        has(&metrics, r#"tenon_queue_waiting{state="later"} 4"#);
        has(&metrics, r#"tenon_queue_waiting{state="running"} 3"#);
        has(&metrics, r#"tenon_queue_waiting{state="dead"} 2"#);
        has(&metrics, "tenon_queue_oldest_seconds 90");
        metrics.queue(&QueueFigures::default());
        has(&metrics, r#"tenon_queue_waiting{state="ready"} 0"#);
        has(&metrics, "tenon_queue_oldest_seconds 0");

        metrics.webhook(WebhookResult::Accepted);
        metrics.webhook(WebhookResult::TooLarge);
        has(&metrics, r#"tenon_webhooks_total{result="accepted"} 1"#);
        has(&metrics, r#"tenon_webhooks_total{result="too_large"} 1"#);
        metrics.webhooks(&WebhookFigures {
            waiting: 7,
            given_up: 2,
        });
        has(&metrics, r#"tenon_webhooks_kept{state="waiting"} 7"#);
        has(&metrics, r#"tenon_webhooks_kept{state="given_up"} 2"#);
    }

    #[test]
    fn connections_and_what_the_folder_takes_are_told() {
        let metrics = Metrics::new();
        metrics.connections(&ConnectionFigures {
            on: 1,
            off: 2,
            paused: 3,
            held: 4,
            failed_records: 5,
            overdue: 6,
        });
        has(&metrics, r#"tenon_connections{state="on"} 1"#);
        has(&metrics, r#"tenon_connections{state="off"} 2"#);
        has(&metrics, r#"tenon_connections{state="paused"} 3"#);
        has(&metrics, r#"tenon_connections{state="held"} 4"#);
        has(&metrics, "tenon_failed_records 5");
        has(&metrics, "tenon_schedules_overdue 6");
        metrics.sizes(&Sizes {
            control: 1,
            records: 2,
            budgets: 3,
            disk: Some(Disk { free: 4, size: 5 }),
        });
        has(&metrics, r#"tenon_database_bytes{database="control"} 1"#);
        has(&metrics, r#"tenon_database_bytes{database="records"} 2"#);
        has(&metrics, r#"tenon_database_bytes{database="budgets"} 3"#);
        has(&metrics, "tenon_disk_free_bytes 4");
        has(&metrics, "tenon_disk_size_bytes 5");
        assert!(!metrics.render().contains("tenon_last_success_seconds "));
        // By a clock that is ahead: the same whenever it is looked at.
        metrics.succeeded(Timestamp::now() + SignedDuration::from_hours(1));
        has(&metrics, "tenon_last_success_seconds 0");
        // One that ended before changes nothing.
        metrics.succeeded(Timestamp::UNIX_EPOCH);
        has(&metrics, "tenon_last_success_seconds 0");
    }

    fn everything() -> Metrics {
        let metrics = Metrics::new();
        metrics.ran(&manifest(), &report("orders", Outcome::Done));
        metrics.requested(&manifest(), &exchange(Ending::Status(200)));
        metrics.queue(&QueueFigures::default());
        metrics.webhook(WebhookResult::Accepted);
        metrics.webhooks(&WebhookFigures::default());
        metrics.connections(&ConnectionFigures::default());
        metrics.sizes(&Sizes {
            disk: Some(Disk::default()),
            ..Sizes::default()
        });
        metrics.answered("GET", "/v1/me", 200, Duration::from_millis(1));
        metrics
    }

    #[test]
    fn every_figure_says_what_it_is() {
        let text = everything().render();
        let names = |start: &str| -> BTreeSet<String> {
            let lines = text.lines().filter_map(|line| line.strip_prefix(start));
            lines
                .filter_map(|rest| Some(rest.split_once(' ')?.0.to_owned()))
                .collect()
        };
        let typed = names("# TYPE ");
        assert_eq!(names("# HELP "), typed);
        let mut expected = BTreeSet::from([
            RUNS,
            RUN_SECONDS,
            RUN_MEMORY,
            QUEUE_WAITING,
            QUEUE_OLDEST,
            CONNECTIONS,
            FAILED_RECORDS,
            SCHEDULES_OVERDUE,
            SINCE_SUCCESS,
            DATABASE_BYTES,
            DISK_FREE,
            DISK_SIZE,
            REQUESTS,
            REQUEST_SECONDS,
            BUDGET_WAIT,
            BUDGET_UNITS,
            WEBHOOKS,
            WEBHOOKS_KEPT,
            HTTP_REQUESTS,
            HTTP_SECONDS,
        ]);
        if cfg!(target_os = "linux") {
            expected.insert(PROCESS_MEMORY);
        }
        assert_eq!(expected, typed.iter().map(String::as_str).collect());
        assert!(!text.contains(" summary"), "times have buckets:\n{text}");
    }

    #[test]
    fn a_job_that_a_component_made_up_makes_no_figure_of_its_own() {
        let metrics = Metrics::new();
        for number in 0..100 {
            let made_up = report(&format!("private-{number}"), Outcome::Configuration);
            metrics.ran(&manifest(), &made_up);
        }
        let of = r#"connector="keycrm",job="other",outcome="configuration""#;
        has(&metrics, &format!("tenon_runs_total{{{of}}} 100"));
    }

    #[test]
    fn no_figure_tells_of_a_tenant_or_of_what_went_wrong() {
        let metrics = everything();
        metrics.ran(&manifest(), &report("private-job", Outcome::Crashed));
        let text = metrics.render();
        for kept in ["private", "tenant", "connection=", "phone", "20260101"] {
            assert!(!text.contains(kept), "{kept} in\n{text}");
        }
    }

    #[test]
    fn two_servers_in_one_process_count_apart() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.clone().webhook(WebhookResult::Unknown);
        has(&one, r#"tenon_webhooks_total{result="unknown"} 1"#);
        assert!(!other.render().contains("tenon_webhooks_total"));
    }

    #[test]
    fn cleaning_up_loses_no_observation() {
        let metrics = Metrics::new();
        for _ in 0..3 * UPKEEP {
            metrics.requested(&manifest(), &exchange(Ending::Status(200)));
        }
        let of = r#"connector="keycrm",endpoint="{settings.base_url}""#;
        has(
            &metrics,
            &format!("tenon_request_seconds_count{{{of}}} 3072"),
        );
    }
}
