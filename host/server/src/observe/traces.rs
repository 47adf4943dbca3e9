//! The log of the process, and the way of its spans to a collector.
//!
//! `TENON_LOG` says what the log holds, such as `info` or `warn,tenon=debug`. Spans are sent when
//! `OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) names a collector that takes
//! OTLP over HTTP; the other variables that OpenTelemetry defines for exporters, such as
//! `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_TRACES_SAMPLER`, hold, too. The two are apart: a log that is
//! silenced silences no spans.

use std::io::IsTerminal as _;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{EnvFilter, FromEnvError, LevelFilter, filter_fn};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use super::spans;

/// What the log holds.
const FILTER: &str = "TENON_LOG";
/// Each of them names a collector.
const COLLECTORS: [&str; 2] = [
    opentelemetry_otlp::OTEL_EXPORTER_OTLP_ENDPOINT,
    opentelemetry_otlp::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
];
/// OpenTelemetry's name for the name of a process.
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";
/// Longest wait for the collector at the end.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// How the log is written, always to the standard error stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object on each line.
    Json,
}

/// What a program decides about its log.
#[derive(Clone, Copy, Debug)]
pub struct TracingOptions {
    /// How it is written.
    pub format: LogFormat,
    /// What it holds unless `TENON_LOG` says otherwise.
    pub level: LevelFilter,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TracingError {
    /// `TENON_LOG` says nothing that can be understood.
    #[error("TENON_LOG: {0}; write a level such as `info`, or `warn,tenon=debug`")]
    Filter(#[from] FromEnvError),
    /// The collector cannot be sent to as it is named.
    #[error("traces cannot be sent: {0}; see the variables OTEL_EXPORTER_OTLP_…")]
    Collector(#[from] ExporterBuildError),
    /// Another part of the process was first.
    #[error("this process has a log already")]
    Taken,
}

/// The log and the spans of this process. When it is dropped, spans that wait are sent: a program
/// keeps it until its end, and drops it when its runtime is gone.
#[must_use = "spans that wait are sent when this is dropped"]
pub struct Tracing {
    collector: Option<SdkTracerProvider>,
}

impl Tracing {
    /// Sets up the log and, where the environment names a collector, the way to it.
    ///
    /// A platform that has a `tracing` subscriber of its own does without this.
    pub fn init(options: TracingOptions) -> Result<Tracing, TracingError> {
        let filter = EnvFilter::builder()
            .with_default_directive(options.level.into())
            .with_env_var(FILTER)
            .from_env()?
            // A line tells its run whatever lines are wanted. There are no lines with this target.
            .add_directive(own_spans());
        let log = fmt::layer()
            .with_writer(std::io::stderr)
            // That nobody reads the log any more is no reason to end.
            .log_internal_errors(false)
            .with_ansi(std::io::stderr().is_terminal());
        let log = match options.format {
            LogFormat::Text => log.compact().boxed(),
            LogFormat::Json => log.json().flatten_event(true).with_span_list(false).boxed(),
        };
        let collector = collector()?;
        let spans = collector.as_ref().map(|collector| {
            tracing_opentelemetry::layer()
                .with_tracer(collector.tracer("tenon"))
                // Where in this program a span is made is of no use to operators.
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_filter(filter_fn(spans::is_for_collectors))
        });
        tracing_subscriber::registry()
            .with(log.with_filter(filter))
            .with(spans)
            .try_init()
            .map_err(|_| TracingError::Taken)?;
        Ok(Tracing { collector })
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        let sent = (self.collector.take()).map(|all| all.shutdown_with_timeout(LAST_SPANS));
        if let Some(Err(error)) = sent {
            tracing::warn!("the last spans were not sent: {error}");
        }
    }
}

fn own_spans() -> tracing_subscriber::filter::Directive {
    format!("{}=info", spans::TARGET)
        .parse()
        .expect("a target and a level")
}

/// The way to the collector that the environment names, if it names one.
fn collector() -> Result<Option<SdkTracerProvider>, ExporterBuildError> {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !COLLECTORS.into_iter().any(is_set) {
        return Ok(None);
    }
    // The exporter's client wants one. Fails only when it is in place already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let exporter = SpanExporter::builder().with_http().build()?;
    let name = std::env::var(SERVICE_NAME).unwrap_or_default();
    let name = if name.is_empty() {
        "tenon".to_owned()
    } else {
        name
    };
    let resource = Resource::builder()
        .with_service_name(name)
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build();
    Ok(Some(provider))
}
