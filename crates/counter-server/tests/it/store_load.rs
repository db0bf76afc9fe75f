//! A load of keyed increments that goes on through everything that a test does to the servers, and the
//! account of it at the end.

use std::collections::BTreeSet;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::store_client::{Emitter, fresh_key};
use crate::store_node::PATIENCE;

/// Emitters that work until `finish`.
pub(crate) struct Load {
    emitters: JoinSet<Vec<u64>>,
    acknowledged: watch::Receiver<u64>,
    stop: CancellationToken,
}

impl Load {
    /// So many emitters on each server; a server that moves says its new address in its channel.
    pub(crate) fn start(servers: &[watch::Receiver<String>], emitters_each: usize) -> Self {
        let (acknowledge, acknowledged) = watch::channel(0);
        let stop = CancellationToken::new();
        let mut emitters = JoinSet::new();
        for server in servers
            .iter()
            .flat_map(|server| vec![server; emitters_each])
        {
            let mut emitter = Emitter::new(server.clone());
            let (acknowledge, stop) = (acknowledge.clone(), stop.clone());
            emitters.spawn(async move {
                let mut counts = Vec::new();
                while !stop.is_cancelled() {
                    counts.push(emitter.increment(&fresh_key()).await);
                    acknowledge.send_modify(|count| *count += 1);
                }
                counts
            });
        }
        Self {
            emitters,
            acknowledged,
            stop,
        }
    }

    /// Waits until so many more increments are acknowledged.
    pub(crate) async fn goes_on(&mut self, more: u64) {
        let target = *self.acknowledged.borrow() + more;
        let reaching = self.acknowledged.wait_for(|&count| count >= target);
        let reached = timeout(PATIENCE, reaching).await.map(|it| it.map(drop));
        reached
            .unwrap_or_else(|late| panic!("the load stands still: {late}"))
            .expect("an emitter failed");
    }

    /// Stops, and returns how many distinct keys were counted. Each has a count of its own.
    pub(crate) async fn finish(self) -> u64 {
        self.stop.cancel();
        let counts: Vec<u64> = self.emitters.join_all().await.concat();
        let distinct: BTreeSet<u64> = counts.iter().copied().collect();
        assert_eq!(distinct.len(), counts.len(), "two keys got the same count");
        counts.len() as u64
    }
}
