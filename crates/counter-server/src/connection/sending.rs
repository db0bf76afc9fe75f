//! A connection on the way to being sent a run past socketioxide.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::MutexGuard;

use super::{Connection, Doors, Outcome, Ready, lock};
use crate::frames::Run;

/// A connection that is locked until this is dropped: nobody else writes to it.
#[derive(Debug)]
pub(crate) struct Sending<'a> {
    doors: MutexGuard<'a, Doors>,
    socket: BorrowedFd<'a>,
    from: Ready,
    /// What became of the run, once that is known.
    outcome: Option<Outcome>,
}

impl<'a> Sending<'a> {
    /// Locks the connection for the fan-out that last sent `from.last`. If nothing can be sent, the
    /// outcome is there from the start.
    pub(crate) fn begin(connection: &'a Connection, from: Ready) -> Self {
        let mut doors = lock(&connection.doors);
        let outcome = doors.begin_second(from).err();
        Self {
            doors,
            socket: connection.stream.as_fd(),
            from,
            outcome,
        }
    }

    /// Where to send, as long as the outcome is open.
    pub(crate) fn socket(&self) -> Option<BorrowedFd<'a>> {
        self.outcome.is_none().then_some(self.socket)
    }

    /// So many bytes of the run left.
    pub(crate) fn end(&mut self, run: &Run, written: io::Result<usize>) {
        self.outcome = Some(self.doors.end_second(self.from, run, written));
    }

    /// What became of the run; nothing of it left before [`Self::end`].
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome.unwrap_or(Outcome::Full(self.from.last))
    }
}
