//! All connections of one thread: opening them on time, reading whatever is ready, and noticing those that ended. What
//! the events mean is up to the [`Audience`].

use std::io;

use super::{
    audience::{Audience, Reading},
    connection::{Gone, Side},
    endpoint::Endpoint,
    link::Buffer,
    poller::{Poller, Ready},
    queue::Queue,
    rounds::Rounds,
    seat::{self, Manner, Seat},
    socket::Farewell,
    text::Expected,
};
use crate::time::{MILLISECOND, Nanos, SECOND, WallClock, now};

/// Connections begun per turn, so that a large number of them does not starve those that stand.
const OPENED_PER_TURN: usize = 64;

/// The longest time between two looks at who is to be opened.
const OPENING: Nanos = 4 * MILLISECOND;

pub(crate) struct Swarm<'a> {
    poller: Poller,
    endpoints: &'a [Endpoint],
    manner: Manner,
    expected: Expected,
    seats: Vec<Seat>,
    queue: Queue,
    /// What could not be read to its end; the poller does not tell of it again.
    unfinished: Vec<Ready>,
    buffer: Buffer,
    pub(crate) wall: WallClock,
    rounds: Rounds,
    swept: Nanos,
}

impl<'a> Swarm<'a> {
    pub(crate) fn new(
        endpoints: &'a [Endpoint],
        manner: Manner,
        expected: Expected,
    ) -> io::Result<Self> {
        Ok(Self {
            poller: Poller::new()?,
            endpoints,
            queue: Queue::new(manner.concurrency),
            manner,
            expected,
            seats: Vec::new(),
            unfinished: Vec::new(),
            buffer: Buffer::default(),
            wall: WallClock::new(),
            rounds: Rounds::new(),
            swept: now(),
        })
    }

    /// A seat for the client with this number among all.
    pub(crate) fn add(&mut self, global: usize) -> usize {
        self.seats.push(Seat::new(global));
        self.seats.len() - 1
    }

    /// Opens the connection of `seat` at `at`, or as soon as not too many others are on their way.
    pub(crate) fn open(&mut self, seat: usize, at: Option<Nanos>) {
        self.queue.add(seat, at);
    }

    /// From now on another event is expected.
    pub(crate) fn expect(&mut self, expected: Expected) {
        self.expected = expected;
    }

    pub(crate) fn is_joined(&self, seat: usize) -> bool {
        self.seats[seat].is_joined()
    }

    /// Ends a connection on purpose; the audience is not told.
    pub(crate) fn cut(&mut self, seat: usize, farewell: Farewell) {
        if let Some(connection) = self.seats[seat].connection.take() {
            if !connection.is_joined() {
                self.queue.arrived();
            }
            connection.leave(farewell);
        }
    }

    /// Lets a client stop reading, or read again.
    pub(crate) fn set_reading(&mut self, seat: usize, reading: bool) -> io::Result<()> {
        self.seats[seat].reading = reading;
        self.watch(seat)
    }

    /// Sends whole frames; `Ok(false)`: the socket did not take all of them at once.
    pub(crate) fn send(&mut self, seat: usize, frames: &[u8]) -> Result<bool, Gone> {
        let Some(connection) = &mut self.seats[seat].connection else {
            return Err(Gone::because("not connected"));
        };
        connection.send_web(frames)?;
        let behind = connection
            .web
            .as_ref()
            .is_some_and(super::link::Link::is_behind);
        if behind {
            self.watch(seat)?;
        }
        Ok(!behind)
    }

    /// Watches a descriptor that is not a connection; [`Self::turn`] tells when it is readable.
    pub(crate) fn watch_also(&self, source: impl std::os::fd::AsFd) -> io::Result<()> {
        self.poller.add_level(source, ALSO)
    }

    /// Waits at most `timeout`, reads what is ready, opens what is due. True: what is watched also is readable.
    pub(crate) fn turn(
        &mut self,
        timeout: Nanos,
        audience: &mut impl Audience,
    ) -> io::Result<bool> {
        let timeout = if self.queue.is_due() || !self.unfinished.is_empty() {
            0
        } else if self.queue.is_empty() {
            timeout
        } else {
            timeout.min(OPENING)
        };
        self.rounds.begin(now());
        let ready = self.poller.wait(timeout)?;
        let now = now();
        self.rounds.told(now, !self.poller.was_full());
        self.wall.tick(now);
        let mut also = false;
        let unfinished = std::mem::take(&mut self.unfinished);
        for index in 0..ready {
            let ready = self.poller.ready(index);
            if ready.key == ALSO {
                also = true;
            } else {
                self.serve(ready, audience);
            }
        }
        for ready in unfinished {
            if ready.ended || self.seats[seat::of(ready).0].reading {
                self.serve(ready, audience);
            }
        }
        self.open_due(now, audience);
        if now >= self.swept + SECOND {
            self.swept = now;
            self.sweep(now, audience);
        }
        Ok(also)
    }

    fn serve(&mut self, ready: Ready, audience: &mut impl Audience) {
        let (seat, side) = seat::of(ready);
        let endpoint = self.seats[seat].endpoint(self.endpoints);
        // The connection may have ended earlier in this very turn.
        let Some(connection) = &mut self.seats[seat].connection else {
            return;
        };
        let was_joined = connection.is_joined();
        let mut result = if ready.writable {
            connection.writable(side, endpoint)
        } else {
            Ok(())
        };
        if ready.readable && result.is_ok() {
            result = self.read(seat, side, audience).map(|came| {
                if came.is_some_and(|is_cut| is_cut || ready.ended) {
                    self.unfinished.push(Ready {
                        writable: false,
                        ..ready
                    });
                }
            });
        }
        if !was_joined && self.seats[seat].is_joined() {
            self.queue.arrived();
        }
        let result = result.and_then(|()| Ok(self.watch(seat)?));
        if let Err(reason) = result {
            self.end(seat, &reason, audience);
        }
    }

    /// `None`: nothing came; else whether there was more than could be read at once.
    #[inline]
    fn read(
        &mut self,
        seat: usize,
        side: Side,
        audience: &mut impl Audience,
    ) -> Result<Option<bool>, Gone> {
        let endpoint = self.seats[seat].endpoint(self.endpoints);
        let Seat {
            connection: Some(connection),
            planned,
            ..
        } = &mut self.seats[seat]
        else {
            return Ok(None);
        };
        let Some(link) = connection.link(side) else {
            return Ok(None);
        };
        let drained = link.drained;
        let mut look = self.rounds.look(now(), drained);
        let several = look.is_late() && audience.may_hold_several(seat);
        if several {
            look = self.rounds.look_closer(look, drained);
        }
        let apart = several && look.is_very_late();
        let Some(received) = connection.receive(side, &mut self.buffer, look, apart)? else {
            return Ok(None);
        };
        let (arrival, delay) = look.arrival(&received, &self.wall);
        let mut reading = Reading {
            audience,
            seat,
            planned: *planned,
            arrival,
            events: 0,
        };
        let result = connection.parse(
            side,
            endpoint,
            &self.expected,
            self.buffer.filled(),
            &mut reading,
        );
        let events = reading.events;
        audience.read(received.bytes, events, delay);
        result.map(|()| Some(received.is_cut))
    }

    fn watch(&mut self, seat: usize) -> io::Result<()> {
        self.seats[seat].watch(seat, &self.poller)
    }

    fn end(&mut self, seat: usize, reason: &Gone, audience: &mut impl Audience) {
        let Some(connection) = self.seats[seat].connection.take() else {
            return;
        };
        let joined = connection.is_joined();
        if !joined {
            self.queue.arrived();
        }
        connection.leave(Farewell::Close);
        audience.gone(seat, joined, reason);
    }

    fn open_due(&mut self, now: Nanos, audience: &mut impl Audience) {
        for _ in 0..OPENED_PER_TURN {
            let Some((seat, at)) = self.queue.next(now) else {
                return;
            };
            match self.seats[seat].open(at, self.endpoints, &self.manner) {
                Ok(()) => {
                    if let Err(error) = self.watch(seat) {
                        self.end(seat, &error.into(), audience);
                    }
                }
                Err(reason) => {
                    self.queue.arrived();
                    audience.gone(seat, false, &reason);
                }
            }
        }
    }

    /// Ends what takes too long to open, and what missed its heartbeat.
    fn sweep(&mut self, now: Nanos, audience: &mut impl Audience) {
        for seat in 0..self.seats.len() {
            if let Some(reason) = self.seats[seat].overdue(now, &self.manner) {
                self.end(seat, &reason, audience);
            }
        }
    }
}

/// The key of what is watched also.
const ALSO: u64 = u64::MAX;
