//! What the emitters of a cell are told, and what follows: acknowledgements tie numbers to emits in the ledger, and let
//! a closed loop go on. The emitters as the swarm's audience.

use std::collections::{HashMap, VecDeque};

use super::{audience::Audience, connection::Gone, text::Answer};
use crate::{
    board::Cell,
    ledger::Emit,
    measure::{Arrival, Metric, Recorder},
    plan::Correlate,
    slot::Live,
    time::Nanos,
};

/// The emitters as the swarm's audience.
pub(super) struct Desk<'a> {
    pub(super) cell: Cell<'a>,
    pub(super) recorder: Recorder<'a>,
    pub(super) correlate: Correlate,
    /// Whether an emitter has to hear an event before it counts as there.
    pub(super) must_be_greeted: bool,
    /// Whether the emitters are the clients that were asked for.
    pub(super) are_clients: bool,
    pub(super) emitters: Vec<Emitter>,
    pub(super) awaited: usize,
    /// Acknowledgement ids are never given twice in a run.
    pub(super) serial: u64,
    pub(super) unacked: HashMap<u64, Emit>,
    /// When to give up which id, in order.
    pub(super) deadlines: VecDeque<(Nanos, u64)>,
    pub(super) phase: PhaseState,
    /// The newest number that an emitter has seen.
    pub(super) newest: Option<u64>,
}

#[derive(Default)]
pub(super) struct Emitter {
    pub(super) joined: bool,
    pub(super) greeted: bool,
    pub(super) awaited: bool,
    /// In a closed loop: the number or acknowledgement id that has to come before it emits again.
    pub(super) waits_for: Option<u64>,
}

/// The emits of the present phase.
#[derive(Default)]
pub(super) struct PhaseState {
    pub(super) base: u64,
    pub(super) sent: u64,
    /// Of the acknowledged ones, the highest number.
    pub(super) highest: u64,
    pub(super) numbered: u64,
}

impl Desk<'_> {
    pub(super) fn sent(&mut self, id: u64, emit: Emit, ack_timeout: Option<Nanos>) {
        self.serial += 1;
        self.phase.sent += 1;
        self.recorder.counts().sent += 1;
        self.recorder
            .took(Metric::SendLag, emit.sent.saturating_sub(emit.planned));
        if let Some(timeout) = ack_timeout {
            self.deadlines
                .push_back((emit.sent.saturating_add(timeout), id));
        }
        let seen = self
            .newest
            .map_or(0, |newest| newest.saturating_sub(self.phase.base));
        let under_way = match self.correlate {
            Correlate::Value => self.unacked.len() as u64,
            Correlate::Position | Correlate::Payload => self.phase.sent.saturating_sub(seen),
        };
        let in_flight = &mut self.recorder.record().in_flight;
        *in_flight = under_way.max(*in_flight);
    }

    /// The last number that the receivers are to see.
    pub(super) fn last(&self) -> u64 {
        match self.correlate {
            Correlate::Value => self.phase.highest,
            Correlate::Position => self.phase.base + self.phase.sent,
            Correlate::Payload => self.phase.sent,
        }
    }

    /// Gives up acknowledgements that are overdue.
    pub(super) fn expire(&mut self, now: Nanos) {
        while let Some((_, id)) = self
            .deadlines
            .pop_front_if(|(deadline, _)| *deadline <= now)
        {
            if self.unacked.remove(&id).is_some() {
                self.recorder.counts().unacked += 1;
                self.let_go(|waits_for| waits_for == id);
            }
        }
    }

    /// In a closed loop: what these emitters waited for has come, or never will.
    pub(super) fn let_go(&mut self, came: impl Fn(u64) -> bool) {
        for emitter in &mut self.emitters {
            emitter.waits_for = emitter.waits_for.filter(|number| !came(*number));
        }
    }

    pub(super) fn arrive(&mut self, seat: usize) {
        self.awaited -= usize::from(std::mem::take(&mut self.emitters[seat].awaited));
    }
}

impl Audience for Desk<'_> {
    fn joined(&mut self, seat: usize, planned: Nanos) {
        self.emitters[seat].joined = true;
        if self.are_clients {
            self.recorder.opened(planned);
        }
        if self.emitters[seat].greeted || !self.must_be_greeted {
            self.arrive(seat);
        }
    }

    fn expected(&mut self, seat: usize, _: Nanos, number: u64, _: Arrival) {
        if !std::mem::replace(&mut self.emitters[seat].greeted, true) && self.emitters[seat].joined
        {
            self.arrive(seat);
        }
        if self.newest.is_none_or(|newest| number > newest) {
            self.newest = Some(number);
            self.recorder.slot().set(Live::Newest, number + 1);
        }
        match self.correlate {
            Correlate::Value => {}
            Correlate::Position => self.let_go(|waits_for| waits_for <= number),
            Correlate::Payload => self.let_go(|waits_for| waits_for == number),
        }
    }

    fn acked(&mut self, _: usize, id: u64, answer: Answer, at: Nanos) {
        let Some(emit) = self.unacked.remove(&id) else {
            return;
        };
        let latency = at.saturating_sub(emit.planned);
        self.recorder.took(Metric::AckLatency, latency);
        match answer {
            Answer::Error => self.recorder.counts().refused += 1,
            Answer::Number(number) => {
                self.recorder.counts().acked += 1;
                if self.correlate == Correlate::Value {
                    self.cell.ledger.write(number, emit);
                    self.phase.highest = self.phase.highest.max(number);
                    self.phase.numbered += 1;
                }
            }
            Answer::Other => self.recorder.counts().acked += 1,
        }
        if self.correlate == Correlate::Value {
            self.let_go(|waits_for| waits_for == id);
        }
    }

    fn gone(&mut self, seat: usize, joined: bool, reason: &Gone) {
        if self.are_clients {
            self.recorder.gone(joined, &reason.0);
            self.recorder.slot().add(Live::Gone, 1);
        } else {
            let text = if joined {
                "an emitter was disconnected"
            } else {
                "an emitter could not connect"
            };
            let reason = format!("{text}: {}", reason.0);
            self.recorder.record().fail(&reason, 1);
            self.recorder.counts().emitters_lost += 1;
        }
        self.emitters[seat].joined = false;
        self.arrive(seat);
    }

    fn may_hold_several(&self, _: usize) -> bool {
        false
    }

    fn read(&mut self, _: usize, _: u64, _: Option<Nanos>) {}

    fn heartbeat(&mut self) {}

    fn malformed(&mut self) {
        self.recorder.counts().malformed += 1;
    }
}
