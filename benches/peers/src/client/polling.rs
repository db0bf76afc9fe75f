//! Clients that begin as browsers do: with HTTP long-polling, then upgraded to a WebSocket under load. Each blocks a
//! thread until it has upgraded; then the fleet takes it in.

mod poller;

use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use anyhow::{Result, anyhow};

use self::poller::Poller;
use super::tally::Tally;
use super::target::Target;

/// The answers to polls that a client waits for before it upgrades differ from client to client, up to this.
const POLLS: usize = 12;

/// A client whose upgrade is complete.
pub(crate) struct Upgrade {
    pub(crate) stream: TcpStream,
    /// Bytes that came after the upgrade and were not looked at.
    pub(crate) unread: Vec<u8>,
    pub(crate) tally: Tally,
    pub(crate) polls: u64,
}

/// Clients that are still to come, shared by the threads that bring them.
pub(crate) struct Queue {
    target: Target,
    clients: usize,
    next: AtomicUsize,
    deadline: Instant,
}

impl Queue {
    /// So many clients, who give up at the deadline.
    pub(crate) fn new(target: Target, clients: usize, deadline: Instant) -> Self {
        Self {
            target,
            clients,
            next: AtomicUsize::new(0),
            deadline,
        }
    }

    /// Brings clients one after the other until none is left.
    pub(crate) fn work(&self, done: &SyncSender<Result<Upgrade>>) {
        loop {
            let client = self.next.fetch_add(1, Ordering::Relaxed);
            if client >= self.clients || done.send(self.bring(1 + client % POLLS)).is_err() {
                return;
            }
        }
    }

    fn bring(&self, polls: usize) -> Result<Upgrade> {
        self.walk(polls).map_err(|error| {
            // A read that runs into its timeout ran into the deadline.
            let late = error
                .chain()
                .any(|cause| cause.downcast_ref().is_some_and(is_timeout));
            if late {
                anyhow!("not upgraded before the load ended")
            } else {
                error
            }
        })
    }

    fn walk(&self, polls: usize) -> Result<Upgrade> {
        let mut poller = Poller::open(self.target, self.deadline)?;
        while poller.polls < polls as u64 || poller.tally.highest().is_none() {
            poller.ask()?;
            poller.poll()?;
        }
        poller.upgrade()
    }
}

fn is_timeout(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}
