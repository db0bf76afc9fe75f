//! A timer that an epoll set can watch (`timerfd_create(2)`), on the monotonic clock.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create,
        timerfd_settime,
    },
};

use crate::time::{Nanos, SECOND};

pub(super) struct Timer {
    file: OwnedFd,
    /// What it is set to.
    at: Option<Nanos>,
}

impl Timer {
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Self {
            file: timerfd_create(TimerfdClockId::Monotonic, flags)?,
            at: None,
        })
    }

    /// Readable once, from then on.
    pub(super) fn set(&mut self, at: Nanos) -> io::Result<()> {
        if self.at.replace(at) == Some(at) {
            return Ok(());
        }
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = Timespec {
            tv_sec: (at / SECOND).cast_signed(),
            tv_nsec: (at % SECOND).cast_signed(),
        };
        let once = Itimerspec {
            it_interval: zero,
            it_value: value,
        };
        timerfd_settime(&self.file, TimerfdTimerFlags::ABSTIME, &once)?;
        Ok(())
    }

    /// Sleeps until it is readable, but no longer than this.
    pub(super) fn sleep(&self, longest: Nanos) -> io::Result<()> {
        let longest = Timespec {
            tv_sec: 0,
            tv_nsec: longest.min(SECOND - 1).cast_signed(),
        };
        match poll(
            &mut [PollFd::new(&self.file, PollFlags::IN)],
            Some(&longest),
        ) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes it unreadable again.
    pub(super) fn take(&mut self) {
        self.at = None;
        // A failure would leave it readable: the next turn comes at once, and reads again.
        let _ = rustix::io::read(&self.file, &mut [0_u8; 8]);
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
