//! All connections of one thread: opening them on time, reading whatever is ready, and noticing those that ended. What
//! the events mean is up to the [`Audience`].

use std::{io, net::IpAddr};

use super::{
    audience::{Audience, Reading},
    connection::{Connection, Gone, Side},
    endpoint::Endpoint,
    link::Buffer,
    poller::{Interest, Poller, Ready},
    queue::Queue,
    rounds::Rounds,
    socket::Farewell,
    text::Expected,
};
use crate::{
    plan::Plan,
    time::{Nanos, SECOND, WallClock, now},
};

/// Connections begun per turn, so that a large number of them does not starve those that stand.
const OPENED_PER_TURN: usize = 64;

/// How a swarm opens its connections.
pub(crate) struct Manner {
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) timeout: Nanos,
    /// Connections on their way at a time.
    pub(crate) concurrency: usize,
}

impl Manner {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self {
            sources: plan.sources.clone(),
            timeout: plan.connect_timeout,
            concurrency: plan.concurrency,
        }
    }
}

struct Seat {
    connection: Option<Connection>,
    /// Among all clients: decides over target and source address.
    global: usize,
    /// When the connection was to be opened.
    planned: Nanos,
    reading: bool,
}

pub(crate) struct Swarm<'a> {
    poller: Poller,
    endpoints: &'a [Endpoint],
    manner: Manner,
    expected: Expected,
    seats: Vec<Seat>,
    queue: Queue,
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
            buffer: Buffer::default(),
            wall: WallClock::new(),
            rounds: Rounds::new(),
            swept: now(),
        })
    }

    /// A seat for the client with this number among all.
    pub(crate) fn add(&mut self, global: usize) -> usize {
        self.seats.push(Seat {
            connection: None,
            global,
            planned: 0,
            reading: true,
        });
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
        self.seats[seat]
            .connection
            .as_ref()
            .is_some_and(Connection::is_joined)
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
        self.poller.add(source, ALSO, Interest::Read)
    }

    /// Waits at most `timeout`, reads what is ready, opens what is due. True: what is watched also is readable.
    pub(crate) fn turn(
        &mut self,
        timeout: Nanos,
        audience: &mut impl Audience,
    ) -> io::Result<bool> {
        let timeout = if self.queue.is_due() { 0 } else { timeout };
        let ready = self.poller.wait(timeout)?;
        let now = now();
        self.rounds.told(now, !self.poller.was_full());
        self.wall.tick(now);
        let mut also = false;
        for index in 0..ready {
            let ready = self.poller.ready(index);
            if ready.key == ALSO {
                also = true;
            } else {
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
        let seat = (ready.key >> 1) as usize;
        let side = if ready.key & 1 == 0 {
            Side::Web
        } else {
            Side::Polling
        };
        // The connection may have ended earlier in this very turn.
        let Seat {
            connection: Some(connection),
            global,
            ..
        } = &mut self.seats[seat]
        else {
            return;
        };
        let endpoint = &self.endpoints[*global % self.endpoints.len()];
        let was_joined = connection.is_joined();
        let mut result = if ready.writable {
            connection.writable(side, endpoint)
        } else {
            Ok(())
        };
        if ready.readable && result.is_ok() {
            result = self.read(seat, side, audience);
        }
        let seat_now = &self.seats[seat];
        let joined = seat_now
            .connection
            .as_ref()
            .is_some_and(Connection::is_joined);
        if joined && !was_joined {
            self.queue.arrived();
        }
        let result = result.and_then(|()| Ok(self.watch(seat)?));
        if let Err(reason) = result {
            self.end(seat, &reason, audience);
        }
    }

    #[inline]
    fn read(&mut self, seat: usize, side: Side, audience: &mut impl Audience) -> Result<(), Gone> {
        let Seat {
            connection: Some(connection),
            global,
            planned,
            ..
        } = &mut self.seats[seat]
        else {
            return Ok(());
        };
        let endpoint = &self.endpoints[*global % self.endpoints.len()];
        let now = now();
        let late = self.rounds.is_late(now);
        let Some(received) = connection.receive(side, &mut self.buffer, now, late)? else {
            return Ok(());
        };
        let (arrival, delay) = self.rounds.arrival(&received, late, now, &self.wall);
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
        result
    }

    /// Has the poller watch for what the connection waits for.
    fn watch(&mut self, seat: usize) -> io::Result<()> {
        let Seat {
            connection: Some(connection),
            reading,
            ..
        } = &mut self.seats[seat]
        else {
            return Ok(());
        };
        for (side, bit) in [(Side::Web, 0), (Side::Polling, 1)] {
            let Some(link) = connection.link(side) else {
                continue;
            };
            let wanted = if *reading {
                link.interest()
            } else {
                Interest::Nothing
            };
            let key = (seat as u64) << 1 | bit;
            match link.watched {
                Some(watched) if watched == wanted => continue,
                Some(_) => self.poller.change(&*link, key, wanted)?,
                None => self.poller.add(&*link, key, wanted)?,
            }
            link.watched = Some(wanted);
        }
        Ok(())
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
            let Seat {
                connection,
                global,
                planned,
                reading,
            } = &mut self.seats[seat];
            let sources = &self.manner.sources;
            let source = (!sources.is_empty()).then(|| sources[*global % sources.len()]);
            (*planned, *reading) = (at, true);
            match Connection::open(&self.endpoints[*global % self.endpoints.len()], source) {
                Ok(opened) => {
                    *connection = Some(opened);
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
            let Seat {
                connection: Some(connection),
                planned,
                reading,
                ..
            } = &self.seats[seat]
            else {
                continue;
            };
            if !connection.is_joined() && now > *planned + self.manner.timeout {
                self.end(
                    seat,
                    &Gone::because("not joined within --connect-timeout"),
                    audience,
                );
            } else if *reading && connection.is_silent(now) {
                self.end(seat, &Gone::because("no heartbeat of the server"), audience);
            }
        }
    }
}

const ALSO: u64 = u64::MAX;
