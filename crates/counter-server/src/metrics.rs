//! Every metric name, once.

use crate::frames::Run;
use prometheus::{Encoder, IntCounter, IntGauge, Registry, TextEncoder};

/// The metrics of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) connections: IntGauge,
    pub(crate) count: IntGauge,
    pub(crate) increments: IntCounter,
    pub(crate) broadcasts: IntCounter,
    pub(crate) unknown_events: IntCounter,
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
