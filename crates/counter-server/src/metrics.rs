//! Every metric name, once.

use prometheus::{Encoder, IntCounter, IntGauge, Registry, TextEncoder};

/// The metrics of one server.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) connections: IntGauge,
    pub(crate) count: IntGauge,
    pub(crate) increments: IntCounter,
    pub(crate) broadcasts: IntCounter,
    pub(crate) unknown_events: IntCounter,
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
            registry,
        })
    }

    /// The exposition text.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}
