//! What happened, in the words of those who tell it, to the metrics that count it.

use socketioxide::socket::DisconnectReason;

use super::Metrics;
use crate::frames::Run;

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Refused {
    /// `--max-connections`.
    Limit,
    /// `--allow-origin`.
    Origin,
    /// Not a handshake of Socket.IO, or for a session that is not there.
    Request,
    /// The body of the request was not complete in time.
    Timeout,
}

/// Why this server ended a connection that could not go on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dropped {
    /// The peer took nothing for the stall timeout.
    Stalled,
    /// An acknowledgement found no room.
    Unanswered,
}

impl Metrics {
    /// The newest count, which is far below what a gauge can hold.
    pub(crate) fn show_count(&self, count: u64) {
        self.value.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// What does not change while the server runs.
    pub(crate) fn show_settings(&self, max_connections: usize, store: &str) {
        let limit = i64::try_from(max_connections).unwrap_or(i64::MAX);
        self.tcp_connections_limit.set(limit);
        self.store_info.with_label_values(&[store]).set(1);
    }

    /// A batch was committed, of which so many increments made the count grow.
    pub(crate) fn committed(&self, increments: u64, counted: u64, seconds: f64) {
        self.count_increments("ok", counted);
        self.count_increments("repeated_key", increments - counted);
        self.batch_size.observe(increments as f64);
        self.commit_seconds.observe(seconds);
    }

    /// The store did not take these.
    pub(crate) fn not_committed(&self, increments: usize) {
        self.count_increments("store_error", increments as u64);
    }

    /// This one did not get as far as the store.
    pub(crate) fn malformed_increment(&self) {
        self.count_increments("refused", 1);
    }

    fn count_increments(&self, result: &str, times: u64) {
        self.increments.with_label_values(&[result]).inc_by(times);
    }

    /// A commit failed; `full` if for want of room.
    pub(crate) fn store_failed(&self, full: bool) {
        let cause = if full { "full" } else { "other" };
        self.store_errors.with_label_values(&[cause]).inc();
    }

    /// A client is gone.
    pub(crate) fn closed(&self, reason: DisconnectReason) {
        use DisconnectReason::{
            ClientNSDisconnect, ClosingServer, HeartbeatTimeout, MultipleHttpPollingError,
            PacketParsingError, ServerNSDisconnect, TransportClose, TransportError,
        };
        let reason = match reason {
            ClientNSDisconnect => "client",
            TransportClose | TransportError => "transport",
            HeartbeatTimeout => "heartbeat",
            PacketParsingError | MultipleHttpPollingError => "protocol",
            ClosingServer | ServerNSDisconnect => "shutdown",
        };
        self.closed.with_label_values(&[reason]).inc();
    }

    /// Somebody was not let in.
    pub(crate) fn refused(&self, reason: Refused) {
        let reason = match reason {
            Refused::Limit => "limit",
            Refused::Origin => "origin",
            Refused::Request => "request",
            Refused::Timeout => "timeout",
        };
        self.refused.with_label_values(&[reason]).inc();
    }

    /// This server ended a connection.
    pub(crate) fn dropped(&self, reason: Dropped) {
        let reason = match reason {
            Dropped::Stalled => "stalled",
            Dropped::Unanswered => "unanswered",
        };
        self.dropped.with_label_values(&[reason]).inc();
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
}
