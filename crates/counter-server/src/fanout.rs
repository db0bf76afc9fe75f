//! Which connections exist, and sending them every count.

use std::collections::HashMap;

use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// The handle by which connections join.
#[derive(Clone)]
pub(crate) struct Fanout {
    joins: mpsc::Sender<SocketRef>,
}

impl Fanout {
    pub(crate) fn join(&self, socket: SocketRef) {
        let _ = self.joins.try_send(socket);
    }
}

pub(crate) fn fanout(
    mut newest: watch::Receiver<u64>,
    stop: CancellationToken,
) -> (Fanout, impl Future<Output = ()>) {
    let (joins, mut joining) = mpsc::channel::<SocketRef>(100_000);
    let task = async move {
        let mut sockets: HashMap<Sid, SocketRef> = HashMap::new();
        let mut done = *newest.borrow_and_update();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(socket) = joining.recv() => {
                    let _ = socket.emit("countUpdated", &done);
                    sockets.insert(socket.id, socket);
                }
                Ok(()) = newest.changed() => {
                    let until = *newest.borrow_and_update();
                    for count in done + 1..=until {
                        sockets.retain(|_, socket| {
                            let _ = socket.emit("countUpdated", &count);
                            socket.connected()
                        });
                    }
                    done = until;
                }
            }
        }
    };
    (Fanout { joins }, task)
}
