//! One run to many sockets: in one system call where the kernel offers `io_uring`, else in one each.

use rustix::net::SendFlags;
use tracing::{debug, warn};

use super::ring::Ring;
use crate::connection::Sending;
use crate::frames::Run;

/// Connections that are locked and sent to at one time: enough that the price of a system call is
/// shared by many, few enough that nobody waits long for a lock.
pub(super) const BATCH: usize = 64;

/// How the sends are made.
const FLAGS: SendFlags = SendFlags::DONTWAIT.union(SendFlags::NOSIGNAL);

/// Sends for one shard.
pub(super) struct Sender {
    ring: Option<Ring>,
}

impl Sender {
    /// With `io_uring` where the kernel has it and permits it.
    pub(super) fn new(io_uring: bool) -> Self {
        let ring = io_uring.then(|| Ring::new(BATCH));
        let ring = ring.and_then(|ring| {
            ring.inspect_err(|error| debug!(%error, "no io_uring here: one system call per client"))
                .ok()
        });
        Self { ring }
    }

    /// Sends the run to at most [`BATCH`] connections, each of which is told what became of it;
    /// never waits for a socket.
    pub(super) fn send(&mut self, run: &Run, batch: &mut [Sending<'_>]) {
        if let Some(ring) = &mut self.ring
            && let Err(error) = ring.send(run.bytes(), FLAGS, batch, |sending, written| {
                sending.end(run, written);
            })
        {
            warn!(%error, "io_uring failed; from here on there is one system call per client");
            self.ring = None;
        }
        for sending in batch {
            if let Some(socket) = sending.socket() {
                let written = rustix::net::send(socket, run.bytes(), FLAGS);
                sending.end(run, written.map_err(Into::into));
            }
        }
    }
}
