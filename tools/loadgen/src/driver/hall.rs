//! What the receiving clients hear, and what follows: who is there, who is gone, which event arrived when. The clients
//! as the swarm's audience.

use super::{audience::Audience, connection::Gone, text::Answer};
use crate::{
    board::Cell,
    measure::{Arrival, Metric, Recorder, Sequence},
    slot::Live,
    time::{Nanos, now},
};

/// One client, apart from its connection.
#[derive(Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
pub(super) struct Client {
    pub(super) sequence: Sequence,
    pub(super) joined: bool,
    /// Whether it has heard its first event on this connection.
    pub(super) greeted: bool,
    /// Whether the events of this phase are expected of it.
    pub(super) counted: bool,
    pub(super) stopped: bool,
    /// Since when it is on its way back.
    pub(super) cut_at: Option<Nanos>,
    /// Since when it reads again.
    pub(super) resumed_at: Option<Nanos>,
    /// Whether the phase waits for it to be there.
    pub(super) awaited: bool,
}

/// The clients as the swarm's audience.
pub(super) struct Hall<'a> {
    pub(super) cell: Cell<'a>,
    pub(super) recorder: Recorder<'a>,
    pub(super) clients: Vec<Client>,
    pub(super) must_be_greeted: bool,
    /// How many clients the phase waits for.
    pub(super) awaited: usize,
    /// Clients that were refused on their way back.
    pub(super) refused: Vec<usize>,
    pub(super) phase: u64,
}

impl Hall<'_> {
    /// The client is where the phase wants it.
    fn arrive(&mut self, seat: usize) {
        let client = &mut self.clients[seat];
        self.awaited -= usize::from(std::mem::take(&mut client.awaited));
        if client.cut_at.take().is_some() {
            self.recorder.counts().returned += 1;
        }
    }

    #[cold]
    fn first_event(&mut self, seat: usize, planned: Nanos, number: u64, at: Nanos) {
        let client = &mut self.clients[seat];
        client.greeted = true;
        self.recorder
            .took(Metric::FirstEvent, at.saturating_sub(planned));
        if let Some(cut_at) = client.cut_at {
            self.recorder
                .took(Metric::Recovery, at.saturating_sub(cut_at));
            self.recorder.rejoined(&mut client.sequence, number);
        } else {
            client.sequence.begin_after(number);
        }
        // While it is still polling it is not there yet.
        if client.joined {
            self.arrive(seat);
        }
    }

    #[cold]
    fn catch_up(&mut self, seat: usize) {
        let client = &mut self.clients[seat];
        let Some(resumed_at) = client.resumed_at else {
            return;
        };
        if self
            .cell
            .last(self.phase)
            .is_some_and(|last| client.sequence.last() >= last)
        {
            // The reading counts here, not the arrival: the kernel had most of it all the time.
            self.recorder
                .took(Metric::CatchUp, now().saturating_sub(resumed_at));
            client.resumed_at = None;
        }
    }
}

impl Audience for Hall<'_> {
    fn joined(&mut self, seat: usize, planned: Nanos) {
        let at = self.recorder.opened(planned);
        self.clients[seat].joined = true;
        if !self.must_be_greeted {
            if let Some(cut_at) = self.clients[seat].cut_at {
                self.recorder
                    .took(Metric::Recovery, at.saturating_sub(cut_at));
            }
            self.clients[seat].greeted = true;
            self.arrive(seat);
        } else if self.clients[seat].greeted {
            // Its first event came while it was still polling.
            self.arrive(seat);
        }
    }

    #[inline]
    fn expected(&mut self, seat: usize, planned: Nanos, number: u64, arrival: Arrival) {
        let client = &mut self.clients[seat];
        if !client.greeted {
            return self.first_event(seat, planned, number, arrival.at);
        }
        self.recorder.arrived(&mut client.sequence, number, arrival);
        if client.resumed_at.is_some() {
            self.catch_up(seat);
        }
    }

    fn acked(&mut self, _: usize, _: u64, _: Answer, _: Nanos) {}

    fn gone(&mut self, seat: usize, joined: bool, reason: &Gone) {
        let client = &mut self.clients[seat];
        self.recorder.gone(joined, &reason.0);
        (client.joined, client.greeted) = (false, false);
        if client.cut_at.is_some() {
            self.refused.push(seat);
        } else {
            self.recorder.slot().add(Live::Gone, 1);
            self.awaited -= usize::from(std::mem::take(&mut client.awaited));
        }
    }

    #[inline]
    fn may_hold_several(&self, seat: usize) -> bool {
        self.clients[seat]
            .sequence
            .may_lack_several(self.cell.newest())
    }

    #[inline]
    fn read(&mut self, bytes: usize, events: u64, delay: Option<Nanos>) {
        self.recorder.read(bytes as u64, events, delay);
    }

    fn heartbeat(&mut self) {
        self.recorder.counts().heartbeats += 1;
    }

    fn malformed(&mut self) {
        self.recorder.counts().malformed += 1;
    }
}
