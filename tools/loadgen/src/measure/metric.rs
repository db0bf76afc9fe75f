//! The names of everything that is measured as a duration. Reports, thresholds and the wire between processes use them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A duration that is measured many times in a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// From the planned instant of an emit to its arrival in the kernel of each receiver (corrected).
    BroadcastLatency,
    /// From the actual send to the arrival in the kernel of each receiver (uncorrected).
    ServerLatency,
    /// From the arrival in the kernel to loadgen's own reading: loadgen's queueing, not the server's.
    ReadDelay,
    /// How much later than taken the arrival may have been, of events that were read together after a late wake-up.
    ArrivalDoubt,
    /// From the planned instant of an emit to the actual send: loadgen's lag, not the server's.
    SendLag,
    /// From the planned instant of an emit to its acknowledgement.
    AckLatency,
    /// From the planned instant of a connection to the joined namespace.
    ConnectTime,
    /// From the planned instant of a connection to its first expected event.
    FirstEvent,
    /// From the cut of all connections to a client's first expected event after it.
    Recovery,
    /// From the moment a stopped client reads again to its having the newest event.
    CatchUp,
}

impl Metric {
    pub(crate) const ALL: [Self; 10] = [
        Self::BroadcastLatency,
        Self::ServerLatency,
        Self::ReadDelay,
        Self::ArrivalDoubt,
        Self::SendLag,
        Self::AckLatency,
        Self::ConnectTime,
        Self::FirstEvent,
        Self::Recovery,
        Self::CatchUp,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BroadcastLatency => "broadcast_latency",
            Self::ServerLatency => "server_latency",
            Self::ReadDelay => "read_delay",
            Self::ArrivalDoubt => "arrival_doubt",
            Self::SendLag => "send_lag",
            Self::AckLatency => "ack_latency",
            Self::ConnectTime => "connect_time",
            Self::FirstEvent => "first_event",
            Self::Recovery => "recovery",
            Self::CatchUp => "catch_up",
        }
    }

    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::BroadcastLatency => "planned send to arrival",
            Self::ServerLatency => "actual send to arrival",
            Self::ArrivalDoubt => "uncertainty of arrivals after late wake-ups",
            Self::ReadDelay => "arrival to loadgen's reading",
            Self::SendLag => "planned send to actual send",
            Self::AckLatency => "planned send to acknowledgement",
            Self::ConnectTime => "connect to joined",
            Self::FirstEvent => "connect to first event",
            Self::Recovery => "cut to first event again",
            Self::CatchUp => "reading again to newest event",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|metric| metric.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_the_same_name_in_json_and_on_the_command_line() {
        for metric in Metric::ALL {
            assert_eq!(serde_json::json!(metric), metric.name());
            assert_eq!(Metric::by_name(metric.name()), Some(metric));
        }
        assert_eq!(Metric::ALL.len(), Metric::CatchUp as usize + 1);
    }
}
