//! The epoll set of one thread. Keys are the caller's. Connections are edge-triggered: the kernel does not have to look
//! again at each one that was read (a tenth of the price of a message). Whoever leaves something unread has to come
//! back by itself.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
};

use rustix::{
    event::{Timespec, epoll},
    io::Errno,
};

use crate::time::{Nanos, SECOND};

/// More ready connections than this take a second turn.
const EVENTS: usize = 4_096;

pub(crate) struct Poller {
    set: OwnedFd,
    events: Vec<epoll::Event>,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Nothing,
    Read,
    ReadWrite,
}

impl Interest {
    fn flags(self) -> epoll::EventFlags {
        let read = epoll::EventFlags::IN | epoll::EventFlags::RDHUP;
        match self {
            Self::Nothing => epoll::EventFlags::empty(),
            Self::Read => read,
            Self::ReadWrite => read | epoll::EventFlags::OUT,
        }
    }
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            set: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(EVENTS),
        })
    }

    /// Watches a connection.
    pub(crate) fn add(&self, source: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::add(
            &self.set,
            source,
            epoll::EventData::new_u64(key),
            interest.flags() | epoll::EventFlags::ET,
        )?)
    }

    /// Watches what is no connection, as long as it is readable.
    pub(crate) fn add_level(&self, source: impl AsFd, key: u64) -> io::Result<()> {
        Ok(epoll::add(
            &self.set,
            source,
            epoll::EventData::new_u64(key),
            epoll::EventFlags::IN,
        )?)
    }

    pub(crate) fn change(&self, source: impl AsFd, key: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(
            &self.set,
            source,
            epoll::EventData::new_u64(key),
            interest.flags() | epoll::EventFlags::ET,
        )?)
    }

    /// Waits until something is ready or `timeout` is over, and gives the keys of what is ready, and whether it may be
    /// read or written. Errors and hang-ups show as readable: the read tells.
    pub(crate) fn wait(&mut self, timeout: Nanos) -> io::Result<usize> {
        let timeout = Timespec {
            tv_sec: (timeout / SECOND).cast_signed(),
            tv_nsec: (timeout % SECOND).cast_signed(),
        };
        self.events.clear();
        match epoll::wait(
            &self.set,
            rustix::buffer::spare_capacity(&mut self.events),
            Some(&timeout),
        ) {
            Ok(_) | Err(Errno::INTR) => Ok(self.events.len()),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether the last wait found as many as it could take: there may be more.
    pub(crate) fn was_full(&self) -> bool {
        self.events.len() == self.events.capacity()
    }

    /// The `index`-th ready one of the last wait.
    pub(crate) fn ready(&self, index: usize) -> Ready {
        let event = self.events[index];
        let flags = event.flags;
        let stopped = epoll::EventFlags::ERR | epoll::EventFlags::HUP;
        let ended = stopped | epoll::EventFlags::RDHUP;
        Ready {
            key: event.data.u64(),
            readable: flags.intersects(epoll::EventFlags::IN | ended),
            writable: flags.intersects(epoll::EventFlags::OUT | stopped),
            ended: flags.intersects(ended),
        }
    }
}

/// A connection that can go on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    pub(crate) key: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The end of the stream, or an error, waits behind what can be read.
    pub(crate) ended: bool,
}
