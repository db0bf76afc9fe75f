//! What a run tells, as JSON. Times in the unit that the name ends with; KiB are 1,024 bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::totals::Totals;

/// A whole run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// The server.
    pub url: String,
    /// Clients that were asked for.
    pub clients: usize,
    /// How they connected.
    pub connected: Connected,
    /// Resident memory of the server that the clients added, each, at the end of the first idle phase.
    pub kib_per_connection: Option<f64>,
    /// The phases in their order.
    pub phases: Vec<PhaseReport>,
    /// Everything together; `stale` is as it was at the end.
    pub totals: Totals,
    /// Why connections ended, and how often.
    pub reasons: BTreeMap<String, usize>,
}

/// How clients connected.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Connected {
    /// Clients that have their first count.
    pub clients: usize,
    /// From the first connect to the last first count.
    pub seconds: f64,
    /// Clients by seconds.
    pub per_second: f64,
    /// Connections that failed before their first count and were begun again.
    pub retries: usize,
}

/// One phase.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PhaseReport {
    /// The phase, as the command line has it.
    pub phase: String,
    /// Its length, with the wait for the last counts.
    pub seconds: f64,
    /// Increments sent.
    pub increments: u64,
    /// The limit came while counts were still on their way: they are among the lost, and missing in the latency.
    pub cut_short: bool,
    /// What it added to the counts over all clients; `stale` is as it was at its end.
    pub totals: Totals,
    /// From the planned instant of the increment to the arrival of its count, over all clients.
    pub latency: Option<Latency>,
    /// What the server used.
    pub server: Option<ServerUse>,
    /// Share of one core that the raw client itself used. Near 1 it was the bottleneck.
    pub client_cpu: f64,
    /// Of `burst`.
    pub bursts: Option<Vec<Burst>>,
    /// Of `storm`.
    pub connected: Option<Connected>,
    /// Of `continue`.
    pub continued: Option<Continued>,
    /// Of `upgrade`.
    pub upgraded: Option<Upgraded>,
}

/// A distribution of latency in milliseconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Latency {
    /// The median.
    pub p50_ms: f64,
    /// 90 of 100 are at most this.
    pub p90_ms: f64,
    /// 99 of 100 are at most this.
    pub p99_ms: f64,
    /// 999 of 1,000 are at most this.
    pub p999_ms: f64,
    /// The largest.
    pub max_ms: f64,
    /// How long after its planned instant the latest increment was sent. It is part of the latencies above.
    pub sent_late_at_most_ms: f64,
}

/// What the server used in one phase.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct ServerUse {
    /// User and system time of all threads.
    pub cpu_seconds: f64,
    /// The same in microseconds, divided by counts delivered.
    pub cpu_us_per_message: Option<f64>,
    /// Resident memory at the beginning.
    pub kib_before: u64,
    /// Resident memory at the end.
    pub kib_after: u64,
}

/// One burst.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Burst {
    /// Counts delivered.
    pub delivered: u64,
    /// From the planned instant to the last count at the last client.
    pub seconds: f64,
    /// The one by the other.
    pub per_second: f64,
    /// Whether every client ended on the last count.
    pub all_at_newest: bool,
}

/// What became of clients that had stopped.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Continued {
    /// Until the last count came.
    pub seconds: f64,
    /// At the newest count one second after they read again.
    pub within_a_second: usize,
    /// At the newest count at the end.
    pub at_newest: usize,
    /// At the newest, and nothing is missing.
    pub complete: usize,
    /// At the newest, and counts are missing.
    pub jumped: usize,
    /// Disconnected by the server.
    pub gone: usize,
}

/// What became of clients that began with polling.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Upgraded {
    /// Upgraded to WebSocket, and from then on part of all counts; what they received before is part of them too.
    pub upgraded: usize,
    /// Did not get so far.
    pub failed: usize,
    /// Answers to polls that held counts.
    pub polls: u64,
    /// Counts that came by polling.
    pub polled: u64,
    /// Counts passed over between polls. After the first count by WebSocket none may be missing.
    pub passed: u64,
    /// Why some failed, and how often.
    pub reasons: BTreeMap<String, usize>,
}
