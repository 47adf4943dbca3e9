//! The log and the spans of a whole process, against a collector on loopback.
//!
//! Both belong to a process and are set up from its environment. So each test here runs itself once
//! more as a process of its own, with an environment of its own, and looks at what that one wrote and
//! sent.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::mpsc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span, status};
use prost::Message as _;
use serde_json::{Value, json};
use tenon::observe::{self, LogFormat, Metrics, Tracing, TracingOptions, watched};
use tenon_host::manifest::{Job, Manifest, Text};
use tenon_host::reason::Reason;
use tenon_host::report::{Outcome, RunReport};
use tower::ServiceExt as _;
use tracing_subscriber::filter::LevelFilter;

/// Set in the second process.
const SECOND: &str = "TENON_TEST_SECOND";
const RUN: &str = "20260101T000000.000-00000001";

/// Runs the test of this name once more, there with `act` alone; answers with how that went, and in
/// the second process with nothing.
fn in_its_own_process(test: &str, environment: &[(&str, &str)], act: fn()) -> Option<Output> {
    if std::env::var_os(SECOND).is_some() {
        act();
        return None;
    }
    let mut second = Command::new(std::env::current_exe().unwrap());
    second.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    for (name, _) in std::env::vars_os() {
        let is_ours = |start| name.to_str().is_some_and(|name| name.starts_with(start));
        if is_ours("OTEL_") || is_ours("TENON_") {
            second.env_remove(name);
        }
    }
    second.env(SECOND, "1").envs(environment.iter().copied());
    let output = second.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("1 passed"), "{output:?}");
    Some(output)
}

fn manifest() -> Manifest {
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

fn report(outcome: Outcome) -> RunReport {
    RunReport {
        outcome,
        error: Some("private-error".to_owned()),
        why: Some(Reason::new("crm.said").arg("text", "private-error")),
        ..RunReport::begun(
            RUN,
            "private-connection".parse().unwrap(),
            "keycrm 0.1.0",
            "orders",
            jiff::Timestamp::UNIX_EPOCH,
        )
    }
}

/// What a server does in a day: a good run, a bad one, a webhook, requests; and all the while parts of
/// it log and trace what nobody else should see.
fn work(options: TracingOptions) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let tracing = Tracing::init(options).unwrap();
    let (metrics, manifest) = (Metrics::new(), manifest());
    runtime.block_on(async {
        let foreign = tracing::info_span!("foreign", token = "private-token").entered();
        let good = async {
            tracing::warn!(token = "private-field", "private-line");
            tracing::debug!("private-detail");
            tracing::info_span!("inner", query = "private-inner").in_scope(|| {});
            report(Outcome::Done)
        };
        observe::run(&metrics, &manifest, "orders", good).await;
        drop(foreign);
        let bad = async { report(Outcome::Crashed) };
        observe::run(&metrics, &manifest, "private-job", bad).await;
        let read = async { Err::<(), _>("private-reason") };
        let _ = observe::receive(&metrics, &manifest, read).await;

        let router = Router::new()
            .route(
                "/hooks/{secret}/{*topic}",
                post(|| async { StatusCode::ACCEPTED }),
            )
            .route(
                "/broken",
                post(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
            );
        let router = watched(router, metrics.clone());
        for path in ["/hooks/private-secret/orders?q=private-query", "/broken"] {
            let request = Request::post(path).header("authorization", "Bearer private");
            let request = request.body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap();
        }
    });
    drop(runtime);
    drop(tracing);
}

fn work_with_text() {
    work(TracingOptions {
        format: LogFormat::Text,
        level: LevelFilter::INFO,
    });
}

fn work_with_json() {
    work(TracingOptions {
        format: LogFormat::Json,
        level: LevelFilter::INFO,
    });
}

/// Bodies that were posted to a collector, and its address.
fn collector() -> (String, mpsc::Receiver<(HeaderMap, Bytes)>) {
    let (seen, posted) = mpsc::channel();
    let (address, known) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let take = move |headers: HeaderMap, body: Bytes| async move {
                // Nobody looks any more when the test is over.
                let _ = seen.send((headers, body));
                StatusCode::OK
            };
            let router = Router::new().route("/v1/traces", post(take));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            address.send(listener.local_addr().unwrap()).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    (format!("http://{}", known.recv().unwrap()), posted)
}

fn text(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|any| any.value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        other => panic!("{}: {other:?}", attribute.key),
    }
}

fn attributes(attributes: &[KeyValue]) -> BTreeMap<&str, String> {
    (attributes.iter())
        .map(|attribute| (attribute.key.as_str(), text(attribute)))
        .collect()
}

fn has_failed(span: &Span) -> bool {
    (span.status.as_ref()).is_some_and(|status| status.code() == status::StatusCode::Error)
}

#[test]
fn spans_reach_a_collector_and_hold_nothing_secret_or_personal() {
    let (address, posted) = collector();
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=of-the-collector"),
        // Not even when the log is to hold all.
        ("TENON_LOG", "trace"),
    ];
    let test = "spans_reach_a_collector_and_hold_nothing_secret_or_personal";
    if in_its_own_process(test, &environment, work_with_text).is_none() {
        return;
    }

    let posted: Vec<_> = posted.try_iter().collect();
    let mut spans = Vec::new();
    for (headers, body) in &posted {
        assert_eq!("application/x-protobuf", headers["content-type"]);
        assert_eq!("of-the-collector", headers["x-key"]);
        let raw = String::from_utf8_lossy(body);
        for kept in ["private", "foreign", "inner", ".rs"] {
            assert!(!raw.contains(kept), "{kept} in {raw}");
        }
        let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
        for resource in request.resource_spans {
            let described = resource.resource.unwrap();
            assert_eq!("tenon", attributes(&described.attributes)["service.name"]);
            spans.extend(
                resource
                    .scope_spans
                    .into_iter()
                    .flat_map(|scope| scope.spans),
            );
        }
    }
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    let hook = "POST /hooks/{secret}/{*topic}";
    assert_eq!(["run", "run", "webhook", hook, "POST /broken"], *names);
    let of = |index: usize| {
        let mut found = attributes(&spans[index].attributes);
        // Time that it was worked on, and waited for.
        found.retain(|name, _| !name.ends_with("_ns"));
        found
    };
    let run = |job: &str, outcome: &str| {
        let known = [
            ("connector", "keycrm"),
            ("job", job),
            ("run", RUN),
            ("outcome", outcome),
        ];
        BTreeMap::from(known.map(|(name, value)| (name, value.to_owned())))
    };
    assert_eq!(run("orders", "done"), of(0));
    assert_eq!(run("other", "crashed"), of(1));
    assert_eq!("failed", of(2)["result"]);
    assert_eq!("202", of(3)["http.response.status_code"]);
    assert_eq!("500", of(4)["http.response.status_code"]);
    let failed: Vec<bool> = spans.iter().map(has_failed).collect();
    assert_eq!([false, true, true, false, true], *failed);
    assert!(spans.iter().all(|span| span.events.is_empty()), "{spans:?}");
}

#[test]
fn a_silent_log_silences_no_spans() {
    let (address, posted) = collector();
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()),
        ("OTEL_SERVICE_NAME", "tenon-eu"),
        ("TENON_LOG", "off"),
    ];
    let test = "a_silent_log_silences_no_spans";
    let Some(output) = in_its_own_process(test, &environment, work_with_text) else {
        return;
    };
    assert_eq!("", String::from_utf8_lossy(&output.stderr));
    let (_, body) = posted.try_recv().unwrap();
    assert!(String::from_utf8_lossy(&body).contains("tenon-eu"));
}

#[test]
fn lines_in_json_tell_their_run_and_the_filter_holds() {
    let test = "lines_in_json_tell_their_run_and_the_filter_holds";
    let environment = [("TENON_LOG", "warn")];
    let Some(output) = in_its_own_process(test, &environment, work_with_json) else {
        return;
    };
    let log = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(1, lines.len(), "{log}");
    assert_eq!("private-line", lines[0]["message"]);
    assert_eq!("WARN", lines[0]["level"]);
    assert_eq!("orders", lines[0]["span"]["job"]);
    assert_eq!("keycrm", lines[0]["span"]["connector"]);
}

#[test]
fn a_collector_that_is_not_there_is_told_of_in_the_log_and_stops_nothing() {
    let test = "a_collector_that_is_not_there_is_told_of_in_the_log_and_stops_nothing";
    let environment = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1"),
        (
            "OTEL_EXPORTER_OTLP_HEADERS",
            "authorization=of-the-collector",
        ),
    ];
    let Some(output) = in_its_own_process(test, &environment, work_with_text) else {
        return;
    };
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("opentelemetry"), "{log}");
    assert!(!log.contains("of-the-collector"), "{log}");
}

#[test]
fn a_filter_that_says_nothing_is_refused_in_one_line() {
    let test = "a_filter_that_says_nothing_is_refused_in_one_line";
    let refuse = || {
        let options = TracingOptions {
            format: LogFormat::Text,
            level: LevelFilter::INFO,
        };
        let Err(error) = Tracing::init(options) else {
            panic!("the filter was taken");
        };
        let error = error.to_string();
        assert!(error.starts_with("TENON_LOG: "), "{error}");
        assert!(!error.contains('\n'), "{error}");
    };
    in_its_own_process(test, &[("TENON_LOG", "tenon=loud=very")], refuse);
}
