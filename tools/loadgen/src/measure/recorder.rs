//! One thread's measuring: it turns arrivals into latencies and counts, second by second and phase by phase. It knows
//! nothing of sockets; the driver feeds it.
//!
//! A count stands for all counts before it ([`Stream::Counter`]): whoever jumps from 10 to 13 has been told of 11 and
//! 12, too, and their latency ends here. Messages with ids of their own ([`Stream::Messages`]) stand for themselves.

use super::{
    Counts, Metric, PhaseRecord, Sequence, Step,
    arrival::{Arrival, Habit, Spread},
    phase::{Counting, Phase},
    sequence::Outcome,
    ties::{Fate, Ties},
};
use crate::{
    board::Cell,
    plan::Stream,
    slot::{Live, Slot},
    time::{MILLISECOND, Nanos, SECOND},
};

/// The longest time between two looks at the board. Whoever sleeps longer was denied the CPU.
pub(crate) const TURN: Nanos = 50 * MILLISECOND;

pub(crate) struct Recorder<'a> {
    cell: Cell<'a>,
    slot: Slot<'a>,
    stream: Stream,
    ties: Ties<'a>,
    /// Events of the present read, if it is a late one: they are told apart when the last one is known.
    together: Vec<(u64, Arrival)>,
    habit: Habit,
    phase: Phase,
    /// The counts of all phases before.
    earlier: Counts,
    ticked: Nanos,
    finished: Vec<PhaseRecord>,
}

impl<'a> Recorder<'a> {
    pub(crate) fn new(cell: Cell<'a>, slot: Slot<'a>, stream: Stream, may_wait: bool) -> Self {
        let phase = Phase::new(Counting::Nothing, crate::time::now());
        Self {
            cell,
            slot,
            stream,
            ties: Ties::new(cell.ledger, may_wait),
            together: Vec::new(),
            habit: Habit::default(),
            phase,
            earlier: Counts::default(),
            ticked: crate::time::now(),
            finished: Vec::new(),
        }
    }

    pub(crate) fn counts(&mut self) -> &mut Counts {
        &mut self.phase.record.counts
    }

    pub(crate) fn record(&mut self) -> &mut PhaseRecord {
        &mut self.phase.record
    }

    pub(crate) fn slot(&self) -> Slot<'a> {
        self.slot
    }

    /// A duration that is rare enough to be told at once.
    pub(crate) fn took(&mut self, metric: Metric, duration: Nanos) {
        self.phase.record.record(metric, duration, 1);
        self.slot.tally(metric).add(duration, 1);
    }

    /// A client has joined that was to connect at `planned`: when it joined.
    pub(crate) fn opened(&mut self, planned: Nanos) -> Nanos {
        let at = crate::time::now();
        self.took(Metric::ConnectTime, at.saturating_sub(planned));
        self.counts().opened += 1;
        self.slot.add(Live::Opened, 1);
        self.slot.add(Live::Held, 1);
        at
    }

    /// A client was disconnected, or could not connect.
    pub(crate) fn gone(&mut self, was_joined: bool, reason: &str) {
        self.phase.record.fail(reason, 1);
        if was_joined {
            self.counts().disconnected += 1;
            self.slot.add(Live::Disconnected, 1);
            self.slot.add_signed(Live::Held, -1);
        } else {
            self.counts().failed += 1;
            self.slot.add(Live::Failed, 1);
        }
    }

    pub(crate) fn begin(&mut self, counting: Counting, start: Nanos) {
        self.phase = Phase::new(counting, start);
    }

    /// An expected event at the client with this `sequence`.
    #[inline]
    pub(crate) fn arrived(&mut self, sequence: &mut Sequence, number: u64, arrival: Arrival) {
        if self.phase.counting == Counting::Nothing {
            if number > sequence.last() {
                sequence.begin_after(number);
            }
            return;
        }
        match sequence.accept(number) {
            Step::Ahead { first } => {
                self.phase.record.counts.delivered += 1;
                if self.stream == Stream::Counter {
                    // What the ledger has forgotten anyway need not be looked up, however far the jump.
                    let from = first.max(number.saturating_sub(self.cell.ledger.capacity()));
                    self.phase.record.counts.unattributed += from - first;
                    (from..number).for_each(|passed| self.attribute(passed, arrival));
                }
                self.attribute(number, arrival);
            }
            Step::Late => {
                self.phase.record.counts.delivered += 1;
                self.phase.record.counts.out_of_order += 1;
                if self.stream == Stream::Messages {
                    self.attribute(number, arrival);
                }
            }
            Step::Repeated => {
                self.phase.record.counts.repeated += 1;
            }
            Step::Stale => self.phase.record.counts.stale += 1,
        }
    }

    /// A late read is over.
    #[cold]
    fn part(&mut self) {
        let (Some(&(first, arrival)), Some(&(last, _))) =
            (self.together.first(), self.together.last())
        else {
            return;
        };
        let spread = Spread::of(first, last, arrival, self.habit.joins());
        let mut together = std::mem::take(&mut self.together);
        if together.len() > 1 {
            self.phase.record.counts.coalesced += together.len() as u64;
        }
        for (number, arrival) in together.drain(..) {
            let fate = self.ties.tie(number, spread, arrival);
            self.decide(fate);
        }
        self.together = together;
    }

    /// A read of `bytes` with so many expected events in it; `delay`: since the kernel had it, if it said when.
    #[inline]
    pub(crate) fn read(&mut self, bytes: u64, events: u64, delay: Option<Nanos>) {
        self.phase.record.counts.received_bytes += bytes;
        if self.together.is_empty() {
            self.habit.saw(events);
        } else {
            self.part();
        }
        if events == 0 || self.phase.counting != Counting::Latencies {
            return;
        }
        match delay {
            Some(delay) => self.phase.delay.record_n(delay, events),
            None => self.phase.record.counts.unstamped += events,
        }
    }

    #[inline]
    fn attribute(&mut self, number: u64, arrival: Arrival) {
        if self.phase.counting != Counting::Latencies {
            return;
        }
        if arrival.is_prompt() {
            let fate = self.ties.tie(number, Spread::Together, arrival);
            self.decide(fate);
        } else {
            self.together.push((number, arrival));
        }
    }

    #[inline]
    fn decide(&mut self, fate: Fate) {
        match fate {
            Fate::Tied(tie) => self.phase.tied(tie),
            Fate::Waits => {}
            Fate::Unknown => self.phase.record.counts.unattributed += 1,
        }
    }

    /// Whether arrivals still wait for the acknowledgement of their emit.
    pub(crate) fn is_waiting(&self) -> bool {
        self.ties.is_waiting()
    }

    fn settle(&mut self) {
        if self.ties.is_waiting() {
            self.ties.settle(|tie| self.phase.tied(tie));
        }
    }

    /// To be called after each turn, of which each sleeps for `wait` at most; `expected`: of all clients in this phase so
    /// far.
    pub(crate) fn tick(&mut self, now: Nanos, wait: Nanos, expected: u64) {
        self.settle();
        let late = now.saturating_sub(self.ticked + wait);
        self.slot.lateness().add(late, 1);
        self.ticked = now;
        self.publish(expected);
        if now >= self.phase.start + (self.phase.second + 1) * SECOND {
            self.show_latencies();
            self.phase.second = (now - self.phase.start) / SECOND;
        }
    }

    /// Puts the counts on the board.
    fn publish(&self, expected: u64) {
        let (before, now) = (&self.earlier, &self.phase.record.counts);
        let missing = |counts: &Counts| counts.lost + counts.skipped + counts.missed_away;
        for (live, sum) in [
            (Live::Asked, before.asked + now.asked),
            (Live::Returned, before.returned + now.returned),
            (Live::Planned, before.planned + now.planned),
            (Live::Sent, before.sent + now.sent),
            (Live::Expected, before.expected + expected),
            (Live::Delivered, before.delivered + now.delivered),
            (Live::Missing, missing(before) + missing(now)),
            (Live::Repeated, before.repeated + now.repeated),
            (Live::OutOfOrder, before.out_of_order + now.out_of_order),
        ] {
            self.slot.set(live, sum);
        }
    }

    /// Puts the latencies of the present second on the board, and into the series. It may go on after that.
    pub(crate) fn show_latencies(&mut self) {
        let phase = &mut self.phase;
        let held = self.slot.get(Live::Held);
        let point =
            super::series::Point::new(&phase.record.counts, &phase.before, held, &phase.window);
        phase.record.series.add(phase.second, &point);
        let (buckets, tally) = (
            self.slot.buckets(),
            self.slot.tally(Metric::BroadcastLatency),
        );
        for value in phase.window.hdr().iter_recorded() {
            let (latency, times) = (value.value_iterated_to(), value.count_at_value());
            buckets.add(latency, times);
            tally.add(latency, times);
        }
        phase.record.add(Metric::BroadcastLatency, &phase.window);
        phase.window.clear();
        phase.before = phase.record.counts;
    }

    /// A client that came back in the middle of the phase begins anew at `number`.
    pub(crate) fn rejoined(&mut self, sequence: &mut Sequence, number: u64) {
        let missed = sequence.rejoin_at(number);
        if self.phase.counting != Counting::Nothing {
            self.phase.record.counts.expected += missed;
            self.phase.record.counts.missed_away += missed;
        }
    }

    /// Accounts for one client at the end of a phase whose last number was `last`.
    pub(crate) fn account(&mut self, sequence: &Sequence, last: u64, connected: bool) {
        let Outcome {
            delivered,
            passed_over,
            never_reached,
            beyond,
        } = sequence.outcome(last);
        let unseen = match self.stream {
            Stream::Counter => never_reached,
            Stream::Messages => passed_over + never_reached,
        };
        let counts = &mut self.phase.record.counts;
        counts.expected += delivered + passed_over + never_reached;
        counts.skipped += passed_over + never_reached - unseen;
        counts.lost += unseen;
        counts.lost_disconnected += if connected { 0 } else { unseen };
        counts.beyond += beyond;
        self.phase.accounted += delivered;
    }

    /// Ends the phase, after all clients are accounted for.
    pub(crate) fn end(&mut self, lane: &str, now: Nanos) {
        self.settle();
        self.phase.record.counts.unattributed += self.ties.give_up();
        self.show_latencies();
        self.publish(self.phase.record.counts.expected);
        self.earlier += &self.phase.record.counts;
        let mut phase = std::mem::replace(&mut self.phase, Phase::new(Counting::Nothing, now));
        let record = &mut phase.record;
        record.add(Metric::ServerLatency, &phase.server);
        record.add(Metric::ReadDelay, &phase.delay);
        record.add(Metric::ArrivalDoubt, &phase.doubt);
        // The count kept while it ran and the one made from the clients' final state must be the same.
        record.miscounted = record.counts.delivered != phase.accounted + record.counts.beyond;
        record.counts.delivered = phase.accounted;
        record.span = Some((phase.start, now));
        record.lanes.push(phase.usage.since(lane, now));
        self.finished.push(phase.record);
    }

    pub(crate) fn finish(self) -> Vec<PhaseRecord> {
        self.finished
    }
}
