//! The receiving clients of one lane: they come, listen, are cut off or stop reading, and account for every event.

use std::io;

use super::{
    Endpoint,
    connection::Gone,
    lane::{Crew, LaneRecord},
    socket::Farewell,
    swarm::{Audience, Manner, Swarm, TURN},
    text::{Answer, Expected},
};
use crate::{
    board::{Board, Cell, Live, Place},
    measure::{Arrival, Counting, Metric, Recorder, Sequence},
    plan::{Correlate, Lane, Plan, Role, Stream},
    scenario::{Action, Phase},
    time::{Nanos, SECOND, now},
};

/// A client that was cut off and is refused tries again after a random time up to this, as real ones do.
const RETRY: Nanos = SECOND;

/// One client, apart from its connection.
#[derive(Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "they are independent of each other"
)]
struct Client {
    sequence: Sequence,
    joined: bool,
    /// Whether it has heard its first event on this connection.
    greeted: bool,
    /// Whether the events of this phase are expected of it.
    counted: bool,
    stopped: bool,
    /// Since when it is on its way back.
    cut_at: Option<Nanos>,
    /// Since when it reads again.
    resumed_at: Option<Nanos>,
    /// Whether the phase waits for it to be there.
    awaited: bool,
}

pub(crate) struct Receivers<'a> {
    plan: &'a Plan,
    lane: Lane,
    swarm: Swarm<'a>,
    hall: Hall<'a>,
    /// What is still to be done at the start of the phase.
    action: Option<Action>,
    place: Place,
    hold: Nanos,
    counting: Counting,
    /// Clients opened so far, over all lanes of the cell.
    opened: u32,
    /// Clients before this one are known to be complete.
    complete: usize,
    random: fastrand::Rng,
}

/// The clients as the swarm's audience.
struct Hall<'a> {
    cell: Cell<'a>,
    recorder: Recorder<'a>,
    clients: Vec<Client>,
    must_be_greeted: bool,
    /// How many clients the phase waits for.
    awaited: usize,
    /// Clients that were refused on their way back.
    refused: Vec<usize>,
    phase: u64,
}

impl<'a> Receivers<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        board: &'a Board,
        endpoints: &'a [Endpoint],
        lane: Lane,
    ) -> io::Result<Self> {
        let cell = board.cell(lane.cell);
        let stream = plan.correlate.stream();
        let recorder = Recorder::new(
            cell,
            board.slot(lane.index),
            stream,
            plan.correlate == Correlate::Value,
        );
        let manner = Manner {
            sources: plan.sources.clone(),
            timeout: plan.connect_timeout,
            concurrency: plan.concurrency,
        };
        Ok(Self {
            plan,
            lane,
            swarm: Swarm::new(endpoints, manner, Expected::new(plan, 0))?,
            hall: Hall {
                cell,
                recorder,
                clients: Vec::new(),
                must_be_greeted: plan.greeted,
                awaited: 0,
                refused: Vec::new(),
                phase: 0,
            },
            action: None,
            place: Place { phase: 0, start: 0 },
            hold: 0,
            counting: Counting::Nothing,
            opened: 0,
            complete: 0,
            random: fastrand::Rng::with_seed(plan.seed ^ lane.index as u64),
        })
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
            let rate = rate.map(|rate| rate / self.plan.cells() as f64);
            let at = rate.map(|rate| {
                self.place.start + (f64::from(client - self.opened) / rate * 1e9) as Nanos
            });
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

impl Crew for Receivers<'_> {
    fn begin(&mut self, phase: &Phase, place: Place) -> io::Result<()> {
        (self.place, self.hold, self.complete) = (place, phase.hold, 0);
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
        }
        self.swarm.turn(TURN, &mut self.hall)?;
        if !self.hall.refused.is_empty() {
            self.retry();
        }
        self.hall.recorder.tick(now());
        Ok(())
    }

    fn is_done(&mut self, now: Nanos) -> bool {
        self.action.is_none()
            && now >= self.place.start + self.hold
            && self.hall.awaited == 0
            && (self.counting == Counting::Nothing || self.has_everything())
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
            clock: self.swarm.wall.report,
        }
    }
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
            .record()
            .record(Metric::FirstEvent, at.saturating_sub(planned), 1);
        if let Some(cut_at) = client.cut_at {
            self.recorder
                .record()
                .record(Metric::Recovery, at.saturating_sub(cut_at), 1);
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
                .record()
                .record(Metric::CatchUp, now().saturating_sub(resumed_at), 1);
            client.resumed_at = None;
        }
    }
}

impl Audience for Hall<'_> {
    fn joined(&mut self, seat: usize, planned: Nanos) {
        let at = now();
        self.recorder
            .record()
            .record(Metric::ConnectTime, at.saturating_sub(planned), 1);
        self.recorder.counts().opened += 1;
        self.recorder.slot().add(Live::Opened, 1);
        self.recorder.slot().add(Live::Held, 1);
        self.clients[seat].joined = true;
        if !self.must_be_greeted {
            if let Some(cut_at) = self.clients[seat].cut_at {
                self.recorder
                    .record()
                    .record(Metric::Recovery, at.saturating_sub(cut_at), 1);
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

    fn acked(&mut self, _: usize, _: u64, _: Answer, _: Arrival) {}

    fn gone(&mut self, seat: usize, joined: bool, reason: &Gone) {
        let client = &mut self.clients[seat];
        self.recorder.record().fail(&reason.0, 1);
        let slot = self.recorder.slot();
        if joined {
            self.recorder.counts().disconnected += 1;
            slot.add(Live::Disconnected, 1);
            slot.add_signed(Live::Held, -1);
        } else {
            self.recorder.counts().failed += 1;
            slot.add(Live::Failed, 1);
        }
        (client.joined, client.greeted) = (false, false);
        if client.cut_at.is_some() {
            self.refused.push(seat);
        } else {
            self.awaited -= usize::from(std::mem::take(&mut client.awaited));
        }
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
