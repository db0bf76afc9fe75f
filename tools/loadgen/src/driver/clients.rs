//! The seam between the receivers' bookkeeping and the client library that they receive with: loadgen's own swarm, or
//! the stock Rust client.

use std::io;

use super::{audience::Audience, socket::Farewell, swarm::Swarm, text::Expected};
use crate::time::{ClockReport, Nanos};

/// Many clients of one thread, known by the seat that each has.
pub(crate) trait Clients {
    /// A seat for the client with this number among all.
    fn add(&mut self, global: usize) -> usize;
    /// Opens the connection of `seat` at `at`, or as soon as not too many others are on their way.
    fn open(&mut self, seat: usize, at: Option<Nanos>);
    fn is_joined(&self, seat: usize) -> bool;
    /// Ends a connection on purpose; the audience is not told.
    fn cut(&mut self, seat: usize, farewell: Farewell);
    /// Lets a client stop reading, or read again.
    fn set_reading(&mut self, seat: usize, reading: bool) -> io::Result<()>;
    /// From now on another event is expected.
    fn expect(&mut self, expected: Expected);
    /// Goes on for at most `timeout`, and tells the audience what happened.
    fn turn(&mut self, timeout: Nanos, audience: &mut impl Audience) -> io::Result<()>;
    fn clock(&self) -> ClockReport;
}

impl Clients for Swarm<'_> {
    fn add(&mut self, global: usize) -> usize {
        self.add(global)
    }

    fn open(&mut self, seat: usize, at: Option<Nanos>) {
        self.open(seat, at);
    }

    fn is_joined(&self, seat: usize) -> bool {
        self.is_joined(seat)
    }

    fn cut(&mut self, seat: usize, farewell: Farewell) {
        self.cut(seat, farewell);
    }

    fn set_reading(&mut self, seat: usize, reading: bool) -> io::Result<()> {
        self.set_reading(seat, reading)
    }

    fn expect(&mut self, expected: Expected) {
        self.expect(expected);
    }

    fn turn(&mut self, timeout: Nanos, audience: &mut impl Audience) -> io::Result<()> {
        self.turn(timeout, audience).map(drop)
    }

    fn clock(&self) -> ClockReport {
        self.wall.report.clone()
    }
}
