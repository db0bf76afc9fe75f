//! The emitting clients of one cell, on a thread of their own so that receiving never delays a send. A timer wakes
//! them at each planned instant; what they are told, acknowledgements above all, ties numbers to emits in the ledger.

use std::{
    collections::{HashMap, VecDeque},
    io,
};

use super::{
    Endpoint,
    agenda::Agenda,
    desk::{Desk, Emitter, PhaseState},
    frame,
    lane::{Crew, LaneRecord},
    seat::Manner,
    swarm::Swarm,
    text::{Emission, Expected},
};
use crate::{
    board::{Board, Place},
    lane::Lane,
    ledger::Emit,
    measure::{Counting, Recorder, TURN},
    plan::{Correlate, Emitting, Plan},
    scenario::{Action, Phase},
    time::{Nanos, now},
};

pub(crate) struct Emitters<'a> {
    plan: &'a Plan,
    lane: Lane,
    swarm: Swarm<'a>,
    agenda: Agenda,
    desk: Desk<'a>,
    place: Place,
    hold: Nanos,
    /// Whether anything is to be emitted in this phase.
    publishes: bool,
    emission: Emission,
    board: &'a Board,
    /// The emitter whose turn it is.
    next: usize,
}

impl<'a> Emitters<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        board: &'a Board,
        endpoints: &'a [Endpoint],
        lane: Lane,
    ) -> io::Result<Self> {
        let cell = board.cell(lane.cell);
        let recorder = Recorder::new(cell, board.slot(lane.index), plan.correlate.stream(), false);
        let swarm = Swarm::new(endpoints, Manner::of(plan), Expected::new(plan, 0))?;
        let agenda = Agenda::new()?;
        swarm.watch_also(&agenda.timer)?;
        Ok(Self {
            plan,
            lane,
            swarm,
            agenda,
            desk: Desk {
                cell,
                recorder,
                correlate: plan.correlate,
                must_be_greeted: plan.greeted,
                are_clients: plan.emitting == Emitting::Clients,
                awaited: 0,
                emitters: Vec::new(),
                serial: 0,
                unacked: HashMap::new(),
                deadlines: VecDeque::new(),
                phase: PhaseState::default(),
                newest: None,
            },
            place: Place { phase: 0, start: 0 },
            hold: 0,
            publishes: false,
            emission: Emission::new(plan, 0),
            board,
            next: 0,
        })
    }

    /// In the first phase all of them come: at the rate that clients are to come at, if they are the clients.
    fn open(&mut self, action: Action) {
        let rate = match action {
            Action::Open { rate, .. } if self.desk.are_clients => rate,
            _ => None,
        };
        for global in 0..self.plan.emitters_of(self.lane.cell) {
            let at = self.plan.opens_at(rate, self.place.start, global);
            let seat = self.swarm.add(global as usize);
            self.swarm.open(seat, at);
            self.desk.emitters.push(Emitter {
                awaited: true,
                ..Emitter::default()
            });
            self.desk.awaited += 1;
            self.desk.recorder.counts().asked += u64::from(self.desk.are_clients);
        }
    }

    /// Emits everything that is due.
    fn emit_due(&mut self) -> io::Result<()> {
        let now = now();
        for planned in self.agenda.due(now)? {
            self.desk.recorder.counts().planned += 1;
            if let Some(seat) = self.turn_of() {
                self.emit(seat, planned);
            }
        }
        if self.agenda.goes_round(now) {
            self.emit_again();
        }
        Ok(())
    }

    /// In a closed loop: whoever has its answer goes on.
    fn emit_again(&mut self) {
        for seat in 0..self.desk.emitters.len() {
            if self.desk.emitters[seat].joined && self.desk.emitters[seat].waits_for.is_none() {
                self.desk.recorder.counts().planned += 1;
                let waits_for = self.emit(seat, now());
                self.desk.emitters[seat].waits_for = waits_for;
            }
        }
    }

    /// Emitters take turns; those that are gone are passed over.
    fn turn_of(&mut self) -> Option<usize> {
        let count = self.desk.emitters.len();
        let seat = (0..count)
            .map(|step| (self.next + step) % count)
            .find(|seat| self.desk.emitters[*seat].joined)?;
        self.next = seat + 1;
        Some(seat)
    }

    /// Sends one emit; what in a closed loop has to come before the next.
    fn emit(&mut self, seat: usize, planned: Nanos) -> Option<u64> {
        let desk = &mut self.desk;
        let id = desk.serial;
        let number = desk.phase.sent
            + 1
            + if desk.correlate == Correlate::Position {
                desk.phase.base
            } else {
                0
            };
        let mut bytes = Vec::new();
        frame::write(
            &mut bytes,
            frame::TEXT,
            self.emission.text(id, number).as_bytes(),
        );
        // Before the send, like the ledger: no receiver is to be faster.
        desk.cell.set_newest(desk.phase.base + desk.phase.sent + 1);
        let emit = Emit {
            planned,
            sent: now(),
        };
        if desk.correlate == Correlate::Value {
            desk.unacked.insert(id, emit);
        } else {
            // Before the send, so that no receiver is faster than the ledger.
            desk.cell.ledger.write(number, emit);
            if self.plan.ack {
                desk.unacked.insert(id, emit);
            }
        }
        match self.swarm.send(seat, &bytes) {
            Ok(at_once) => desk.recorder.counts().blocked += u64::from(!at_once),
            Err(reason) => {
                desk.unacked.remove(&id);
                desk.recorder
                    .record()
                    .fail(&format!("cannot emit: {}", reason.0), 1);
                return None;
            }
        }
        desk.sent(id, emit, self.plan.ack.then_some(self.plan.ack_timeout));
        Some(if desk.correlate == Correlate::Value {
            id
        } else {
            number
        })
    }

    /// Whether there is nothing left to emit, and to wait for.
    fn has_emitted(&self) -> bool {
        self.agenda.is_over() && self.desk.unacked.is_empty()
    }

    /// Whether nothing matters before the next planned emit.
    fn has_only_to_emit(&self) -> bool {
        self.agenda.is_planned() && self.desk.unacked.is_empty() && self.desk.awaited == 0
    }

    fn give_up(&mut self) {
        self.agenda.give_up();
        let left = std::mem::take(&mut self.desk.unacked).len() as u64;
        self.desk.deadlines.clear();
        self.desk.recorder.counts().unacked += left;
    }
}

impl Crew for Emitters<'_> {
    fn begin(&mut self, phase: &Phase, place: Place) -> io::Result<()> {
        (self.place, self.hold) = (place, phase.hold);
        self.publishes = phase.publish.is_some();
        let base = self.desk.cell.base();
        self.desk.cell.set_newest(base);
        self.desk.phase = PhaseState {
            base,
            sent: 0,
            highest: base,
            numbered: 0,
        };
        self.desk
            .emitters
            .iter_mut()
            .for_each(|emitter| emitter.waits_for = None);
        self.desk.recorder.begin(Counting::Nothing, place.start);
        self.swarm.expect(Expected::new(self.plan, place.phase));
        self.emission = Emission::new(self.plan, place.phase);
        if self.desk.emitters.is_empty() {
            self.open(phase.action);
        }
        if phase.publish.is_none() && phase.action == Action::Resume {
            self.desk.cell.set_last(place.phase, base);
        }
        self.agenda.begin(phase.publish, place, self.plan.seed)
    }

    fn turn(&mut self) -> io::Result<()> {
        let longest = if self.has_only_to_emit() {
            // What the server sends meanwhile has the kernel's stamps, and can be read then.
            self.agenda.timer.sleep(TURN)?;
            0
        } else {
            TURN
        };
        if self.swarm.turn(longest, &mut self.desk)? {
            self.agenda.timer.take();
        }
        self.emit_due()?;
        self.desk.expire(now());
        self.desk.recorder.tick(now(), TURN, 0);
        let made = self.desk.last().saturating_sub(self.desk.phase.base);
        self.desk.cell.set_made(self.place.phase, made);
        if self.board.is_cut_short(self.place.phase) && !self.has_emitted() {
            self.give_up();
        }
        Ok(())
    }

    fn is_done(&mut self, now: Nanos) -> bool {
        let there = self.desk.awaited == 0 || self.board.is_cut_short(self.place.phase);
        let done = there && now >= self.place.start + self.hold && self.has_emitted();
        if done && self.desk.phase.sent > 0 {
            self.desk.cell.set_last(self.place.phase, self.desk.last());
        } else if done && self.publishes {
            self.desk
                .cell
                .set_last(self.place.phase, self.desk.phase.base);
        }
        done
    }

    fn end(&mut self, now: Nanos) {
        if !self.has_emitted() {
            self.give_up();
        }
        let state = &self.desk.phase;
        let foreign = state
            .highest
            .saturating_sub(state.base)
            .saturating_sub(state.numbered);
        self.desk.recorder.counts().foreign += foreign;
        self.desk.recorder.end(&self.lane.name(), now);
    }

    fn finish(self) -> LaneRecord {
        LaneRecord {
            phases: self.desk.recorder.finish(),
            clock: self.swarm.wall.report,
        }
    }
}
