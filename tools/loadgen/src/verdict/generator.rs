//! Whether loadgen itself kept up: what it sent and read late, and what that can have done to the figures.
//!
//! Reading late is no fault in them as such: the kernel says when the bytes came. What is left is that it gives several
//! events of one read a single stamp. How far that can have moved a percentile is known ([`Bracket`]), and only that
//! counts: a few arrivals that are known within 40 ms move nothing, and many that are known within 3 ms may.
//!
//! [`Bracket`]: crate::measure::Bracket

use super::Verdict;
use crate::{
    measure::{Histogram, LaneUse, Metric, PhaseRecord},
    sentence::number,
    time::{MILLISECOND, Nanos, seconds},
};

/// Sends later than this, and than a tenth of the latency, are no longer the schedule that was asked for.
pub(super) const LATE_SEND: Nanos = 5 * MILLISECOND;
/// Reading later than this, and later than half of the latency, is worth knowing.
const LATE_READ: Nanos = 20 * MILLISECOND;
/// Reading later than this may fill sockets, and then the server waits for loadgen.
const HELD_BACK: Nanos = 200 * MILLISECOND;
/// Percentiles that may be off by more than this share of themselves, and by more than a millisecond, are in doubt.
const OFF: f64 = 0.1;
/// What is less is not worth a word.
const MOVED: f64 = 0.01;
/// A lane that uses more of its core than this is at its end.
const BUSY: f64 = 0.95;
/// A lane that has no core for more than this share of the time is not measuring, but waiting.
const STARVED: f64 = 0.5;

pub(super) fn judge(record: &PhaseRecord, verdict: &mut Verdict) {
    let typical = record
        .metric(Metric::ServerLatency)
        .map_or(0, |histogram| histogram.percentile(50.0));
    sending(record, typical, verdict);
    reading(record, typical, verdict);
    lanes(record, verdict);
}

fn p99(record: &PhaseRecord, metric: Metric) -> Nanos {
    record
        .metric(metric)
        .map_or(0, |histogram| histogram.percentile(99.0))
}

fn millis(nanos: Nanos) -> f64 {
    nanos as f64 / 1e6
}

fn sending(record: &PhaseRecord, typical: Nanos, verdict: &mut Verdict) {
    let lag = p99(record, Metric::SendLag);
    if lag > LATE_SEND.max(typical / 10) {
        verdict.suspect(format!(
            "loadgen sent late (p99 {:.1} ms after the plan): the machine is too busy; what is measured from the plan includes it",
            millis(lag)
        ));
    }
    if seconds(lag) > record.seconds() / 4.0 {
        verdict.invalid("loadgen sent so late that the schedule was not kept");
    }
}

fn reading(record: &PhaseRecord, typical: Nanos, verdict: &mut Verdict) {
    let delay = p99(record, Metric::ReadDelay);
    let late = format!(
        "loadgen read late (p99 {:.1} ms after the arrival)",
        millis(delay)
    );
    if delay > HELD_BACK {
        verdict.suspect(format!(
            "{late}: the server may have had to wait for it (more --threads or --workers, or --nice -10)"
        ));
    } else if delay > LATE_READ.max(typical / 2) {
        verdict.notes.push(format!(
            "{late}: it is not part of the latencies, but the server had to compete for the CPU (--nice -10 keeps \
             loadgen prompt)"
        ));
    }
    if let Some(latencies) = record.metric(Metric::ServerLatency) {
        doubt(record, latencies, verdict);
    }
}

fn doubt(record: &PhaseRecord, latencies: &Histogram, verdict: &mut Verdict) {
    if record.metric(Metric::ArrivalDoubt).is_none() {
        return;
    }
    let (mut is_off, mut is_moved) = (false, false);
    let between = [50.0, 99.0].map(|percent| {
        let taken = latencies.percentile(percent);
        let (least, most) = record.bracket.of(latencies, percent);
        let off = (taken - least.min(taken)).max(most.max(taken) - taken);
        is_off |= off > MILLISECOND && off as f64 > OFF * taken as f64;
        is_moved |= off as f64 > MOVED * taken as f64;
        format!("p{percent} {:.1} to {:.1} ms", millis(least), millis(most))
    });
    let text = format!(
        "{} events were read together, and so late that they may have arrived one after the other: all that is sure of \
         the server's latency is {}",
        number(record.counts.coalesced),
        between.join(", ")
    );
    if is_off {
        verdict.suspect(format!("{text} (more --threads get more of a shared CPU)"));
    } else if is_moved {
        verdict.notes.push(text);
    }
}

fn lanes(record: &PhaseRecord, verdict: &mut Verdict) {
    let waiting = |lane: &&LaneUse| lane.waiting > STARVED;
    let starved: Vec<_> = record.lanes.iter().filter(waiting).collect();
    if let Some(worst) = starved
        .iter()
        .max_by(|a, b| a.waiting.total_cmp(&b.waiting))
    {
        verdict.notes.push(format!(
            "{} of {} threads were ready to run and had no core for most of the time ({}: {:.0} %): what that did to \
             sends and reads is measured, but the server may have had to wait for a core, too",
            starved.len(),
            record.lanes.len(),
            worst.name,
            worst.waiting * 100.0
        ));
    }
    for lane in record.lanes.iter().filter(|lane| lane.cpu > BUSY) {
        verdict.suspect(format!(
            "{} used {:.0} % of its core: loadgen itself was the limit (use --threads or --workers)",
            lane.name,
            lane.cpu * 100.0
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::State;

    /// A thousand latencies of 20 ms, of which `doubtful` may have been anything from 5 to 60 ms, read `delay` late.
    fn verdict(doubtful: u64, delay: Nanos) -> State {
        let mut record = PhaseRecord::default();
        let latency = 20 * MILLISECOND;
        record.record(Metric::ServerLatency, latency, 1_000);
        record.record(Metric::ReadDelay, delay, 1_000);
        for _ in 0..doubtful {
            record.record(Metric::ArrivalDoubt, 40 * MILLISECOND, 1);
            record
                .bracket
                .record(latency, 5 * MILLISECOND, 60 * MILLISECOND);
        }
        let mut verdict = Verdict::default();
        judge(&record, &mut verdict);
        verdict.state
    }

    #[test]
    fn a_late_read_alone_leaves_the_figures_as_they_are() {
        assert_eq!(verdict(0, 45 * MILLISECOND), State::Valid);
        assert_eq!(verdict(0, HELD_BACK * 2), State::Suspect);
    }

    #[test]
    fn a_doubt_counts_as_far_as_it_can_have_moved_a_percentile() {
        assert_eq!(verdict(5, 45 * MILLISECOND), State::Valid);
        assert_eq!(verdict(15, MILLISECOND), State::Suspect);
        assert_eq!(verdict(700, MILLISECOND), State::Suspect);
    }
}
