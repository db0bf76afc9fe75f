//! Everything a run counts, once: the fields of the report, the names for thresholds, and the sum over threads.
//!
//! Of each client's expected events, every one is exactly one of delivered, skipped, lost or missed while away.

use std::ops::AddAssign;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Exact counts of one phase, or of several added up.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        pub(crate) struct Counts {
            $($(#[$doc])* pub(crate) $name: u64,)*
        }

        impl Counts {
            pub(crate) const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            pub(crate) fn by_name(&self, name: &str) -> Option<u64> {
                match name {
                    $(stringify!($name) => Some(self.$name),)*
                    _ => None,
                }
            }
        }

        impl AddAssign<&Counts> for Counts {
            fn add_assign(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

counts! {
    /// Emits that the schedule asked for.
    planned,
    /// Emits that were sent.
    sent,
    /// Sent emits that the socket did not take at once: the server does not read.
    blocked,
    /// Emitters that could not connect, or were disconnected.
    emitters_lost,
    /// Emits that the server acknowledged.
    acked,
    /// Emits that the server answered with an error.
    refused,
    /// Emits that asked for an acknowledgement and did not get one in time.
    unacked,
    /// Counts that grew meanwhile by somebody else's doing.
    foreign,
    /// Events that should have arrived, over all clients.
    expected,
    /// Expected events that arrived.
    delivered,
    /// Expected events that did not arrive while a later one did.
    skipped,
    /// Expected events of which neither they nor a later one arrived.
    lost,
    /// Of the lost ones, those of clients that were disconnected.
    lost_disconnected,
    /// Expected events that a client missed while it was reconnecting.
    missed_away,
    /// Events that arrived again.
    repeated,
    /// Events that arrived after a later one (they are delivered, too).
    out_of_order,
    /// Expected events of an earlier phase that arrived in this one.
    stale,
    /// Events beyond everything that was sent: more than possible.
    beyond,
    /// Expected events that could not be tied to an emit: counted, but in no latency.
    unattributed,
    /// Events that were read together with later ones after a late wake-up: `arrival_doubt`.
    coalesced,
    /// Deliveries in reads without a kernel stamp: the time of reading stands in.
    unstamped,
    /// Connections that were asked for.
    asked,
    /// Connections that joined their namespace.
    opened,
    /// Connections that could not be opened.
    failed,
    /// Connections that the server or the network ended.
    disconnected,
    /// Connections that loadgen cut on purpose.
    cut,
    /// Of the cut ones, those that came back.
    returned,
    /// Clients that stopped reading on purpose.
    stopped,
    /// Heartbeats that were answered.
    heartbeats,
    /// Packets that are no valid Socket.IO.
    malformed,
    /// Bytes that were received.
    received_bytes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_by_name() {
        let mut sum = Counts {
            sent: 3,
            received_bytes: 10,
            ..Counts::default()
        };
        sum += &Counts {
            sent: 4,
            skipped: 1,
            ..Counts::default()
        };
        assert_eq!((sum.sent, sum.skipped, sum.received_bytes), (7, 1, 10));
        assert_eq!(sum.by_name("sent"), Some(7));
        assert_eq!(sum.by_name("sents"), None);
        assert_eq!(Counts::NAMES[0], "planned");
    }
}
