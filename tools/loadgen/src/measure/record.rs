//! What one thread, or after merging all of them, recorded in one phase.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Bracket, Counts, Histogram, Metric, Series};
use crate::time::Nanos;

/// Different reasons for failures that are kept by name; the rest is counted together.
const MOST_REASONS: usize = 20;

#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct PhaseRecord {
    pub(crate) counts: Counts,
    metrics: BTreeMap<Metric, Histogram>,
    pub(crate) series: Series,
    /// How far off the server's latency may be.
    pub(crate) bracket: Bracket,
    /// Why connections failed or ended, and how often.
    pub(crate) failures: BTreeMap<String, u64>,
    /// Each lane's share of a core, of the wall time of the phase.
    pub(crate) lanes: Vec<LaneUse>,
    /// The first moment and the last, over all lanes.
    pub(crate) span: Option<(Nanos, Nanos)>,
    /// Highest number of emits that were on their way at once.
    pub(crate) in_flight: u64,
    /// Whether online and final count of deliveries differed: a fault of loadgen's own.
    pub(crate) miscounted: bool,
}

/// How busy one lane was.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LaneUse {
    pub(crate) name: String,
    /// CPU seconds per second.
    pub(crate) cpu: f64,
    /// Seconds per second that it was ready to run and did not get a core.
    pub(crate) waiting: f64,
}

impl PhaseRecord {
    pub(crate) fn record(&mut self, metric: Metric, duration: Nanos, times: u64) {
        self.metrics
            .entry(metric)
            .or_default()
            .record_n(duration, times);
    }

    pub(crate) fn add(&mut self, metric: Metric, histogram: &Histogram) {
        if !histogram.is_empty() {
            self.metrics.entry(metric).or_default().merge(histogram);
        }
    }

    pub(crate) fn metric(&self, metric: Metric) -> Option<&Histogram> {
        self.metrics.get(&metric)
    }

    pub(crate) fn metrics(&self) -> impl Iterator<Item = (Metric, &Histogram)> {
        self.metrics
            .iter()
            .map(|(metric, histogram)| (*metric, histogram))
    }

    pub(crate) fn fail(&mut self, reason: &str, times: u64) {
        let known = self.failures.contains_key(reason) || self.failures.len() < MOST_REASONS;
        let reason = if known { reason } else { "other reasons" };
        *self.failures.entry(reason.to_owned()).or_default() += times;
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.counts += &other.counts;
        for (metric, histogram) in &other.metrics {
            self.add(*metric, histogram);
        }
        self.series.merge(other.series);
        self.bracket.merge(&other.bracket);
        for (reason, times) in &other.failures {
            self.fail(reason, *times);
        }
        self.lanes.extend(other.lanes);
        self.span = match (self.span, other.span) {
            (Some(one), Some(two)) => Some((one.0.min(two.0), one.1.max(two.1))),
            (one, two) => one.or(two),
        };
        self.in_flight = self.in_flight.max(other.in_flight);
        self.miscounted |= other.miscounted;
    }

    /// Seconds from the first moment to the last.
    pub(crate) fn seconds(&self) -> f64 {
        self.span.map_or(0.0, |(from, to)| {
            crate::time::seconds(to.saturating_sub(from))
        })
    }
}
