//! Logs and metrics.

use std::{io::IsTerminal, time::Duration};

use anyhow::Context;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use posthorn_trace::Exporter;
use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, LogSettings};

/// Upper bounds in seconds.
const SECONDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 30.0];
/// Upper bounds of counts.
const COUNTS: [f64; 11] = [0.0, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 1000.0, 5000.0];
/// Recorded samples are folded into the buckets this often; else they would gather without end.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Starts logging to standard error.
pub(crate) fn init(settings: &LogSettings) {
    // The clients log every hiccup of a connection as an error; what it means for us we say ourselves.
    let quiet = "lapin=off,hickory_resolver=error,hickory_net=error,refinery_core=warn,tokio_postgres=warn,deadpool_postgres=off,opentelemetry=warn";
    let filter = EnvFilter::try_new(format!("{quiet},{}", settings.log)).unwrap_or_else(|error| {
        eprintln!("POSTHORN_LOG is wrong ({error}), logging at info");
        EnvFilter::new("info")
    });
    // Nobody may read what is logged; to say so there would panic.
    let subscriber = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match settings.log_format {
        LogFormat::Json => subscriber.json().init(),
        LogFormat::Text => subscriber.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
    }
}

/// Starts counting.
pub(crate) fn metrics(role: &'static str) -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets(&COUNTS)?
        .install_recorder()
        .context("cannot start metrics")?;
    let version = env!("CARGO_PKG_VERSION");
    metrics::describe_gauge!("posthorn_build_info", "Always 1; role and version are its labels");
    metrics::gauge!("posthorn_build_info", "role" => role, "version" => version).set(1.0);
    Ok(handle)
}

/// Starts sending traces, if there is somewhere to send them, under the name of the role.
pub(crate) fn traces(endpoint: Option<&str>, role: &str) -> anyhow::Result<Option<Exporter>> {
    let Some(endpoint) = endpoint else { return Ok(None) };
    let service = format!("posthorn-{role}");
    let exporter = posthorn_trace::start(endpoint, &service, env!("CARGO_PKG_VERSION"))?;
    tracing::info!("sending traces to {endpoint}");
    Ok(Some(exporter))
}

/// Folds samples into buckets, again and again.
pub(crate) async fn upkeep(handle: PrometheusHandle) -> anyhow::Result<()> {
    loop {
        tokio::time::sleep(UPKEEP_EVERY).await;
        handle.run_upkeep();
    }
}
