//! The two doors by which bytes leave on one connection.
//!
//! The first door is socketioxide's: HTTP, then every frame but the counts. The second is the
//! fan-out's: counts only, and only between two frames. Their lock is held around this state and
//! the write itself, so that what it says has left is what has left. No I/O of its own: the write
//! is a closure, so that tests and models can stand in for a socket.

mod second;

use std::io;

pub(crate) use self::second::Outcome;
use super::wire::{self, Kind, Wire};

/// State of both doors.
#[derive(Debug)]
pub(crate) struct Doors {
    wire: Wire,
    /// The session began with this connection, so its first count follows the handshake at once.
    direct: bool,
    second: Second,
    /// How often the connection has joined: an entry of an earlier time finds the door closed.
    epoch: u32,
    /// The last count sent.
    last: u64,
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

/// When the kernel sends what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Push {
    /// At once.
    Now,
    /// Together with what follows, or after 200 ms if nothing does: the handshake of a session takes
    /// two packets instead of five.
    WithNext,
}

/// Bytes at the first door that have one fate.
struct Piece {
    length: usize,
    passes: bool,
    push: Push,
}

impl Default for Doors {
    fn default() -> Self {
        Self {
            wire: Wire::Http,
            direct: false,
            second: Second::Closed,
            epoch: 0,
            last: 0,
            rest: Vec::new(),
        }
    }
}

impl Doors {
    /// The response that follows is the 101 of a WebSocket; `direct` if the session begins with it.
    pub(crate) fn expect_upgrade(&mut self, direct: bool) {
        self.wire = Wire::Head(0);
        self.direct = direct;
    }

    /// The client is in the namespace: its first count is on its way to the first door. Whether the
    /// connection still is.
    pub(crate) fn welcome(&mut self, polled: Option<u64>) -> bool {
        if matches!(self.second, Second::Closed | Second::Awaiting { .. }) {
            self.second = Second::Awaiting { polled };
        }
        self.second != Second::Ended
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

    /// Only the first count of a session passes the first door; all others are the fan-out's to
    /// send, or were queued for a session that has left since.
    fn passes(&self, count: u64) -> bool {
        self.second == Second::Awaiting { polled: None } && count >= self.last
    }

    /// Writes by the first door. Counts that do not pass are taken and not sent.
    ///
    /// # Errors
    /// Those of `write`; `WouldBlock` when nothing was taken.
    pub(crate) fn write_first(
        &mut self,
        bytes: &[u8],
        effects: &mut Effects,
        mut write: impl FnMut(&[u8], Push) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.finish_rest(&mut |bytes: &[u8]| write(bytes, Push::Now))?;
        let mut taken = 0;
        while taken < bytes.len() {
            let ahead = &bytes[taken..];
            let Piece {
                length,
                passes,
                push,
            } = self.piece(ahead)?;
            if !passes {
                if let Second::Awaiting { polled: Some(last) } = self.second {
                    effects.ready = Some(self.open(last));
                }
                taken += length;
                continue;
            }
            match write(&ahead[..length], push) {
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

    /// The bytes ahead that have one fate. A count ends a piece: the first one opens the second
    /// door, and changes what becomes of the next.
    fn piece(&self, ahead: &[u8]) -> io::Result<Piece> {
        let passing = |length, push| Piece {
            length,
            passes: true,
            push,
        };
        let mut at = match self.wire {
            Wire::Http => return Ok(passing(ahead.len(), Push::Now)),
            Wire::Head(seen) => return Ok(passing(wire::head(seen, ahead).0, self.with_next())),
            Wire::Within(Kind::Count(_), left) => {
                return Ok(passing(left.min(ahead.len()), Push::Now));
            }
            Wire::Within(_, left) => left,
            Wire::Boundary => 0,
        };
        let mut push = Push::Now;
        while at < ahead.len() {
            let (kind, length) = wire::frame(&ahead[at..])?;
            match kind {
                Kind::Count(count) if self.passes(count) => {
                    return Ok(passing(at + length, Push::Now));
                }
                Kind::Count(_) if at == 0 => {
                    return Ok(Piece {
                        length,
                        passes: false,
                        push,
                    });
                }
                Kind::Count(_) => return Ok(passing(at, push)),
                Kind::Prelude => push = self.with_next(),
                _ => push = Push::Now,
            }
            at += length;
        }
        Ok(passing(ahead.len(), push))
    }

    /// Whether what leaves now may wait for what follows: as long as the first count has not left.
    fn with_next(&self) -> Push {
        let joined = matches!(
            self.second,
            Second::Open | Second::Parked(_) | Second::Ended
        );
        if self.direct && !joined {
            Push::WithNext
        } else {
            Push::Now
        }
    }

    fn open(&mut self, last: u64) -> Ready {
        self.epoch += 1;
        self.last = last;
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
            Kind::Prelude | Kind::Other => {}
        })?;
        match (self.second, first_count) {
            _ if closed => self.second = Second::Ended,
            (Second::Awaiting { polled: None }, Some(count)) => {
                effects.ready = Some(self.open(count));
            }
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
}
