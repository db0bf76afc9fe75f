//! The audience of a swarm: whoever is to know what happens to its connections.

use super::{
    connection::{Gone, Listener},
    text::Answer,
};
use crate::{measure::Arrival, time::Nanos};

/// Who is told what happens to the connections, by their place in the swarm.
pub(crate) trait Audience {
    fn joined(&mut self, seat: usize, planned: Nanos);
    fn expected(&mut self, seat: usize, planned: Nanos, number: u64, arrival: Arrival);
    fn acked(&mut self, seat: usize, id: u64, answer: Answer, at: Nanos);
    /// The connection ended, or never came about (`joined` tells).
    fn gone(&mut self, seat: usize, joined: bool, reason: &Gone);
    /// Whether more than one event can be waiting to be read, and it matters when each arrived.
    fn may_hold_several(&self, seat: usize) -> bool;
    /// Bytes and messages were read: how late, by the kernel's stamp; `None`: it gave no stamp.
    fn read(&mut self, bytes: usize, events: u64, delay: Option<Nanos>);
    fn heartbeat(&mut self);
    fn malformed(&mut self);
}

/// One read, on its way to the audience.
pub(super) struct Reading<'r, A> {
    pub(super) audience: &'r mut A,
    pub(super) seat: usize,
    pub(super) planned: Nanos,
    pub(super) arrival: Arrival,
    pub(super) events: u64,
}

impl<A: Audience> Listener for Reading<'_, A> {
    fn joined(&mut self) {
        self.audience.joined(self.seat, self.planned);
    }

    #[inline]
    fn expected(&mut self, number: u64) {
        self.events += 1;
        self.audience
            .expected(self.seat, self.planned, number, self.arrival);
    }

    fn acked(&mut self, id: u64, answer: Answer) {
        self.audience.acked(self.seat, id, answer, self.arrival.at);
    }

    fn heartbeat(&mut self) {
        self.audience.heartbeat();
    }

    fn malformed(&mut self) {
        self.audience.malformed();
    }
}
