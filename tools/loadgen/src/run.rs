//! Conducts a run: starts the lanes, leads everybody from phase to phase over the board, and merges what they bring.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::{
    board::{Board, LEAVE, Place},
    lane::Role,
    live::View,
    measure::{PhaseRecord, TURN},
    patience::Patience,
    plan::{Plan, Stream},
    scenario::Phase,
    server::{Server, Usage},
    slot::Live,
    time::{ClockReport, MILLISECOND, Nanos, SECOND, now},
    worker::{self, Ended},
};

/// From the announcement of a phase to its start: a few turns of every lane.
const LEAD: Nanos = 3 * TURN;
/// After the last event of a phase: time for what should not come (repeats) to come.
const SETTLE: Nanos = 150 * MILLISECOND;
const LOOK: Nanos = 20 * MILLISECOND;
/// The same in the middle of a phase that cannot end yet.
const GLANCE: Nanos = 100 * MILLISECOND;

/// Who is in the phase has to be seen before its events begin, and its end soon after it came.
fn next_look(phase: &Phase, start: Nanos, now: Nanos) -> Nanos {
    if now < start {
        LOOK
    } else {
        (start + phase.least())
            .saturating_sub(now)
            .clamp(LOOK, GLANCE)
    }
}

/// What a run brought.
pub(crate) struct Outcome {
    /// Those that were begun.
    pub(crate) phases: Vec<Finished>,
    pub(crate) clock: ClockReport,
    /// Why it ended before its last phase.
    pub(crate) ended_early: Option<String>,
}

pub(crate) struct Finished {
    pub(crate) phase: Phase,
    pub(crate) record: PhaseRecord,
    /// What the server used meanwhile, if its process is known.
    pub(crate) server: Option<Usage>,
}

/// Who may end a run early, looking at the live figures.
pub(crate) trait Judge {
    /// Called about once a second while a measured phase runs: a reason to end the run now.
    fn look(&mut self, board: &Board) -> Option<String>;
    /// Called after each phase: a reason not to begin the next.
    fn after(&mut self, board: &Board, phase: &Phase) -> Option<String>;
}

pub(crate) fn run(
    plan: &Plan,
    view: &View<'_>,
    judge: &mut impl Judge,
    server: Option<&Server>,
    interrupted: &Arc<AtomicBool>,
) -> anyhow::Result<Outcome> {
    let board = Board::create(plan.layout());
    let board = Arc::new(board.context("cannot create the shared memory of the run")?);
    let (sender, receiver) = mpsc::sync_channel(plan.lanes().len() + plan.workers);
    std::thread::scope(|scope| {
        let leave = Leave(&board);
        let mut processes = Vec::new();
        if plan.workers == 1 {
            processes.push(std::process::id());
            let (plan, board, sender) = (plan, &board, sender.clone());
            scope
                .spawn(move || report_failure(worker::run_lanes(plan, board, 0, &sender), &sender));
        } else {
            for worker in 0..plan.workers {
                let (child, sender) = (worker::start(plan, &board, worker)?, sender.clone());
                processes.push(child.id());
                scope.spawn(move || {
                    report_failure(worker::collect(child, worker, &sender), &sender);
                });
            }
        }
        drop(sender);
        view.begin(plan, &board, processes);
        let mut conductor = Conductor {
            plan,
            board: &board,
            view,
            judge,
            server,
            interrupted,
            receiver: &receiver,
        };
        let conducted = conductor.conduct();
        drop(leave);
        let (ended_early, usages) = conducted?;
        gather(plan, &receiver, ended_early, usages)
    })
}

/// Whatever happens, the lanes are told to leave: they would wait forever, and we for them.
struct Leave<'a>(&'a Board);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.enter(Place {
            phase: LEAVE,
            start: now(),
        });
    }
}

fn report_failure(result: anyhow::Result<()>, sender: &SyncSender<Ended>) {
    if let Err(error) = result {
        // Nobody listens any more: then the run has ended with an error already.
        let _ = sender.send(Err(error));
    }
}

fn gather(
    plan: &Plan,
    receiver: &Receiver<Ended>,
    ended_early: Option<String>,
    usages: Vec<Option<Usage>>,
) -> anyhow::Result<Outcome> {
    let mut clock = ClockReport::default();
    let begun = plan.phases.iter().zip(usages);
    let mut phases: Vec<Finished> = begun
        .map(|(phase, server)| Finished {
            phase: phase.clone(),
            record: PhaseRecord::default(),
            server,
        })
        .collect();
    let mut lanes = 0;
    for record in receiver {
        let record = record?;
        lanes += 1;
        clock.merge(&record.clock);
        for (finished, record) in phases.iter_mut().zip(record.phases) {
            finished.record.merge(record);
        }
    }
    anyhow::ensure!(
        lanes == plan.lanes().len(),
        "only {lanes} of {} lanes brought their records",
        plan.lanes().len()
    );
    Ok(Outcome {
        phases,
        clock,
        ended_early,
    })
}

struct Conductor<'a, J> {
    plan: &'a Plan,
    board: &'a Board,
    view: &'a View<'a>,
    judge: &'a mut J,
    server: Option<&'a Server>,
    interrupted: &'a AtomicBool,
    receiver: &'a Receiver<Ended>,
}

type Conducted = (Option<String>, Vec<Option<Usage>>);

impl<J: Judge> Conductor<'_, J> {
    /// Leads through all phases: why it ended early, if it did, and what the server used in each phase.
    fn conduct(&mut self) -> anyhow::Result<Conducted> {
        let mut usages = Vec::new();
        for (index, phase) in self.plan.phases.iter().enumerate() {
            let number = index as u64 + 1;
            self.set_bases();
            let start = now() + LEAD;
            let before = self.server.map(Server::usage);
            self.board.enter(Place {
                phase: number,
                start,
            });
            let mut reason = self.wait_for(phase, number, start)?;
            if phase.publish.is_some() {
                self.pause(SETTLE)?;
            }
            usages.push(
                self.server
                    .zip(before)
                    .map(|(server, before)| server.usage().since(&before)),
            );
            reason = reason.or_else(|| self.judge.after(self.board, phase));
            if reason.is_some() {
                return Ok((reason, usages));
            }
        }
        Ok((None, usages))
    }

    /// The numbers of the next phase begin after the newest one that the emitters have seen.
    fn set_bases(&self) {
        for lane in self
            .plan
            .lanes()
            .iter()
            .filter(|lane| lane.role == Role::Emit)
        {
            let newest = self
                .board
                .slot(lane.index)
                .get(Live::Newest)
                .saturating_sub(1);
            let counter = self.plan.correlate.stream() == Stream::Counter;
            self.board
                .cell(lane.cell)
                .set_base(if counter { newest } else { 0 });
        }
    }

    /// Waits until all lanes have done their part, or waiting makes no sense any more.
    fn wait_for(
        &mut self,
        phase: &Phase,
        number: u64,
        start: Nanos,
    ) -> anyhow::Result<Option<String>> {
        let mut patience = Patience::new(self.plan, phase, number, start);
        let mut looked = start;
        loop {
            self.pause(next_look(phase, start, now()))?;
            let now = now();
            self.view.show(self.plan, self.board, phase, start, now);
            if self
                .board
                .slots()
                .all(|slot| slot.get(Live::Done) >= number)
            {
                return Ok(None);
            }
            let mut reason = self
                .interrupted
                .load(Relaxed)
                .then(|| "interrupted".to_owned());
            if phase.measured && now > looked + SECOND {
                looked = now;
                reason = reason.or_else(|| self.judge.look(self.board));
            }
            if reason.is_some() || patience.is_over(self.board, now) {
                self.cut_short(number)?;
                return Ok(reason);
            }
        }
    }

    /// Ends the phase: the emitters give up what they wait for, and say what the last number is.
    fn cut_short(&self, number: u64) -> anyhow::Result<()> {
        self.board.cut_short(number);
        let emitting = |lane: &crate::lane::Lane| lane.role == Role::Emit;
        let deadline = now() + SECOND;
        while now() < deadline {
            let mut lanes = self.plan.lanes().into_iter().filter(emitting);
            if lanes.all(|lane| self.board.slot(lane.index).get(Live::Done) >= number) {
                break;
            }
            self.pause(LOOK)?;
        }
        Ok(())
    }

    /// Waits; fails at once if a lane ended before its time.
    fn pause(&self, length: Nanos) -> anyhow::Result<()> {
        match self.receiver.recv_timeout(Duration::from_nanos(length)) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => bail!("all lanes ended before the run did"),
            Ok(ended) => {
                ended?;
                bail!("a lane ended before the run did")
            }
        }
    }
}
