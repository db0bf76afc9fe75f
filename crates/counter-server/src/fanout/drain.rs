//! Connections that are behind: waits for each until its socket takes bytes, rebuilds what is
//! missing from the last count sent, and hands it back to its shard.
//!
//! Nothing is stored for them but that count: a full socket is no reason to skip, and nobody who
//! reads slowly costs memory or slows another.

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use super::{Fanout, Lagging};
use crate::connection::Outcome;
use crate::frames::Run;
use crate::metrics::Dropped;

/// Starts a task for each connection that falls behind, and joins it.
pub(super) async fn run(fanout: Fanout) {
    let mut catching_up = JoinSet::new();
    let mut arrived = Vec::new();
    loop {
        tokio::select! {
            () = fanout.0.lagging.arrived() => {}
            Some(ended) = catching_up.join_next() => ended.expect("catching up does not panic"),
        }
        fanout.0.lagging.take(&mut arrived);
        for lagging in arrived.drain(..) {
            catching_up.spawn(catch_up(fanout.clone(), lagging));
        }
    }
}

async fn catch_up(fanout: Fanout, mut lagging: Lagging) {
    let shared = &fanout.0;
    shared.metrics.connections_behind.inc();
    let mut deadline = Instant::now() + shared.limits.stall_timeout;
    loop {
        match timeout_at(deadline, lagging.connection.writable()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => break,
            Err(_) => {
                debug!("a peer that took nothing is disconnected");
                shared.metrics.dropped(Dropped::Stalled);
                lagging.connection.abort();
                break;
            }
        }
        match advance(&fanout, &mut lagging) {
            Advance::Behind { progress: false } => {}
            Advance::Behind { progress: true } => {
                deadline = Instant::now() + shared.limits.stall_timeout;
            }
            Advance::Done => {
                fanout.hand_over(lagging);
                break;
            }
            Advance::Lost => break,
        }
    }
    shared.metrics.connections_behind.dec();
}

enum Advance {
    /// The socket is full again.
    Behind { progress: bool },
    /// The newest count was sent.
    Done,
    /// The connection is gone or waits for the first door.
    Lost,
}

fn advance(fanout: &Fanout, lagging: &mut Lagging) -> Advance {
    let mut run = Run::default();
    let start = lagging.from.last;
    loop {
        let last = lagging.from.last;
        let newest = *fanout.0.newest.borrow();
        let missing = newest > last;
        if missing {
            run.build(last, newest, fanout.0.limits.max_behind);
        }
        let run = missing.then_some(&run);
        match (
            lagging.connection.write_when_writable(lagging.from, run),
            run,
        ) {
            (Outcome::Whole, None) => return Advance::Done,
            (Outcome::Whole, Some(run)) => {
                fanout.0.metrics.sent(run, last, run.until(), 1);
                lagging.from.last = run.until();
            }
            (Outcome::Full(last), run) => {
                if let Some(run) = run {
                    fanout.0.metrics.sent(run, lagging.from.last, last, 1);
                }
                lagging.from.last = last;
                return Advance::Behind {
                    progress: last > start,
                };
            }
            (Outcome::Parked | Outcome::Gone, _) => return Advance::Lost,
        }
    }
}
