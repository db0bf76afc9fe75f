//! The second door: runs of counts, from a shard or from the drain.

use std::io;

use super::{Doors, Ready, Second};
use crate::connection::wire::Wire;
use crate::frames::Run;

/// What a direct write achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All of it left.
    Whole,
    /// The socket is full after this count, whose frame may be left in part.
    Full(u64),
    /// The first door is in the middle of a frame, and will hand the connection back.
    Parked,
    /// The door is closed, or the peer is gone.
    Gone,
}

impl Doors {
    /// Whether the second door may send, for a fan-out that last sent `from.last`.
    fn admit(&mut self, from: Ready) -> Result<(), Outcome> {
        if self.second != Second::Open || self.epoch != from.epoch {
            return Err(Outcome::Gone);
        }
        if self.wire != Wire::Boundary {
            self.second = Second::Parked(from.last);
            return Err(Outcome::Parked);
        }
        Ok(())
    }

    /// Whether the second door may begin a run; [`Self::end_second`] follows under the same lock.
    ///
    /// # Errors
    /// What became of the run otherwise.
    pub(crate) fn begin_second(&mut self, from: Ready) -> Result<(), Outcome> {
        self.admit(from)?;
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Outcome::Full(from.last))
        }
    }

    /// What became of a run of which so many bytes left.
    pub(crate) fn end_second(
        &mut self,
        from: Ready,
        run: &Run,
        written: io::Result<usize>,
    ) -> Outcome {
        match written {
            Ok(sent) => self.sent(run, sent),
            Err(error) => unsent(from, &error),
        }
    }

    /// Completes the frame that the second door began, and writes a run if there is one.
    pub(crate) fn write_second(
        &mut self,
        from: Ready,
        run: Option<&Run>,
        mut write: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> Outcome {
        if let Err(outcome) = self.admit(from) {
            return outcome;
        }
        if let Err(error) = self.finish_rest(&mut write) {
            return unsent(from, &error);
        }
        match run {
            Some(run) => self.end_second(from, run, write(run.bytes())),
            None => Outcome::Whole,
        }
    }

    fn sent(&mut self, run: &Run, sent: usize) -> Outcome {
        if sent == run.bytes().len() {
            self.last = run.until();
            return Outcome::Whole;
        }
        let (last, rest) = run.cut(sent);
        self.rest.extend_from_slice(rest);
        self.last = last;
        Outcome::Full(last)
    }

    /// Completes the frame that the second door began; whoever writes next does it.
    pub(super) fn finish_rest(
        &mut self,
        write: &mut impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<()> {
        while !self.rest.is_empty() {
            let sent = write(&self.rest)?;
            if sent == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.rest.drain(..sent);
            if self.rest.is_empty() {
                self.rest = Vec::new();
            }
        }
        Ok(())
    }
}

fn unsent(from: Ready, error: &io::Error) -> Outcome {
    if error.kind() == io::ErrorKind::WouldBlock {
        Outcome::Full(from.last)
    } else {
        Outcome::Gone
    }
}
