//! Every metric name, once.

use crate::frames::Run;
use prometheus::{Encoder, Histogram, HistogramOpts, IntCounter, IntGauge, Registry, TextEncoder};

/// The metrics of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) connections: IntGauge,
    pub(crate) count: IntGauge,
    pub(crate) increments: IntCounter,
    pub(crate) broadcasts: IntCounter,
    pub(crate) unknown_events: IntCounter,
    pub(crate) store_up: IntGauge,
    pub(crate) commit_seconds: Histogram,
    pub(crate) batch_size: Histogram,
    pub(crate) repeated_keys: IntCounter,
    pub(crate) store_errors: IntCounter,
    pub(crate) store_incidents: IntCounter,
    pub(crate) connections_behind: IntGauge,
    pub(crate) stalled: IntCounter,
    pub(crate) passes: IntCounter,
    pub(crate) frames: IntCounter,
    pub(crate) bytes: IntCounter,
    pub(crate) skipped: IntCounter,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok::<_, prometheus::Error>(gauge)
        };
        let histogram = |name: &str, help: &str, buckets: Vec<f64>| {
            let options = HistogramOpts::new(name, help).buckets(buckets);
            let histogram = Histogram::with_opts(options)?;
            registry.register(Box::new(histogram.clone()))?;
            Ok::<_, prometheus::Error>(histogram)
        };
        Ok(Self {
            connections: gauge("counter_connections", "Clients connected now.")?,
            count: gauge("counter_count", "The newest committed count.")?,
            increments: counter("counter_increments_total", "Increments answered.")?,
            broadcasts: counter(
                "counter_broadcasts_total",
                "Counts broadcast to all clients.",
            )?,
            unknown_events: counter(
                "counter_unknown_events_total",
                "Events received that are not `increment`; they are ignored.",
            )?,
            store_up: gauge(
                "counter_store_up",
                "1 if the last commit succeeded, 0 while the store is away.",
            )?,
            commit_seconds: histogram(
                "counter_store_commit_seconds",
                "How long a batch of increments took to commit.",
                // 50 µs to 1.6 s
                prometheus::exponential_buckets(0.000_05, 2.0, 16)?,
            )?,
            batch_size: histogram(
                "counter_store_batch_increments",
                "Increments committed together.",
                prometheus::exponential_buckets(1.0, 4.0, 8)?,
            )?,
            repeated_keys: counter(
                "counter_repeated_keys_total",
                "Increments not counted because their key had been counted before.",
            )?,
            store_errors: counter(
                "counter_store_errors_total",
                "Batches that the store failed to commit.",
            )?,
            store_incidents: counter(
                "counter_store_incidents_total",
                "Times that the store had lost counts which clients had seen.",
            )?,
            connections_behind: gauge(
                "counter_connections_behind",
                "Connections whose socket is full and that are being brought up to date.",
            )?,
            stalled: counter(
                "counter_connections_stalled_total",
                "Connections ended because the peer took nothing for the stall timeout.",
            )?,
            passes: counter(
                "counter_broadcast_passes_total",
                "Passes over a shard's connections.",
            )?,
            frames: counter(
                "counter_frames_sent_total",
                "countUpdated frames sent directly.",
            )?,
            bytes: counter("counter_bytes_sent_total", "Bytes of these frames.")?,
            skipped: counter(
                "counter_counts_skipped_total",
                "Counts not sent to connections that were more than --max-behind counts behind.",
            )?,
            registry,
        })
    }

    /// The newest count, which is far below what a gauge can hold.
    pub(crate) fn show_count(&self, count: u64) {
        self.count.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Of a run, all up to `last` was sent to so many connections that had been sent `before`.
    pub(crate) fn sent(&self, run: &Run, before: u64, last: u64, connections: u64) {
        if last < run.first() {
            return;
        }
        self.frames.inc_by((last - run.first() + 1) * connections);
        self.bytes
            .inc_by(run.bytes_until(last) as u64 * connections);
        self.skipped
            .inc_by((run.first() - before - 1) * connections);
    }

    /// The exposition text.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}
