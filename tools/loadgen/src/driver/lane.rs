//! One thread of a run: it follows the board from phase to phase and has its [`Crew`], receivers or emitters, do their
//! part. It leaves a phase only when the board does, so that all lanes of all processes stand at the same barrier.

use std::io;

use serde::{Deserialize, Serialize};

use super::{
    Endpoint, emitters::Emitters, receivers::Receivers, seat::Manner, slice, swarm::Swarm,
    text::Expected,
};
use crate::{
    board::{Board, LEAVE, Place},
    lane::{Lane, Role},
    measure::PhaseRecord,
    plan::{Driver, Plan},
    scenario::Phase,
    slot::{Live, Slot},
    time::{ClockReport, Nanos, now},
};

/// What a lane brings home.
#[derive(Serialize, Deserialize)]
pub(crate) struct LaneRecord {
    pub(crate) phases: Vec<PhaseRecord>,
    pub(crate) clock: ClockReport,
}

/// What a lane's clients do in a phase.
pub(crate) trait Crew {
    /// Called shortly before the phase's start.
    fn begin(&mut self, phase: &Phase, place: Place) -> io::Result<()>;
    /// Goes on for a few milliseconds at most.
    fn turn(&mut self) -> io::Result<()>;
    /// Whether this lane's part of the phase is done.
    fn is_done(&mut self, now: Nanos) -> bool;
    /// Called when all lanes are done, or nobody waits for them any longer.
    fn end(&mut self, now: Nanos);
    fn finish(self) -> LaneRecord;
}

pub(crate) fn run(
    plan: &Plan,
    board: &Board,
    endpoints: &[Endpoint],
    lane: Lane,
) -> io::Result<LaneRecord> {
    match (lane.role, plan.driver) {
        (Role::Emit, _) => {
            // Where it is not allowed the lag of its sends is what it would have been anyway, and it is measured.
            let _ = slice::ask_for_short_turns();
            let emitters = Emitters::new(plan, board, endpoints, lane)?;
            drive(plan, board, lane, emitters)
        }
        (Role::Receive { .. }, Driver::Epoll) => {
            let swarm = Swarm::new(endpoints, Manner::of(plan), Expected::new(plan, 0))?;
            drive(plan, board, lane, Receivers::new(plan, board, swarm, lane))
        }
        #[cfg(feature = "rust-socketio")]
        (Role::Receive { .. }, Driver::RustSocketio) => {
            let stock = super::stock::Stock::new(plan, plan.targets_of(lane.cell))?;
            drive(plan, board, lane, Receivers::new(plan, board, stock, lane))
        }
        #[cfg(not(feature = "rust-socketio"))]
        (Role::Receive { .. }, Driver::RustSocketio) => {
            Err(io::Error::other("built without this driver"))
        }
    }
}

fn drive(plan: &Plan, board: &Board, lane: Lane, mut crew: impl Crew) -> io::Result<LaneRecord> {
    let slot: Slot<'_> = board.slot(lane.index);
    // Not where the board is: a lane that starts late has to catch up with the phase that has begun.
    let mut at = Place { phase: 0, start: 0 };
    loop {
        let place = board.place();
        if place.phase != at.phase {
            if at.phase > 0 {
                crew.end(now());
            }
            if place.phase == LEAVE {
                slot.set(Live::Phase, LEAVE);
                return Ok(crew.finish());
            }
            crew.begin(&plan.phases[place.phase as usize - 1], place)?;
            slot.set(Live::Phase, place.phase);
            at = place;
        }
        crew.turn()?;
        if at.phase > 0 && slot.get(Live::Done) < at.phase && crew.is_done(now()) {
            slot.set(Live::Done, at.phase);
        }
    }
}
