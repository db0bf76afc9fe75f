//! The result of a run, as it stands in `--json` and as all other reports are made from. Its schema is published:
//! `loadgen schema`.

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
    measure::{Counts, Histogram, Metric, PhaseRecord},
    plan::{Correlate, Driver, Plan, Transport},
    run::{Finished, Outcome},
    server::Usage,
    threshold::{Checked, Threshold},
    time::ClockReport,
    verdict::{State, Verdict},
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
    /// The scenario's name.
    pub scenario: String,
    /// When the run ended, RFC 3339 in UTC.
    pub ended: String,
    /// The targets.
    pub urls: Vec<String>,
    /// Clients that receive, over all targets.
    pub clients: u32,
    /// Clients that emit, for each counter.
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

impl Summary {
    pub(crate) fn of(histogram: &Histogram) -> Self {
        let at = |percent: f64| histogram.percentile(percent) as f64 / 1e6;
        Self {
            count: histogram.len(),
            min: histogram.min() as f64 / 1e6,
            mean: histogram.mean() / 1e6,
            p50: at(50.0),
            p75: at(75.0),
            p90: at(90.0),
            p95: at(95.0),
            p99: at(99.0),
            p99_9: at(99.9),
            p99_99: at(99.99),
            max: histogram.max() as f64 / 1e6,
            spectrum: spectrum(histogram),
        }
    }
}

/// Four steps on the way to each further nine, as far as there are values.
fn spectrum(histogram: &Histogram) -> Vec<Quantile> {
    let steps = (histogram.len() as f64).log10() * 4.0;
    let percents =
        (0..=steps as u32).map(|step| 100.0 * (1.0 - 0.1_f64.powf(f64::from(step) / 4.0)));
    percents
        .map(|percent| Quantile {
            percent,
            millis: histogram.percentile(percent) as f64 / 1e6,
        })
        .collect()
}

impl Section {
    fn of(finished: &Finished) -> Self {
        let record = &finished.record;
        let moments = record
            .series
            .points
            .iter()
            .enumerate()
            .map(|(index, point)| {
                let latency = point.latency();
                let at = |percent: f64| {
                    (!latency.is_empty()).then(|| latency.percentile(percent) as f64 / 1e6)
                };
                Moment {
                    second: index as u64 * record.series.seconds,
                    delivered: point.delivered,
                    sent: point.sent,
                    held: point.held,
                    faults: point.faults,
                    p50: at(50.0),
                    p99: at(99.0),
                    max: at(100.0),
                }
            });
        let lane = |lane: &crate::measure::LaneUse| Lane {
            name: lane.name.clone(),
            cpu: lane.cpu,
            waiting: lane.waiting,
        };
        Self {
            name: finished.phase.name.clone(),
            measured: finished.phase.measured,
            seconds: record.seconds(),
            counts: record.counts,
            latencies: record
                .metrics()
                .map(|(metric, histogram)| (metric, Summary::of(histogram)))
                .collect(),
            failures: record.failures.clone(),
            series: moments.collect(),
            lanes: record.lanes.iter().map(lane).collect(),
            in_flight: record.in_flight,
            server: finished.server.map(|usage| ServerUse::of(usage, record)),
        }
    }
}

impl ServerUse {
    fn of(usage: Usage, record: &PhaseRecord) -> Self {
        let per = |amount: f64, count: u64| (count > 0).then(|| amount / count as f64);
        Self {
            usage,
            cores: usage.cpu_seconds / record.seconds().max(1e-9),
            cpu_us_per_delivery: per(usage.cpu_seconds * 1e6, record.counts.delivered),
            kib_per_connection: per(
                usage.grown_bytes as f64 / 1_024.0,
                record.counts.asked.min(record.counts.opened),
            ),
        }
    }
}

/// All measured phases in one record.
pub(crate) fn total(outcome: &Outcome) -> PhaseRecord {
    let mut total = PhaseRecord::default();
    for finished in outcome
        .phases
        .iter()
        .filter(|finished| finished.phase.measured)
    {
        total.merge(finished.record.clone());
    }
    total
}

impl Report {
    pub(crate) fn new(
        plan: &Plan,
        outcome: &Outcome,
        thresholds: &[Threshold],
        notes: Vec<String>,
    ) -> Self {
        let total = total(outcome);
        let mut verdict = crate::verdict::judge(plan, outcome);
        verdict.notes.extend(notes);
        let phases: Vec<Section> = outcome.phases.iter().map(Section::of).collect();
        let publish = plan
            .phases
            .iter()
            .find_map(|phase| phase.publish.filter(|_| phase.measured));
        let phase = crate::scenario::Phase::new("total", crate::scenario::Action::Hold).measured();
        let mut section = Section::of(&Finished {
            phase,
            record: total.clone(),
            server: None,
        });
        section.series.clear();
        section.lanes.clear();
        let mut report = Self {
            version: VERSION,
            sentence: String::new(),
            verdict,
            setup: Setup {
                scenario: plan.scenario.clone(),
                ended: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
                urls: plan
                    .targets
                    .iter()
                    .map(|target| target.url.clone())
                    .collect(),
                clients: plan.clients,
                emitters: plan.emitters,
                rate: publish
                    .filter(|publish| !publish.closed)
                    .map(|publish| publish.rate),
                closed_loop: publish.is_some_and(|publish| publish.closed),
                correlate: plan.correlate,
                transport: plan.transport,
                driver: plan.driver,
                workers: plan.workers,
                threads: plan.threads,
                seed: plan.seed,
            },
            machine: Machine::here(),
            total: section,
            phases,
            thresholds: thresholds
                .iter()
                .map(|threshold| threshold.check(&total))
                .collect(),
            capacity: crate::capacity::found(plan, outcome),
            clock: outcome.clock.clone(),
        };
        report.sentence = crate::sentence::of(&report);
        report
    }

    /// Whether the run is good for nothing, or missed what it had to keep.
    pub(crate) fn has_failed(&self) -> bool {
        self.verdict.state == State::Invalid
            || self.thresholds.iter().any(|checked| !checked.passed)
    }
}

impl Machine {
    fn here() -> Self {
        let name = rustix::system::uname();
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Self {
            system: format!(
                "{} {}",
                name.sysname().to_string_lossy(),
                name.release().to_string_lossy()
            ),
            processor: model.map_or("unknown".into(), |(_, model)| model.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
        }
    }
}
