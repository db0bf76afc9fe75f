//! From what was recorded to what is reported.

use super::{Lane, Machine, Moment, Quantile, Report, Section, ServerUse, Setup, Summary, VERSION};
use crate::{
    measure::{Histogram, LaneUse, PhaseRecord},
    plan::Plan,
    run::{Finished, Outcome},
    scenario::{Action, Phase},
    server::Usage,
    threshold::Threshold,
    verdict::State,
};

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
        let lane = |lane: &LaneUse| Lane {
            name: lane.name.clone(),
            cpu: lane.cpu,
            waiting: lane.waiting,
        };
        let mut lanes: Vec<Lane> = record.lanes.iter().map(lane).collect();
        // They come in the order in which they ended; the last word of a name is the lane's number.
        lanes.sort_by_key(|lane| {
            let (_, number) = lane.name.rsplit_once(' ')?;
            number.parse::<u32>().ok()
        });
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
            lanes,
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
        let phase = Phase::new("total", Action::Hold).measured();
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
                run: plan.run.clone(),
                scenario: plan.scenario.clone(),
                ended: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
                urls: plan
                    .targets
                    .iter()
                    .map(|target| target.url.clone())
                    .collect(),
                clients: plan.clients,
                emitters: plan.emitters_apart(),
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
