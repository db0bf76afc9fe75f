//! What can be seen while it runs: on stderr a line that is drawn over and over on a terminal, else one plain line every
//! few seconds; and the metrics, if somebody wants them.

use std::{cell::RefCell, io::IsTerminal as _, sync::Arc, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    board::Board,
    buckets::Snapshot,
    metrics::Metrics,
    plan::Plan,
    scenario::{Action, Phase},
    slot::Live,
    time::{MILLISECOND, Nanos, SECOND, seconds},
};

pub(crate) struct View<'a> {
    metrics: Option<&'a Metrics>,
    bar: Option<ProgressBar>,
    /// Between two plain lines; `None`: none at all.
    every: Option<Nanos>,
    open_files: u64,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    phase: String,
    /// When the figures of the last second were taken, and what they were then.
    looked: Nanos,
    buckets: Snapshot,
    delivered: u64,
    line: String,
    printed: Nanos,
}

impl<'a> View<'a> {
    pub(crate) fn new(quiet: bool, open_files: u64, metrics: Option<&'a Metrics>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let style = ProgressStyle::with_template("{spinner} {bar:24} {msg}");
        let bar = (terminal && !quiet).then(|| {
            let bar = ProgressBar::new(1_000);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let every = (!terminal && !quiet).then_some(5 * SECOND);
        Self {
            metrics,
            bar,
            every,
            open_files,
            state: RefCell::default(),
        }
    }

    /// The run begins, with these worker processes.
    pub(crate) fn begin(&self, plan: &Plan, board: &Arc<Board>, processes: Vec<u32>) {
        if let Some(metrics) = self.metrics {
            metrics.begin(plan, board, processes);
        }
    }

    /// To be called many times a second.
    pub(crate) fn show(&self, plan: &Plan, board: &Board, phase: &Phase, start: Nanos, now: Nanos) {
        if let Some(metrics) = self.metrics {
            metrics.observe();
        }
        if self.bar.is_none() && self.every.is_none() {
            return;
        }
        let mut state = self.state.borrow_mut();
        let new_phase = state.phase != phase.name;
        if !new_phase && now < state.looked + SECOND / 5 {
            return;
        }
        if new_phase {
            state.phase.clone_from(&phase.name);
        }
        if new_phase || now >= state.looked + SECOND {
            state.renew(board, now);
        }
        let done = progress(plan, board, phase, now.saturating_sub(start));
        let line = self.line(plan, board, &state, done);
        if let Some(bar) = &self.bar {
            bar.set_position((done * 1_000.0) as u64);
            bar.set_message(line);
        } else if self
            .every
            .is_some_and(|every| new_phase || now >= state.printed + every)
        {
            state.printed = now;
            eprintln!("{line}");
        }
    }

    fn line(&self, plan: &Plan, board: &Board, state: &State, done: f64) -> String {
        let sum = |live: Live| board.slots().map(|slot| slot.get(live)).sum::<u64>();
        let files = (0..plan.workers).map(|worker| {
            let lanes = plan
                .lanes()
                .into_iter()
                .filter(move |lane| lane.worker == worker);
            lanes
                .map(|lane| board.slot(lane.index).get(Live::Held))
                .sum::<u64>()
        });
        format!(
            "{} {:3.0} %  clients {}/{}  {}  errors {}  files {}/{}",
            state.phase,
            done * 100.0,
            sum(Live::Held),
            plan.clients,
            state.line,
            [
                Live::Failed,
                Live::Disconnected,
                Live::Repeated,
                Live::OutOfOrder
            ]
            .map(sum)
            .iter()
            .sum::<u64>(),
            files.max().unwrap_or(0),
            self.open_files,
        )
    }

    pub(crate) fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl State {
    /// Once a second: what happened since the last time.
    fn renew(&mut self, board: &Board, now: Nanos) {
        let mut buckets = Snapshot::default();
        board.slots().for_each(|slot| buckets.add(slot.buckets()));
        let delivered = board.slots().map(|slot| slot.get(Live::Delivered)).sum();
        let sent: u64 = board.slots().map(|slot| slot.get(Live::Sent)).sum();
        let second = buckets.since(&self.buckets);
        let rate = u64::saturating_sub(delivered, self.delivered) as f64
            / seconds(now - self.looked).max(0.001);
        let percentile = |percent| {
            let value = second.percentile(percent);
            value.map_or("-".to_owned(), |value| {
                format!("{:.1}", value as f64 / MILLISECOND as f64)
            })
        };
        self.line = format!(
            "sent {sent}  delivered {delivered} ({rate:.0}/s)  p50 {} ms  p99 {} ms",
            percentile(50.0),
            percentile(99.0)
        );
        (self.looked, self.delivered, self.buckets) = (now, delivered, buckets);
    }
}

/// From 0 to 1.
fn progress(plan: &Plan, board: &Board, phase: &Phase, since: Nanos) -> f64 {
    let done = match (phase.action, phase.publish) {
        (Action::Open { clients, .. }, _) => {
            let decided = board
                .slots()
                .map(|slot| slot.get(Live::Held) + slot.get(Live::Failed))
                .sum::<u64>();
            decided as f64 / f64::from(clients.max(1))
        }
        (Action::Cut { .. }, _) => {
            let held = board.slots().map(|slot| slot.get(Live::Held)).sum::<u64>();
            held as f64 / f64::from(plan.clients.max(1))
        }
        (_, publish) => {
            let length = phase
                .hold
                .max(publish.map_or(0, |publish| publish.length))
                .max(1);
            since as f64 / length as f64
        }
    };
    done.clamp(0.0, 1.0)
}
