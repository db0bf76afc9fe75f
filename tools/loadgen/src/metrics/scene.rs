//! What the metrics show: the figures of each phase and worker process. The board knows sums over the whole run only; the
//! difference is taken whenever a lane has gone on to the next phase.

use std::{collections::BTreeMap, fs, sync::Arc};

use crate::{
    board::{Board, LEAVE},
    plan::Plan,
    slot::{Figures, Live},
    verdict::{self, State},
};

pub(super) struct Scene {
    pub(super) run: String,
    phases: Vec<String>,
    board: Arc<Board>,
    lanes: Vec<Watched>,
    /// The process of each worker.
    processes: Vec<u32>,
    open_files: u64,
    /// By phase and worker: what is over.
    past: BTreeMap<(u64, usize), Figures>,
    pub(super) verdict: Option<State>,
    pub(super) has_ended: bool,
    pub(super) was_seen_ended: bool,
}

/// One lane, as it was seen last.
struct Watched {
    worker: usize,
    /// Counted from 1.
    phase: u64,
    /// Its figures when the phase began.
    before: Figures,
}

/// What happened in one phase at one worker.
pub(super) struct Part<'a> {
    pub(super) phase: &'a str,
    pub(super) worker: usize,
    pub(super) figures: Figures,
    pub(super) is_over: bool,
}

/// One worker process now.
pub(super) struct Process {
    pub(super) worker: usize,
    /// By state.
    pub(super) clients: [(&'static str, u64); 4],
    /// `None` once it has ended.
    pub(super) open_files: Option<u64>,
    pub(super) most_files: u64,
}

impl Scene {
    pub(super) fn new(plan: &Plan, board: Arc<Board>, processes: Vec<u32>) -> Self {
        let lanes = plan.lanes().into_iter().map(|lane| Watched {
            worker: lane.worker,
            phase: 1,
            before: Figures::default(),
        });
        Self {
            run: plan.run.clone(),
            phases: plan.phases.iter().map(|phase| phase.name.clone()).collect(),
            board,
            lanes: lanes.collect(),
            processes,
            open_files: crate::limits::open_files(),
            past: BTreeMap::new(),
            verdict: None,
            has_ended: false,
            was_seen_ended: false,
        }
    }

    pub(super) fn observe(&mut self) {
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let slot = self.board.slot(index);
            let phase = slot.get(Live::Phase);
            if phase > lane.phase {
                let now = slot.figures();
                let past = self.past.entry((lane.phase, lane.worker)).or_default();
                past.add(&now.since(&lane.before));
                (lane.phase, lane.before) = (phase, now);
            }
        }
    }

    /// Everything that has happened so far, and nothing yet of the phase to come.
    pub(super) fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = self.past.clone();
        let mut present = 1;
        for (index, lane) in self.lanes.iter().enumerate() {
            if lane.phase != LEAVE {
                present = present.max(lane.phase);
                let figures = self.board.slot(index).figures().since(&lane.before);
                parts
                    .entry((lane.phase, lane.worker))
                    .or_default()
                    .add(&figures);
            }
        }
        // At zero before it begins, so that Prometheus sees all of its growth.
        let next = present + 1;
        if next as usize <= self.phases.len() && !self.has_ended {
            for worker in 0..self.processes.len() {
                parts.entry((next, worker)).or_default();
            }
        }
        let part = |((phase, worker), figures)| Part {
            phase: &self.phases[phase as usize - 1],
            worker,
            figures,
            is_over: phase < present || self.has_ended,
        };
        parts.into_iter().map(part).collect()
    }

    pub(super) fn processes(&self) -> Vec<Process> {
        let of_worker = |(worker, pid): (usize, &u32)| {
            let mut sum = Figures::default();
            let mine = self
                .lanes
                .iter()
                .enumerate()
                .filter(|(_, lane)| lane.worker == worker);
            mine.for_each(|(index, _)| sum.add(&self.board.slot(index).figures()));
            let [asked, held, stopped, gone] =
                [Live::Asked, Live::Held, Live::Stopped, Live::Gone].map(|live| sum.get(live));
            Process {
                worker,
                clients: [
                    ("opening", asked.saturating_sub(held + gone)),
                    ("held", held.saturating_sub(stopped)),
                    ("stopped", stopped),
                    ("gone", gone),
                ],
                open_files: open_files(*pid),
                most_files: self.open_files,
            }
        };
        self.processes.iter().enumerate().map(of_worker).collect()
    }

    /// The final verdict, or before it what the live figures say.
    pub(super) fn verdict(&self) -> State {
        self.verdict.unwrap_or_else(|| {
            let mut sum = Figures::default();
            self.parts().iter().for_each(|part| sum.add(&part.figures));
            verdict::so_far(&sum)
        })
    }
}

/// How many files a process has open (proc(5)); since Linux 6.2 the size of the folder says it.
fn open_files(pid: u32) -> Option<u64> {
    let folder = format!("/proc/{pid}/fd");
    match fs::metadata(&folder).ok()?.len() {
        0 => Some(fs::read_dir(&folder).ok()?.count() as u64),
        files => Some(files),
    }
}
