//! How long a phase may take before waiting makes no sense any more.

use crate::{
    board::Board,
    plan::Plan,
    scenario::{Action, Phase},
    slot::Live,
    time::{Nanos, SECOND},
};

/// How long to wait for a phase.
pub(crate) struct Patience {
    /// Where an end can be foreseen.
    deadline: Option<Nanos>,
    /// After the emitters are done with this phase, the last events may take so long.
    drain: Option<(u64, Nanos)>,
    /// When they were.
    emitted: Option<Nanos>,
    /// Else as long as something moves.
    stalled: Nanos,
    moved: (u64, Nanos),
}

impl Patience {
    /// For the phase of this number.
    pub(crate) fn new(plan: &Plan, phase: &Phase, number: u64, start: Nanos) -> Self {
        let publishing = phase
            .publish
            .map_or(0, |publish| publish.length + plan.ack_timeout + plan.drain);
        let lasting = match phase.action {
            Action::Open { .. } => None,
            Action::Hold | Action::Stop { .. } => Some(publishing),
            Action::Cut { spread } => Some(publishing.max(spread + plan.return_timeout)),
            Action::Resume => Some(plan.drain),
        };
        let deadline =
            lasting.map(|lasting| start.saturating_add(phase.hold).saturating_add(lasting));
        let waits_for_events =
            phase.publish.is_some() && !matches!(phase.action, Action::Cut { .. });
        Self {
            deadline,
            drain: waits_for_events.then_some((number, plan.drain)),
            emitted: None,
            stalled: plan.connect_timeout + 3 * SECOND,
            moved: (0, start),
        }
    }

    pub(crate) fn is_over(&mut self, board: &Board, now: Nanos) -> bool {
        let Some(deadline) = self.deadline else {
            let figures = [Live::Opened, Live::Failed, Live::Disconnected];
            let sum = board
                .slots()
                .map(|slot| figures.map(|live| slot.get(live)).iter().sum::<u64>())
                .sum();
            if sum != self.moved.0 {
                self.moved = (sum, now);
            }
            return now > self.moved.1 + self.stalled;
        };
        let Some((phase, drain)) = self.drain else {
            return now > deadline;
        };
        if self.emitted.is_none() && board.cells().all(|cell| cell.last(phase).is_some()) {
            self.emitted = Some(now);
        }
        let drained = self.emitted.map(|at| at.saturating_add(drain));
        now > drained.map_or(deadline, |drained| drained.min(deadline))
    }
}
