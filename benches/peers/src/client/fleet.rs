//! All connections and the one loop that serves them: sends what is due, reads what came, notes what is lost.

mod membership;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::time::Timespec;

use super::connection::Connection;
use super::target::Target;
use super::totals::Totals;
use super::watch::Watch;
use crate::wire::{frame, packet};

/// Events taken at one time.
const EVENTS: usize = 256;
/// One `recv` takes at most so many bytes.
const BUFFER: usize = 256 * 1024;

/// One client's place. It has no connection before it begins and after it is lost.
#[derive(Debug, Default)]
struct Client {
    connection: Option<Connection>,
    /// Reads nothing at present.
    stopped: bool,
    /// Stopped once: judged apart from the others.
    ever_stopped: bool,
    attempts: usize,
}

/// How a wait for counts ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Everyone has every count.
    Complete,
    /// Some are missing, and none came for some time.
    Quiet,
    /// Counts still came at the deadline.
    CutShort,
}

/// All clients of one run.
pub(crate) struct Fleet {
    epoll: OwnedFd,
    events: Vec<Event>,
    buffer: Vec<u8>,
    target: Target,
    host: String,
    in_flight: usize,
    narrow_from: usize,
    clients: Vec<Client>,
    /// What the present phase expects and measures.
    pub(crate) watch: Watch,
    increments: Vec<u8>,
    /// Connections that have to reach the newest count of the phase.
    receivers: usize,
    /// Clients whose connection failed before its first count.
    failed: Vec<usize>,
    /// What ended connections had received, and how many the server ended.
    ended: Totals,
    /// Why connections ended, and how often.
    pub(crate) reasons: BTreeMap<String, usize>,
}

impl Fleet {
    /// A fleet of so many clients, none of them connected. At most `in_flight` connect at one time; those from
    /// `narrow_from` on have small receive buffers.
    pub(crate) fn new(
        target: Target,
        clients: usize,
        in_flight: usize,
        narrow_from: usize,
    ) -> Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)
                .context("cannot create an epoll instance")?,
            events: Vec::with_capacity(EVENTS),
            buffer: vec![0; BUFFER],
            target,
            host: target.host(),
            in_flight,
            narrow_from,
            clients: (0..clients).map(|_| Client::default()).collect(),
            watch: Watch::idle(0)?,
            increments: Vec::new(),
            receivers: 0,
            failed: Vec::new(),
            ended: Totals::default(),
            reasons: BTreeMap::new(),
        })
    }

    /// Connections that are open and read.
    fn reading(&self) -> impl Iterator<Item = &Connection> {
        self.clients
            .iter()
            .filter(|client| !client.stopped)
            .filter_map(|client| client.connection.as_ref())
    }

    /// The newest count that there must be: every increment that was sent counts, also while its count is on its way.
    pub(crate) fn newest(&self) -> u64 {
        let highest = self
            .reading()
            .filter_map(|connection| connection.tally.highest())
            .max();
        self.watch.newest().max(highest.unwrap_or(0))
    }

    /// Begins a phase: whoever is connected and reads has to end on the newest count of `watch`.
    pub(crate) fn expect(&mut self, mut watch: Watch) {
        let newest = Some(watch.newest());
        self.receivers = self.reading().count();
        watch.at_newest = self
            .reading()
            .filter(|connection| connection.tally.highest() >= newest)
            .count();
        self.watch = watch;
    }

    /// Whether everyone who is waited for has the newest count of the phase.
    pub(crate) fn all_at_newest(&self) -> bool {
        self.watch.at_newest >= self.receivers
    }

    /// Counts over all clients, against the newest count of the present phase. Those that stopped are judged apart.
    pub(crate) fn totals(&self) -> Totals {
        let newest = self.watch.newest();
        let mut totals = self.ended;
        for client in &self.clients {
            let Some(Connection { tally, .. }) = &client.connection else {
                continue;
            };
            totals += if client.ever_stopped {
                Totals {
                    lost: 0,
                    skipped: 0,
                    ..Totals::of(tally)
                }
            } else {
                Totals {
                    lost: tally.lost(newest),
                    stale: u64::from(tally.stale(newest)),
                    ..Totals::of(tally)
                }
            };
        }
        totals
    }

    /// Runs for a time, whatever comes.
    pub(crate) fn run_until(&mut self, end: Instant) -> Result<()> {
        while Instant::now() < end {
            self.turn(end)?;
        }
        Ok(())
    }

    /// Runs until all have every count, or `quiet` passes without one, or the deadline comes.
    pub(crate) fn settle(&mut self, quiet: Duration, deadline: Instant) -> Result<Settled> {
        let start = self
            .watch
            .last_due()
            .unwrap_or_else(Instant::now)
            .max(Instant::now());
        loop {
            // A server that loses counts may still send them late.
            let complete = || {
                self.reading()
                    .all(|connection| connection.tally.missing() == 0)
            };
            if self.watch.next_due().is_none() && self.all_at_newest() && complete() {
                return Ok(Settled::Complete);
            }
            let end = start.max(self.watch.last_arrival) + quiet;
            match Instant::now() {
                now if now >= deadline => return Ok(Settled::CutShort),
                now if now >= end => return Ok(Settled::Quiet),
                _ => self.turn(end.min(deadline))?,
            }
        }
    }

    /// One wait for events, at most `until`, and all that they bring.
    pub(crate) fn turn(&mut self, until: Instant) -> Result<()> {
        self.send_due(Instant::now())?;
        let until = self.watch.next_due().map_or(until, |due| due.min(until));
        let wait = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: wait.as_secs().cast_signed(),
            tv_nsec: wait.subsec_nanos().into(),
        };
        self.events.clear();
        match epoll::wait(
            &self.epoll,
            spare_capacity(&mut self.events),
            Some(&timeout),
        ) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for events"),
        }
        for at in 0..self.events.len() {
            self.attend(self.events[at]);
            // A pass over many connections must not delay what is due; the instant of the last arrival is fresh enough.
            self.send_due(self.watch.last_arrival)?;
        }
        Ok(())
    }

    fn attend(&mut self, event: Event) {
        let index = event.data.u64() as usize;
        let Some(connection) = self.clients[index].connection.as_mut() else {
            return;
        };
        let outcome = connection
            .attend(event.flags, &self.host, &mut self.buffer, &mut self.watch)
            .and_then(|()| announce(&self.epoll, index, connection));
        if let Err(reason) = outcome {
            self.lose(index, &format!("{reason:#}"));
        }
    }

    fn lose(&mut self, index: usize, reason: &str) {
        *self.reasons.entry(reason.to_owned()).or_default() += 1;
        let client = &mut self.clients[index];
        let Some(connection) = client.connection.take() else {
            return;
        };
        let highest = connection.tally.highest();
        if highest.is_none() {
            self.failed.push(index);
            return;
        }
        self.ended += Totals {
            disconnected: u64::from(!client.ever_stopped),
            ..Totals::of(&connection.tally)
        };
        // It is not waited for any more, unless it has arrived already.
        self.receivers -= usize::from(highest < Some(self.watch.newest()) && self.receivers > 0);
    }

    fn send_due(&mut self, now: Instant) -> Result<()> {
        if self.watch.next_due().is_none_or(|due| due > now) {
            return Ok(());
        }
        self.increments.clear();
        for _ in 0..self.watch.take_due(now) {
            frame::from_client(&mut self.increments, frame::TEXT, packet::INCREMENT);
        }
        let emitter = self.clients[0]
            .connection
            .as_mut()
            .context("the server cut off the client that emits")?;
        emitter.send(&self.increments)?;
        announce(&self.epoll, 0, emitter)
    }
}

/// Tells epoll what a connection waits for, when that changed.
fn announce(epoll: &OwnedFd, index: usize, connection: &mut Connection) -> Result<()> {
    let interest = connection.interest();
    if interest != connection.registered {
        epoll::modify(
            epoll,
            &*connection,
            EventData::new_u64(index as u64),
            interest,
        )?;
        connection.registered = interest;
    }
    Ok(())
}
