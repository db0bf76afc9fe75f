//! One client in the gauge of the connected ones, for as long as this lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus::IntGauge;
use socketioxide::extract::SocketRef;
use socketioxide::{ProtocolVersion, TransportType};

use super::Metrics;

/// A connected client, counted under the transport that carries it now.
#[derive(Debug)]
pub(crate) struct Connected {
    metrics: Arc<Metrics>,
    protocol: &'static str,
    polls: AtomicBool,
}

impl Connected {
    pub(crate) fn new(metrics: &Arc<Metrics>, socket: &SocketRef) -> Self {
        let this = Self {
            metrics: metrics.clone(),
            protocol: match socket.protocol() {
                ProtocolVersion::V4 => "3",
                ProtocolVersion::V5 => "4",
            },
            polls: AtomicBool::new(socket.transport_type() == TransportType::Polling),
        };
        let began = [transport(this.polls()), this.protocol];
        metrics.opened.with_label_values(&began).inc();
        this.gauge().inc();
        this
    }

    /// The client polls no more: a WebSocket carries it. Once is enough.
    pub(crate) fn upgraded(&self) {
        let polled = self.gauge();
        if self.polls.swap(false, Ordering::Relaxed) {
            polled.dec();
            self.gauge().inc();
            self.metrics.upgrades.inc();
        }
    }

    fn polls(&self) -> bool {
        self.polls.load(Ordering::Relaxed)
    }

    fn gauge(&self) -> IntGauge {
        let labels = [transport(self.polls()), self.protocol];
        self.metrics.connections.with_label_values(&labels)
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        self.gauge().dec();
    }
}

fn transport(polls: bool) -> &'static str {
    if polls { "polling" } else { "websocket" }
}
