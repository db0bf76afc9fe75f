//! Whether a run can be believed. Lost or late events are results, whatever their number; a verdict is about loadgen
//! itself, the machine and the way of asking: whatever could make a good server look bad, or a bad one good.

mod generator;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    measure::{Metric, PhaseRecord},
    plan::{Correlate, Plan},
    run::{Finished, Outcome},
    scenario::Action,
    slot::{Figures, Live},
    tally::BOUNDS,
    time::STEP,
};

/// Whether a run can be believed.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum State {
    /// Nothing speaks against it.
    #[default]
    Valid,
    /// Its figures may be off; the reasons say which and why.
    Suspect,
    /// It did not measure what was asked for.
    Invalid,
}

/// A state and what speaks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Verdict {
    /// The worst of all reasons.
    pub state: State,
    /// Each begins with its own state.
    pub reasons: Vec<Reason>,
    /// What to know when reading the figures, without doubt in them.
    pub notes: Vec<String>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Reason {
    /// What follows from it alone.
    pub state: State,
    /// What was found, and what to do.
    pub text: String,
}

impl Verdict {
    pub(crate) fn invalid(&mut self, text: impl Into<String>) {
        self.add(State::Invalid, text);
    }

    pub(crate) fn suspect(&mut self, text: impl Into<String>) {
        self.add(State::Suspect, text);
    }

    fn add(&mut self, state: State, text: impl Into<String>) {
        self.state = self.state.max(state);
        self.reasons.push(Reason {
            state,
            text: text.into(),
        });
    }
}

/// What the figures of a run say that is not over yet: never better than the verdict will be, for what it looks at.
pub(crate) fn so_far(figures: &Figures) -> State {
    let lags = figures.tally(Metric::SendLag);
    let late = BOUNDS.partition_point(|bound| *bound <= generator::LATE_SEND);
    let (late, all): (u64, u64) = (
        lags[late..=BOUNDS.len()].iter().sum(),
        lags[..=BOUNDS.len()].iter().sum(),
    );
    let gone = figures.get(Live::Failed) + figures.get(Live::Disconnected);
    if late * 100 > all || gone > 0 {
        State::Suspect
    } else {
        State::Valid
    }
}

pub(crate) fn judge(plan: &Plan, outcome: &Outcome) -> Verdict {
    let mut verdict = Verdict::default();
    if let Some(reason) = &outcome.ended_early
        && reason == "interrupted"
    {
        verdict.invalid("the run was interrupted");
    }
    connections(plan, outcome, &mut verdict);
    for finished in outcome
        .phases
        .iter()
        .filter(|finished| finished.phase.measured)
    {
        if finished.phase.publish.is_some() {
            emits(plan, finished, &mut verdict);
            deliveries(finished, outcome.ended_early.is_some(), &mut verdict);
            generator::judge(&finished.record, &mut verdict);
        }
        if finished.record.miscounted {
            verdict.invalid("loadgen's own two counts of the deliveries differ (a fault of loadgen: please report it)");
        }
    }
    if outcome.clock.worst_step_ns > STEP {
        verdict.suspect(format!(
            "the wall clock was set by {:.1} ms during the run: kernel timestamps around it are wrong",
            outcome.clock.worst_step_ns as f64 / 1e6
        ));
    }
    verdict
}

fn connections(plan: &Plan, outcome: &Outcome, verdict: &mut Verdict) {
    let sum = |count: fn(&PhaseRecord) -> u64| {
        outcome
            .phases
            .iter()
            .map(|finished| count(&finished.record))
            .sum::<u64>()
    };
    let opening = |finished: &&Finished| matches!(finished.phase.action, Action::Open { .. });
    let opened: u64 = outcome
        .phases
        .iter()
        .filter(opening)
        .map(|finished| finished.record.counts.opened)
        .sum();
    let asked = u64::from(plan.clients);
    let why = || {
        let mut reasons: Vec<_> = outcome
            .phases
            .iter()
            .flat_map(|finished| &finished.record.failures)
            .collect();
        reasons.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        let reasons = reasons
            .iter()
            .take(3)
            .map(|(reason, times)| format!("{reason} ({times})"));
        reasons.collect::<Vec<_>>().join(", ")
    };
    let searching = plan.phases.iter().any(|phase| phase.step);
    if opened < asked && !searching {
        verdict.invalid(format!(
            "only {opened} of {asked} clients could connect: {}",
            why()
        ));
    }
    let disconnected = sum(|record| record.counts.disconnected);
    if disconnected > 0 && !searching {
        verdict.suspect(format!(
            "{disconnected} of {asked} clients were disconnected during the run: {}",
            why()
        ));
    }
    let emitters = sum(|record| record.counts.emitters_lost);
    if emitters > 0 {
        verdict.suspect(format!(
            "{emitters} emitters could not connect or were disconnected: {}",
            why()
        ));
    }
}

fn emits(plan: &Plan, finished: &Finished, verdict: &mut Verdict) {
    let counts = &finished.record.counts;
    if counts.sent == 0 {
        return verdict.invalid("nothing was published: no emitter was connected");
    }
    let missed = counts.planned.saturating_sub(counts.sent);
    if missed * 100 > counts.planned {
        verdict.invalid(format!(
            "{missed} of {} planned emits were not sent",
            counts.planned
        ));
    } else if missed > 0 {
        verdict.suspect(format!(
            "{missed} of {} planned emits were not sent",
            counts.planned
        ));
    }
    if counts.refused > 0 {
        verdict.suspect(format!(
            "the server refused {} of {} emits",
            counts.refused, counts.sent
        ));
    }
    if counts.unacked > 0 {
        verdict.suspect(format!(
            "{} of {} emits were not acknowledged within --ack-timeout",
            counts.unacked, counts.sent
        ));
    }
    if counts.blocked > 0 {
        verdict.suspect(format!(
            "{} emits had to wait because the server did not read them",
            counts.blocked
        ));
    }
    let Some(publish) = finished.phase.publish else {
        return;
    };
    if publish.closed {
        let closed = "closed loop: each emit waited for the one before, so a stall of the server counts once at most";
        verdict.notes.push(closed.into());
    }
    let several = plan.emitters_apart() > 1 && plan.correlate == Correlate::Position;
    if several && finished.record.in_flight > 1 && !publish.closed {
        let off = (finished.record.in_flight - 1) as f64 / publish.rate * 1e3;
        verdict.suspect(format!(
            "{} emitters without acknowledgements: which count is whose emit is a guess; a latency may be off by up \
             to {off:.1} ms (use --emitters 1)",
            plan.emitters_apart()
        ));
    }
}

fn deliveries(finished: &Finished, early: bool, verdict: &mut Verdict) {
    let counts = &finished.record.counts;
    if counts.expected > 0 && counts.delivered == 0 {
        verdict.invalid("nothing was delivered: does the server broadcast what --expect says?");
    }
    if counts.beyond > 0 && (counts.unacked > 0 || early) {
        verdict.notes.push(format!(
            "{} events came of emits whose end was not waited for",
            counts.beyond
        ));
    } else if counts.beyond > 0 {
        verdict.invalid(format!(
            "more was delivered than possible ({} events beyond the last emit): somebody else emits, too",
            counts.beyond
        ));
    }
    if counts.foreign > 0 {
        verdict.suspect(format!(
            "{} counts were not loadgen's: somebody else emits, too",
            counts.foreign
        ));
    }
    if counts.unattributed > 0 {
        verdict.suspect(format!(
            "{} events could not be tied to an emit and are in no latency",
            counts.unattributed
        ));
    }
    if counts.unstamped > 0 {
        verdict.suspect(format!(
            "{} events came without a kernel timestamp: loadgen's own delay is part of their latency",
            counts.unstamped
        ));
    }
}
