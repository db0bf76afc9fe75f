//! The search for the capacity: steps of more and more clients, until a limit on the broadcast latency breaks, events
//! go missing, or clients cannot connect.

use crate::{
    board::Board,
    buckets::Snapshot,
    measure::PhaseRecord,
    plan::Plan,
    report::Capacity,
    run::{Judge, Outcome},
    scenario::{Action, Phase},
    slot::Live,
    threshold::Threshold,
};

/// Ends a run early: after a step that broke its limit, or as soon as a threshold is broken.
pub(crate) struct EarlyEnd {
    pub(crate) limit: Option<Threshold>,
    pub(crate) abort_on: Vec<Threshold>,
    /// The live figures when the phase began.
    since: Snapshot,
    failures: u64,
}

fn live(board: &Board) -> Snapshot {
    let mut sum = Snapshot::default();
    board.slots().for_each(|slot| sum.add(slot.buckets()));
    sum
}

fn failures(board: &Board) -> u64 {
    board
        .slots()
        .map(|slot| slot.get(Live::Failed) + slot.get(Live::Disconnected))
        .sum()
}

impl EarlyEnd {
    pub(crate) fn new(limit: Option<Threshold>, abort_on: Vec<Threshold>) -> Self {
        Self {
            limit,
            abort_on,
            since: Snapshot::default(),
            failures: 0,
        }
    }
}

impl Judge for EarlyEnd {
    fn look(&mut self, board: &Board) -> Option<String> {
        let live = live(board).since(&self.since);
        let broken = self
            .abort_on
            .iter()
            .find(|threshold| threshold.is_broken_by(&live))?;
        Some(format!("{broken} was broken (--abort-on-fail)"))
    }

    fn after(&mut self, board: &Board, phase: &Phase) -> Option<String> {
        let of_phase = live(board).since(&self.since);
        self.since = live(board);
        if !phase.step {
            return None;
        }
        let failures = failures(board);
        if failures > std::mem::replace(&mut self.failures, failures) {
            return Some("clients failed".into());
        }
        let limit = self
            .limit
            .as_ref()
            .filter(|limit| limit.is_broken_by(&of_phase))?;
        Some(format!("{limit} was broken"))
    }
}

/// Looks at the exact figures of all steps that were taken.
pub(crate) fn found(plan: &Plan, outcome: &Outcome) -> Option<Capacity> {
    let limit = plan.limit.as_ref()?;
    let limit: Threshold = limit.parse().ok()?;
    let mut capacity = Capacity {
        clients: None,
        gave_way: None,
    };
    let mut opened = PhaseRecord::default();
    let mut clients = 0;
    let mut kept_before = None;
    for finished in &outcome.phases {
        if let Action::Open {
            clients: target, ..
        } = finished.phase.action
        {
            opened.merge(finished.record.clone());
            clients = target;
            continue;
        }
        let record = &finished.record;
        let checked = limit.check(record);
        let counts = &record.counts;
        let missing = counts.lost + counts.skipped;
        let broken = [
            (opened.counts.opened < u64::from(clients))
                .then(|| "not all clients could connect".to_owned()),
            (counts.disconnected > 0)
                .then(|| format!("{} clients were disconnected", counts.disconnected)),
            (missing > 0).then(|| format!("{missing} events were lost or skipped")),
            (!checked.passed).then(|| {
                let value = checked
                    .value
                    .map_or("no value".into(), crate::sentence::millis);
                format!("{limit} was broken: {value}")
            }),
        ];
        if let Some(broken) = broken.into_iter().flatten().next() {
            capacity.gave_way = Some(format!("({clients} clients) {broken}"));
            break;
        }
        kept_before = capacity.clients.replace(clients);
    }
    // The live figures are coarser: they may end the search at a step that kept the limit by a hair.
    if let (None, Some(reason)) = (&capacity.gave_way, &outcome.ended_early) {
        capacity.gave_way = Some(format!("({clients} clients) {reason}"));
        capacity.clients = kept_before;
    }
    Some(capacity)
}
