//! The two doors by which bytes leave on one connection.
//!
//! The first door is socketioxide's: HTTP, then every frame but the counts. The second is the
//! fan-out's: counts only, and only between two frames. Their lock is held around this state and
//! the write itself, so that what it says has left is what has left. No I/O of its own: the write
//! is a closure, so that tests and models can stand in for a socket.

use std::io;

use super::wire::{self, Kind, Wire};
use crate::frames::Run;

/// State of both doors.
#[derive(Debug)]
pub(crate) struct Doors {
    wire: Wire,
    second: Second,
    /// How often the connection has joined: an entry of an earlier time finds the door closed.
    epoch: u32,
    /// What is still to be sent of a frame of the second door.
    rest: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Second {
    /// The client is in no namespace that has counts.
    Closed,
    /// The first count to come to the first door opens it. Who was sent this count by polling,
    /// before the upgrade, goes on from there and is not sent that first count.
    Awaiting {
        polled: Option<u64>,
    },
    Open,
    /// Open, but the fan-out found the first door in the middle of a frame and left; this was the
    /// last count sent.
    Parked(u64),
    /// For good: a Close frame was sent, or socketioxide dropped its half.
    Ended,
}

/// What a write by the first door brought about beside the write.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effects {
    /// The connection belongs to the fan-out again: it joined, or is no longer parked. With the
    /// last count sent.
    pub(crate) ready: Option<Ready>,
    /// Acknowledgements that left.
    pub(crate) acknowledged: u32,
    /// The probe of an upgrade was answered: from here on nothing more leaves by polling.
    pub(crate) probed: bool,
}

/// What the fan-out must know of a connection to send what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ready {
    /// Of this time of joining.
    pub(crate) epoch: u32,
    /// The last count sent.
    pub(crate) last: u64,
}

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

impl Default for Doors {
    fn default() -> Self {
        Self {
            wire: Wire::Http,
            second: Second::Closed,
            epoch: 0,
            rest: Vec::new(),
        }
    }
}

impl Doors {
    /// The response that follows is the 101 of an upgrade.
    pub(crate) fn expect_upgrade(&mut self) {
        self.wire = Wire::Head(0);
    }

    /// The client is in the namespace: its first count is on its way to the first door.
    pub(crate) fn welcome(&mut self, polled: Option<u64>) {
        if matches!(self.second, Second::Closed | Second::Awaiting { .. }) {
            self.second = Second::Awaiting { polled };
        }
    }

    /// The client left the namespace; it may come back.
    pub(crate) fn leave(&mut self) {
        if self.second != Second::Ended {
            self.second = Second::Closed;
        }
    }

    /// Nothing leaves by the second door any more.
    pub(crate) fn end(&mut self) {
        self.second = Second::Ended;
    }

    /// Counts are the fan-out's to send, and what comes by the first door is not.
    fn swallows(&self) -> bool {
        matches!(
            self.second,
            Second::Open | Second::Parked(_) | Second::Awaiting { polled: Some(_) }
        )
    }

    /// Writes by the first door. Counts of a joined connection are taken and not sent.
    ///
    /// # Errors
    /// Those of `send`; `WouldBlock` when nothing was taken.
    pub(crate) fn write_first(
        &mut self,
        bytes: &[u8],
        effects: &mut Effects,
        mut send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.finish_rest(&mut send)?;
        let mut taken = 0;
        while taken < bytes.len() {
            let ahead = &bytes[taken..];
            let (length, swallowed) = self.piece(ahead)?;
            if swallowed {
                if let Second::Awaiting { polled: Some(last) } = self.second {
                    effects.ready = Some(self.open(last));
                }
                taken += length;
                continue;
            }
            match send(&ahead[..length]) {
                Ok(sent) => {
                    self.left(ahead, sent, effects)?;
                    taken += sent;
                    if sent < length {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && taken > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(taken)
    }

    /// How many of the bytes ahead go together in one write, or are swallowed together. Counts end
    /// a piece: the first one opens the second door, and changes what becomes of the next.
    fn piece(&self, ahead: &[u8]) -> io::Result<(usize, bool)> {
        let mut at = match self.wire {
            Wire::Http | Wire::Head(_) => return Ok((ahead.len(), false)),
            Wire::Boundary => 0,
            Wire::Within(_, left) => left,
        };
        while at < ahead.len() {
            let (kind, length) = wire::frame(&ahead[at..])?;
            if let Kind::Count(_) = kind {
                return Ok(match (self.swallows(), at) {
                    (true, 0) => (length, true),
                    (true, _) => (at, false),
                    (false, _) => (at + length, false),
                });
            }
            at += length;
        }
        Ok((ahead.len(), false))
    }

    fn open(&mut self, last: u64) -> Ready {
        self.epoch += 1;
        self.second = Second::Open;
        Ready {
            epoch: self.epoch,
            last,
        }
    }

    fn left(&mut self, ahead: &[u8], sent: usize, effects: &mut Effects) -> io::Result<()> {
        let mut first_count = None;
        let mut closed = false;
        self.wire.advance(ahead, sent, |kind| match kind {
            Kind::Count(count) => first_count = Some(count),
            Kind::Close => closed = true,
            Kind::Ack => effects.acknowledged += 1,
            Kind::Probe => effects.probed = true,
            Kind::Other => {}
        })?;
        match (self.second, first_count) {
            _ if closed => self.second = Second::Ended,
            (Second::Awaiting { .. }, Some(count)) => effects.ready = Some(self.open(count)),
            (Second::Parked(last), _) if self.wire == Wire::Boundary => {
                self.second = Second::Open;
                effects.ready = Some(Ready {
                    epoch: self.epoch,
                    last,
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Writes a run by the second door, for a fan-out that last sent `last` to the connection.
    pub(crate) fn write_second(
        &mut self,
        from: Ready,
        run: &Run,
        mut send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> Outcome {
        if self.second != Second::Open || self.epoch != from.epoch {
            return Outcome::Gone;
        }
        if self.wire != Wire::Boundary {
            self.second = Second::Parked(from.last);
            return Outcome::Parked;
        }
        let written = self.finish_rest(&mut send).and_then(|()| send(run.bytes()));
        match written {
            Ok(sent) if sent == run.bytes().len() => Outcome::Whole,
            Ok(0) => Outcome::Full(from.last),
            Ok(sent) => {
                let (last, rest) = run.cut(sent);
                self.rest.extend_from_slice(rest);
                Outcome::Full(last)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Outcome::Full(from.last),
            Err(_) => Outcome::Gone,
        }
    }

    /// Completes the frame that the second door began; whoever writes next does it.
    fn finish_rest(&mut self, send: &mut impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        while !self.rest.is_empty() {
            let sent = send(&self.rest)?;
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
