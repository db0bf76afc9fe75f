//! The result of a run, as it stands in `--json` and as all other reports are made from. Its schema is published:
//! `loadgen schema`.

mod build;
mod hlog;
mod html;
mod plot;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use hlog::write as write_hlog;
pub(crate) use html::render as html;
pub(crate) use text::render as text;

use crate::{
    measure::{Counts, Metric},
    plan::{Correlate, Driver, Transport},
    server::Usage,
    threshold::Checked,
    time::ClockReport,
    verdict::Verdict,
};

/// Changes when a reader of the old form could misread the new one.
pub(crate) const VERSION: u32 = 1;

/// Everything that a run found out.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Report {
    /// The version of this form: 1.
    pub version: u32,
    /// The result in one sentence: what was held, at which latency, and what limited it.
    pub sentence: String,
    /// Whether the run can be believed.
    pub verdict: Verdict,
    /// What was asked for.
    pub setup: Setup,
    /// Where it ran.
    pub machine: Machine,
    /// All measured phases together.
    pub total: Section,
    /// All phases, in order.
    pub phases: Vec<Section>,
    /// The thresholds that were asked for.
    pub thresholds: Vec<Checked>,
    /// The search for the capacity, if the scenario is one.
    pub capacity: Option<Capacity>,
    /// How the two clocks went together.
    pub clock: ClockReport,
}

/// What was asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Setup {
    /// The run's id, as in its metrics.
    pub run: String,
    /// The scenario's name.
    pub scenario: String,
    /// When the run ended, RFC 3339 in UTC.
    pub ended: String,
    /// The targets.
    pub urls: Vec<String>,
    /// Clients that receive, over all targets; with `ack` they emit.
    pub clients: u32,
    /// Clients that only emit, for each counter.
    pub emitters: u32,
    /// Planned emits per second of each counter; `null`: none, or a closed loop.
    pub rate: Option<f64>,
    /// Whether each emit waited for the one before.
    pub closed_loop: bool,
    /// How events are tied to emits.
    pub correlate: Correlate,
    /// How clients come to their WebSocket.
    pub transport: Transport,
    /// The client that received.
    pub driver: Driver,
    /// Worker processes, and receiving threads in each.
    pub workers: usize,
    /// Receiving threads in each worker process.
    pub threads: usize,
    /// The seed of everything random.
    pub seed: u64,
}

/// Where it ran.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Machine {
    /// Kernel and its release.
    pub system: String,
    /// The processor's name.
    pub processor: String,
    /// Its logical cores that loadgen may use.
    pub cores: usize,
}

/// One phase, or all measured ones.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Section {
    /// The phase's name.
    pub name: String,
    /// Whether it counts for the result.
    pub measured: bool,
    /// How long it took, its end included, in seconds.
    pub seconds: f64,
    /// Exact counts.
    pub counts: Counts,
    /// By metric, in milliseconds.
    pub latencies: BTreeMap<Metric, Summary>,
    /// Why connections failed or ended, and how often.
    pub failures: BTreeMap<String, u64>,
    /// Second by second.
    pub series: Vec<Moment>,
    /// How busy loadgen's threads were.
    pub lanes: Vec<Lane>,
    /// The most emits that were on their way at once.
    pub in_flight: u64,
    /// What the server's process used, with `--server-pid`.
    pub server: Option<ServerUse>,
}

/// A distribution, in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the names say it")]
pub(crate) struct Summary {
    /// How many values.
    pub count: u64,
    pub min: f64,
    pub mean: f64,
    pub p50: f64,
    pub p75: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub p99_99: f64,
    pub max: f64,
    /// Finer and finer towards the end.
    pub(crate) spectrum: Vec<Quantile>,
}

/// So much of the values are at most so long.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Quantile {
    /// 0 to 100.
    pub(crate) percent: f64,
    /// In milliseconds.
    pub(crate) millis: f64,
}

/// One point in time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Moment {
    /// Since the phase began.
    pub second: u64,
    /// Events that arrived for the first time.
    pub delivered: u64,
    /// Emits.
    pub sent: u64,
    /// Connections that stood.
    pub held: u64,
    /// Repeated, out of order, disconnected, failed.
    pub faults: u64,
    /// Broadcast latency in milliseconds; `null`: nothing arrived.
    pub p50: Option<f64>,
    /// The same.
    pub p99: Option<f64>,
    /// The same.
    pub max: Option<f64>,
}

/// How busy one of loadgen's threads was.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Lane {
    /// Its name.
    pub name: String,
    /// Of one core, 0 to 1.
    pub cpu: f64,
    /// Of the time, how much it was ready to run and had no core, 0 to 1.
    pub waiting: f64,
}

/// What the server's process used.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ServerUse {
    /// Memory and time.
    #[serde(flatten)]
    pub usage: Usage,
    /// Cores that were busy, on average.
    pub cores: f64,
    /// CPU microseconds per delivered event; `null`: nothing was delivered.
    pub cpu_us_per_delivery: Option<f64>,
    /// Kilobytes (1,024 bytes) by which each connection opened in this phase made it grow; `null`: none was.
    pub kib_per_connection: Option<f64>,
}

/// The search for the capacity.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Capacity {
    /// The most clients with which the limit was kept; `null`: not even the first step did.
    pub clients: Option<u32>,
    /// What gave way at the step after; `null`: nothing did.
    pub gave_way: Option<String>,
}
