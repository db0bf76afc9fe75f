//! One thread and its connections, all of which were last sent the same count.
//!
//! It sleeps until the newest committed count moves, builds the frames of what is new once, and
//! writes that one buffer to each. While it writes, counts pile up for its next pass: batching
//! comes by itself under load and costs nothing when idle.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::sender::{BATCH, Sender};
use super::{Fanout, Lagging};
use crate::connection::{Connection, Outcome, Ready, Sending};
use crate::frames::Run;

/// When all was sent a shard rests for half the time that it took, within these bounds: counts that
/// come meanwhile share the next pass, and whoever must read what was sent has a CPU to do it.
const LONGEST_REST: Duration = Duration::from_millis(10);

/// The runtime's timer is no finer than this.
const SHORTEST_REST: Duration = Duration::from_millis(1);

/// What a shard is told.
#[derive(Debug)]
pub(super) enum Message {
    /// This connection is yours.
    Join(Lagging),
    /// This one is gone, if it was yours.
    Leave(Arc<Connection>),
    /// Say when you have sent what is new.
    Settle(oneshot::Sender<()>),
}

pub(super) struct Shard {
    fanout: Fanout,
    index: usize,
    newest: watch::Receiver<u64>,
    /// The count that every member was last sent.
    done: u64,
    members: Vec<Member>,
    /// Who waits until what is new was sent.
    settling: Vec<oneshot::Sender<()>>,
    run: Run,
    sender: Sender,
}

struct Member {
    connection: Arc<Connection>,
    epoch: u32,
}

impl Shard {
    pub(super) fn new(fanout: Fanout, index: usize) -> Self {
        let mut newest = fanout.0.newest.clone();
        let done = *newest.borrow_and_update();
        let sender = Sender::new(fanout.0.limits.io_uring);
        Self {
            fanout,
            index,
            newest,
            done,
            members: Vec::new(),
            settling: Vec::new(),
            run: Run::default(),
            sender,
        }
    }

    pub(super) async fn run(mut self) {
        let fanout = self.fanout.clone();
        let inbox = &fanout.0.shards[self.index];
        let mut messages = Vec::new();
        loop {
            tokio::select! {
                () = inbox.arrived() => {}
                moved = self.newest.changed() => if moved.is_err() { return },
            }
            let started = Instant::now();
            // Messages first: who joined with the count that was the newest is then a member.
            loop {
                inbox.take(&mut messages);
                self.handle(&mut messages);
                if !self.pass() {
                    break;
                }
            }
            for settled in self.settling.drain(..) {
                // Whoever asked may have lost patience.
                let _ = settled.send(());
            }
            let rest = started.elapsed() / 2;
            if rest >= SHORTEST_REST {
                tokio::time::sleep(rest.min(LONGEST_REST)).await;
            }
        }
    }

    fn handle(&mut self, messages: &mut Vec<Message>) {
        for message in messages.drain(..) {
            match message {
                Message::Join(lagging) => self.join(lagging),
                Message::Leave(connection) => self.leave(&connection),
                Message::Settle(settled) => self.settling.push(settled),
            }
        }
    }

    /// Sends the members what is new, as much as fits one run. Whether there was anything.
    fn pass(&mut self) -> bool {
        let newest = *self.newest.borrow_and_update();
        if newest <= self.done {
            return false;
        }
        let started = Instant::now();
        self.run
            .build(self.done, newest, self.fanout.0.limits.max_behind);
        let missed = self.send_all();
        let sent = (self.members.len() - missed.len()) as u64;
        // From the end, so that what takes the place of one removed is not another to remove.
        for (at, outcome) in missed.into_iter().rev() {
            let Member { connection, epoch } = self.remove(at);
            if let Outcome::Full(last) = outcome {
                self.fanout.0.metrics.sent(&self.run, self.done, last, 1);
                self.lag(connection, Ready { epoch, last });
            }
        }
        let metrics = &self.fanout.0.metrics;
        metrics
            .pass_seconds
            .observe(started.elapsed().as_secs_f64());
        metrics
            .pass_counts
            .observe((self.run.until() - self.done) as f64);
        metrics.sent(&self.run, self.done, self.run.until(), sent);
        self.done = self.run.until();
        true
    }

    /// Sends the run to all members. Places of those who could not be sent the whole of it, in order.
    fn send_all(&mut self) -> Vec<(usize, Outcome)> {
        let mut missed = Vec::new();
        let mut batch = Vec::with_capacity(BATCH);
        for (members, start) in self.members.chunks(BATCH).zip((0..).step_by(BATCH)) {
            batch.extend(members.iter().map(|Member { connection, epoch }| {
                let from = Ready {
                    epoch: *epoch,
                    last: self.done,
                };
                Sending::begin(connection, from)
            }));
            self.sender.send(&self.run, &mut batch);
            let outcomes = batch.drain(..).map(|sending| sending.outcome());
            missed.extend(
                (start..)
                    .zip(outcomes)
                    .filter(|(_, outcome)| *outcome != Outcome::Whole),
            );
        }
        missed
    }

    /// Takes a connection in, which may be behind or ahead of the others.
    fn join(&mut self, lagging: Lagging) {
        let Lagging { connection, from } = lagging;
        // Counts are committed before anybody is sent one, so there is something to pass.
        while self.done < from.last && self.pass() {}
        let Some(from) = self.catch_up(&connection, from) else {
            return;
        };
        if from.last < self.done {
            self.lag(connection, from);
            return;
        }
        // One that left while it was in the drain, and came back, comes twice: a pass locks several
        // connections at a time, and none of them two times.
        if let Some(at) = self.place(&connection) {
            let member = &mut self.members[at];
            member.epoch = member.epoch.max(from.epoch);
            return;
        }
        let slot = self.members.len() as u32;
        connection.slot.store(slot, Ordering::Relaxed);
        self.members.push(Member {
            connection,
            epoch: from.epoch,
        });
    }

    /// Sends one connection what the others were sent already, as much as fits one run; nothing if
    /// it is somebody else's now.
    fn catch_up(&mut self, connection: &Connection, from: Ready) -> Option<Ready> {
        if from.last >= self.done {
            return Some(from);
        }
        self.run
            .build(from.last, self.done, self.fanout.0.limits.max_behind);
        let mut sending = [Sending::begin(connection, from)];
        self.sender.send(&self.run, &mut sending);
        let last = match sending[0].outcome() {
            Outcome::Whole => self.run.until(),
            Outcome::Full(last) => last,
            Outcome::Parked | Outcome::Gone => return None,
        };
        self.fanout.0.metrics.sent(&self.run, from.last, last, 1);
        Some(Ready { last, ..from })
    }

    fn leave(&mut self, connection: &Arc<Connection>) {
        if let Some(at) = self.place(connection) {
            self.remove(at);
        }
    }

    /// Where the connection is among the members, if it is.
    fn place(&self, connection: &Arc<Connection>) -> Option<usize> {
        let slot = connection.slot.load(Ordering::Relaxed) as usize;
        let member = self.members.get(slot)?;
        Arc::ptr_eq(&member.connection, connection).then_some(slot)
    }

    fn remove(&mut self, slot: usize) -> Member {
        let removed = self.members.swap_remove(slot);
        if let Some(moved) = self.members.get(slot) {
            moved.connection.slot.store(slot as u32, Ordering::Relaxed);
        }
        removed
    }

    fn lag(&self, connection: Arc<Connection>, from: Ready) {
        self.fanout.0.lagging.push(Lagging { connection, from });
    }
}
