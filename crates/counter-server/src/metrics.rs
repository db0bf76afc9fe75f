//! Every metric of this server, once: its name, its labels, and a help text that says what it means.
//!
//! Names follow <https://prometheus.io/docs/practices/naming/>: base units, `_total` for what only
//! grows. A label has few values, all of them there from the start, and never text of a client.
//! Nothing is counted per client: a scrape costs the same with one connection and with 20,000.

mod connected;
mod process;
mod record;
mod register;
pub(crate) mod runtime;

use prometheus::{
    Encoder, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

pub(crate) use self::connected::Connected;
use self::process::Process;
pub(crate) use self::record::{Dropped, Refused};
use self::register::Register;

/// Upper bounds of all times, in seconds: 50 µs to 10 s. loadgen has the same.
const TIMES: [f64; 17] = [
    0.000_05, 0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0,
    2.0, 5.0, 10.0,
];

/// Upper bounds of how many things were done at once: powers of 4 up to 16,384.
const SIZES: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0];

const TRANSPORT: &[&str] = &["websocket", "polling"];
const PROTOCOL: &[&str] = &["3", "4"];

/// The metrics of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    process: Process,
    pub(crate) value: IntGauge,
    increments: IntCounterVec,
    pub(crate) unknown_events: IntCounter,
    connections: IntGaugeVec,
    opened: IntCounterVec,
    closed: IntCounterVec,
    refused: IntCounterVec,
    dropped: IntCounterVec,
    upgrades: IntCounter,
    pub(crate) handshake_seconds: Histogram,
    pub(crate) tcp_connections: IntGauge,
    tcp_connections_limit: IntGauge,
    pub(crate) connections_behind: IntGauge,
    pub(crate) counts: IntCounter,
    pub(crate) pass_seconds: Histogram,
    pub(crate) pass_counts: Histogram,
    frames: IntCounter,
    bytes: IntCounter,
    skipped: IntCounter,
    pub(crate) store_up: IntGauge,
    store_info: IntGaugeVec,
    store_errors: IntCounterVec,
    pub(crate) store_incidents: IntCounter,
    pub(crate) redis_reconnects: IntCounter,
    commit_seconds: Histogram,
    batch_size: Histogram,
    pub(crate) runtime_lag: Histogram,
}

impl Metrics {
    #[expect(clippy::too_many_lines, reason = "one table of all names")]
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let register = Register::default();
        register.info(
            "counter_build_info",
            "Always 1. `version` is that of the server; `profile` is `debug` for a build that is no good for measuring.",
            &[
                ("version", env!("CARGO_PKG_VERSION")),
                ("profile", if cfg!(debug_assertions) { "debug" } else { "release" }),
            ],
        )?;
        Ok(Self {
            process: Process::new(&register)?,
            value: register.gauge(
                "counter_value",
                "The newest committed count that this server knows: what a client that connects now is sent. \
                 Servers on one Redis show the same value as soon as they have heard of it.",
            )?,
            increments: register.counters(
                "counter_increments_total",
                "Increments that clients of this server sent, by `result`: `ok` was committed and made the count \
                 grow by one; `repeated_key` had been counted before and was answered with that count; `refused` \
                 had a malformed key; `store_error` could not be committed, and its client was told so.",
                &[("result", &["ok", "repeated_key", "refused", "store_error"])],
            )?,
            unknown_events: register.counter(
                "counter_unknown_events_total",
                "Events of clients that are not `increment`; they are ignored. Many of them mean a client that \
                 was written for another server.",
            )?,
            connections: register.gauges(
                "counter_connections",
                "Clients connected now, by the `transport` that carries them and the Engine.IO `protocol`: `4` is \
                 spoken by clients since version 3, `3` by those of version 2.",
                &[("transport", TRANSPORT), ("protocol", PROTOCOL)],
            )?,
            opened: register.counters(
                "counter_connections_opened_total",
                "Clients that connected, by the `transport` that they began with and the Engine.IO `protocol`.",
                &[("transport", TRANSPORT), ("protocol", PROTOCOL)],
            )?,
            closed: register.counters(
                "counter_connections_closed_total",
                "Clients that are gone, by `reason`: `client` said goodbye; `transport` was closed, by the client or on \
                 the way; `heartbeat` was not answered in time; `protocol` was violated; `shutdown` of this server.",
                &[(
                    "reason",
                    &["client", "transport", "heartbeat", "protocol", "shutdown"],
                )],
            )?,
            refused: register.counters(
                "counter_connections_refused_total",
                "Attempts to connect that failed, by `reason`: `limit` is --max-connections, `origin` is \
                 --allow-origin, `request` was no handshake that this server speaks or for a session that is not \
                 there (any more), `timeout` did not send its packets within 10 seconds.",
                &[("reason", &["limit", "origin", "request", "timeout"])],
            )?,
            dropped: register.counters(
                "counter_connections_dropped_total",
                "Connections that this server ended because they could not go on, by `reason`: `stalled` took \
                 nothing for --stall-timeout, `unanswered` had no room for an acknowledgement.",
                &[("reason", &["stalled", "unanswered"])],
            )?,
            upgrades: register.counter(
                "counter_connection_upgrades_total",
                "Clients that began with polling and went over to WebSocket.",
            )?,
            handshake_seconds: register.histogram(
                "counter_handshake_seconds",
                "From accepting a WebSocket's connection until its first count has left; clients that only poll \
                 are not in it.",
                &TIMES,
            )?,
            tcp_connections: register.gauge(
                "counter_tcp_connections",
                "Connections open on the public port, whatever they carry: clients, requests for the page, \
                 handshakes under way.",
            )?,
            tcp_connections_limit: register.gauge(
                "counter_tcp_connections_limit",
                "How many may be open at once (--max-connections); whoever comes beyond is refused.",
            )?,
            connections_behind: register.gauge(
                "counter_connections_behind",
                "Connections whose socket is full and that are being brought up to date. A few are slow readers; \
                 if the number grows, the network or this machine does not keep up.",
            )?,
            counts: register.counter(
                "counter_broadcast_counts_total",
                "Counts that became news here, committed by this server or by another one on the same Redis. Each \
                 goes to every client.",
            )?,
            pass_seconds: register.histogram(
                "counter_broadcast_pass_seconds",
                "How long one pass over the connections of a shard took: from building the frames to the last \
                 write. What clients wait for after the commit is at most two passes.",
                &TIMES,
            )?,
            pass_counts: register.histogram(
                "counter_broadcast_pass_counts",
                "How many counts one pass sent to each of its connections: 1 while the server has time, more when \
                 counts pile up during a pass.",
                &SIZES,
            )?,
            frames: register.counter(
                "counter_broadcast_frames_total",
                "countUpdated frames written to WebSockets, first counts and answers to polls not included. Per \
                 count and client there is one.",
            )?,
            bytes: register.counter("counter_broadcast_bytes_total", "Bytes of these frames.")?,
            skipped: register.counter(
                "counter_broadcast_skipped_counts_total",
                "Counts not sent to a connection because it was more than --max-behind counts behind. It was sent \
                 the newest instead; no other client ever misses one.",
            )?,
            store_up: register.gauge(
                "counter_store_up",
                "1 if the last commit succeeded, 0 while the store is away: then increments are refused, and \
                 /ready fails and says why.",
            )?,
            store_info: register.gauges(
                "counter_store_info",
                "1 for the `store` in use.",
                &[("store", &["memory", "file", "redis"])],
            )?,
            store_errors: register.counters(
                "counter_store_errors_total",
                "Commits that failed, by `cause`: `full` is a disk or a quota that takes no more; of any `other` \
                 the log has the reason.",
                &[("cause", &["full", "other"])],
            )?,
            store_incidents: register.counter(
                "counter_store_incidents_total",
                "Times that the store came back with less than clients had seen. It was raised to what they saw; \
                 acknowledged increments may be missing in it.",
            )?,
            redis_reconnects: register.counter(
                "counter_redis_reconnects_total",
                "Connections made to Redis after the first one.",
            )?,
            commit_seconds: register.histogram(
                "counter_store_commit_seconds",
                "How long a batch of increments took to be durable. Nobody is answered or shown a count before.",
                &TIMES,
            )?,
            batch_size: register.histogram(
                "counter_store_batch_increments",
                "Increments committed together: what arrives during a commit is the next batch.",
                &SIZES,
            )?,
            runtime_lag: register.histogram(
                "counter_runtime_lag_seconds",
                "How late the runtime woke a task that slept until a given moment; timers tick in milliseconds, so \
                 1 ms is nothing. More means that this process does not get enough CPU, or that a task blocks.",
                &TIMES,
            )?,
            registry: register.done(),
        })
    }

    /// The exposition text.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        self.process.look();
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}
