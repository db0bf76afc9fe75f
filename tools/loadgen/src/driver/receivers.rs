//! The receiving clients of one lane: they come, listen, are cut off or stop reading, and account for every event.

use std::io;

use super::{
    clients::Clients,
    hall::{Client, Hall},
    lane::{Crew, LaneRecord},
    socket::Farewell,
    text::Expected,
};
use crate::{
    board::{Board, Place},
    lane::{Lane, Role},
    measure::{Counting, Recorder, TURN},
    plan::{Correlate, Plan, Stream},
    scenario::{Action, Phase},
    slot::Live,
    time::{Nanos, SECOND, now},
};

/// A client that was cut off and is refused tries again after a random time up to this, as real ones do.
const RETRY: Nanos = SECOND;

pub(crate) struct Receivers<'a, C> {
    plan: &'a Plan,
    lane: Lane,
    swarm: C,
    hall: Hall<'a>,
    /// What is still to be done at the start of the phase.
    action: Option<Action>,
    place: Place,
    hold: Nanos,
    counting: Counting,
    /// Clients opened so far, over all lanes of the cell.
    opened: u32,
    /// Clients of which the events of this phase are expected.
    listening: u64,
    /// Clients before this one are known to be complete.
    complete: usize,
    random: fastrand::Rng,
}

impl<'a, C: Clients> Receivers<'a, C> {
    pub(crate) fn new(plan: &'a Plan, board: &'a Board, swarm: C, lane: Lane) -> Self {
        let cell = board.cell(lane.cell);
        let stream = plan.correlate.stream();
        let may_wait = plan.correlate == Correlate::Value;
        let hall = Hall {
            cell,
            recorder: Recorder::new(cell, board.slot(lane.index), stream, may_wait),
            clients: Vec::new(),
            must_be_greeted: plan.greeted,
            awaited: 0,
            refused: Vec::new(),
            phase: 0,
        };
        Self {
            plan,
            lane,
            swarm,
            hall,
            action: None,
            place: Place { phase: 0, start: 0 },
            hold: 0,
            counting: Counting::Nothing,
            opened: 0,
            listening: 0,
            complete: 0,
            random: fastrand::Rng::with_seed(plan.seed ^ lane.index as u64),
        }
    }

    fn act(&mut self, action: Action) -> io::Result<()> {
        match action {
            Action::Hold => {}
            Action::Open { clients, rate } => self.open(clients, rate),
            Action::Cut { spread } => self.cut(spread),
            Action::Stop { share } => self.stop(share)?,
            Action::Resume => self.resume()?,
        }
        Ok(())
    }

    fn open(&mut self, clients: u32, rate: Option<f64>) {
        let Role::Receive { first, step } = self.lane.role else {
            return;
        };
        let target = self.plan.share(clients, self.lane.cell);
        let next = first + self.hall.clients.len() as u32 * step;
        for client in (next..target).step_by(step as usize) {
            let index = client - self.opened;
            let at = self.plan.opens_at(rate, self.place.start, index);
            let seat = self.swarm.add(client as usize);
            self.swarm.open(seat, at);
            self.hall.clients.push(Client {
                awaited: true,
                ..Client::default()
            });
            self.hall.awaited += 1;
            self.hall.recorder.counts().asked += 1;
        }
        self.opened = target;
    }

    fn cut(&mut self, spread: Nanos) {
        for seat in 0..self.hall.clients.len() {
            if !self.swarm.is_joined(seat) {
                continue;
            }
            self.swarm.cut(seat, Farewell::Reset);
            let cut_at = now();
            self.swarm
                .open(seat, Some(cut_at + self.random.u64(0..=spread)));
            let client = &mut self.hall.clients[seat];
            (client.joined, client.greeted) = (false, false);
            (client.cut_at, client.awaited) = (Some(cut_at), true);
            self.hall.awaited += 1;
            self.hall.recorder.counts().cut += 1;
            self.hall.recorder.slot().add_signed(Live::Held, -1);
        }
    }

    fn stop(&mut self, share: f64) -> io::Result<()> {
        for seat in 0..self.hall.clients.len() {
            // Evenly over all of them, so that each lane and each target has its share.
            let before = (seat as f64 * share).floor();
            if ((seat + 1) as f64 * share).floor() > before && self.swarm.is_joined(seat) {
                self.swarm.set_reading(seat, false)?;
                self.hall.clients[seat].stopped = true;
                self.hall.recorder.slot().add(Live::Stopped, 1);
                self.hall.recorder.counts().stopped += 1;
            }
        }
        Ok(())
    }

    fn resume(&mut self) -> io::Result<()> {
        for (seat, client) in self
            .hall
            .clients
            .iter_mut()
            .enumerate()
            .filter(|(_, client)| client.stopped)
        {
            (client.stopped, client.resumed_at) = (false, Some(now()));
            self.hall.recorder.slot().add_signed(Live::Stopped, -1);
            self.swarm.set_reading(seat, true)?;
        }
        Ok(())
    }

    /// Clients that were refused while coming back try again.
    fn retry(&mut self) {
        for seat in std::mem::take(&mut self.hall.refused) {
            let delay = self.random.u64(RETRY / 4..=RETRY);
            self.swarm.open(seat, Some(now() + delay));
        }
    }

    /// Whether every client that can still get there has the last event.
    fn has_everything(&mut self) -> bool {
        let Some(last) = self.hall.cell.last(self.place.phase) else {
            return false;
        };
        let messages = self.plan.correlate.stream() == Stream::Messages;
        while let Some(client) = self.hall.clients.get(self.complete) {
            let there = client.counted && !client.stopped && self.swarm.is_joined(self.complete);
            let sequence = &client.sequence;
            if there && !(sequence.last() >= last && (!messages || sequence.is_complete(last))) {
                return false;
            }
            self.complete += 1;
        }
        !self.hall.recorder.is_waiting()
    }
}

impl<C: Clients> Crew for Receivers<'_, C> {
    fn begin(&mut self, phase: &Phase, place: Place) -> io::Result<()> {
        (self.place, self.hold, self.complete) = (place, phase.hold, 0);
        self.listening = 0;
        self.hall.phase = place.phase;
        self.action = Some(phase.action);
        self.counting = match (phase.publish, phase.action) {
            (Some(_), _) => Counting::Latencies,
            (None, Action::Resume) => Counting::Numbers,
            (None, _) => Counting::Nothing,
        };
        self.hall.recorder.begin(self.counting, place.start);
        self.swarm.expect(Expected::new(self.plan, place.phase));
        let base = self.hall.cell.base();
        for (seat, client) in self
            .hall
            .clients
            .iter_mut()
            .enumerate()
            .filter(|(_, client)| !client.stopped)
        {
            client.counted = self.swarm.is_joined(seat);
            client.sequence.begin_after(base);
        }
        Ok(())
    }

    fn turn(&mut self) -> io::Result<()> {
        if let Some(action) = self.action.take_if(|_| now() >= self.place.start) {
            self.act(action)?;
            if self.counting != Counting::Nothing {
                let listening = |client: &&Client| client.counted && !client.stopped;
                self.listening = self.hall.clients.iter().filter(listening).count() as u64;
            }
        }
        let until_start = self.place.start.saturating_sub(now());
        let wait = if self.action.is_some() {
            until_start.min(TURN)
        } else {
            TURN
        };
        self.swarm.turn(wait, &mut self.hall)?;
        if !self.hall.refused.is_empty() {
            self.retry();
        }
        let expected = self.hall.cell.made(self.place.phase) * self.listening;
        self.hall.recorder.tick(now(), wait, expected);
        Ok(())
    }

    fn is_done(&mut self, now: Nanos) -> bool {
        let done = self.action.is_none()
            && now >= self.place.start + self.hold
            && self.hall.awaited == 0
            && (self.counting == Counting::Nothing || self.has_everything());
        if done {
            // Whoever judges the phase before the next one begins looks at the board.
            self.hall.recorder.show_latencies();
        }
        done
    }

    fn end(&mut self, now: Nanos) {
        let last = self
            .hall
            .cell
            .last(self.place.phase)
            .unwrap_or_else(|| self.hall.cell.base());
        for (seat, client) in self.hall.clients.iter_mut().enumerate() {
            if self.counting != Counting::Nothing && client.counted && !client.stopped {
                self.hall
                    .recorder
                    .account(&client.sequence, last, self.swarm.is_joined(seat));
            }
            client.resumed_at = None;
            if std::mem::take(&mut client.awaited) {
                self.hall.awaited -= 1;
                let reason = if client.cut_at.take().is_some() {
                    "never returned"
                } else {
                    "no first event"
                };
                self.hall.recorder.record().fail(reason, 1);
            }
        }
        self.hall.recorder.end(&self.lane.name(), now);
    }

    fn finish(self) -> LaneRecord {
        LaneRecord {
            phases: self.hall.recorder.finish(),
            clock: self.swarm.clock(),
        }
    }
}
