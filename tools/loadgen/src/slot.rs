//! What one lane shows while it runs: a few figures, coarse histograms for Prometheus, and a finer one of the latency for
//! the live view and for ending a run early. Words on the board; only this file knows where each stands.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::{buckets::Buckets, measure::Metric, tally::Tally};

/// Room for all of [`Live`].
const LIVE: usize = 24;
/// Then one tally for each metric, and one for how late the lane is itself.
const FIGURES: usize = LIVE + (Metric::ALL.len() + 1) * Tally::WORDS;

/// Live figures of one lane; each has one writer, so that adding is load and store.
#[derive(Clone, Copy)]
pub(crate) struct Slot<'a>(&'a [AtomicU64]);

/// A figure in a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Live {
    /// The phase that the lane has done its part of.
    Done,
    /// The phase that the lane is in.
    Phase,
    /// The newest number seen, plus one; 0 as long as there is none.
    Newest,
    /// Connections that are joined now.
    Held,
    /// Of them, those that do not read.
    Stopped,
    /// Clients that are not connected, and do not come back.
    Gone,

    // From here on sums over the whole run.
    Asked,
    Opened,
    Failed,
    Disconnected,
    Returned,
    Planned,
    Sent,
    Expected,
    Delivered,
    /// Lost, skipped or missed while away.
    Missing,
    Repeated,
    OutOfOrder,
}

impl<'a> Slot<'a> {
    pub(crate) const WORDS: usize = FIGURES + Buckets::LEN;

    pub(crate) fn new(words: &'a [AtomicU64]) -> Self {
        Self(words)
    }

    pub(crate) fn set(&self, live: Live, value: u64) {
        self.0[live as usize].store(value, Release);
    }

    pub(crate) fn add(&self, live: Live, value: u64) {
        let word = &self.0[live as usize];
        word.store(word.load(Relaxed) + value, Relaxed);
    }

    pub(crate) fn add_signed(&self, live: Live, value: i64) {
        let word = &self.0[live as usize];
        word.store(word.load(Relaxed).saturating_add_signed(value), Relaxed);
    }

    pub(crate) fn get(&self, live: Live) -> u64 {
        self.0[live as usize].load(Acquire)
    }

    /// Latencies so far, coarsely.
    pub(crate) fn buckets(&self) -> Buckets<'a> {
        Buckets::new(&self.0[FIGURES..])
    }

    /// Durations of this metric so far, still more coarsely.
    pub(crate) fn tally(&self, metric: Metric) -> Tally<'a> {
        self.tally_at(metric as usize)
    }

    /// How much later than it wanted the lane came to look at its connections.
    pub(crate) fn lateness(&self) -> Tally<'a> {
        self.tally_at(Metric::ALL.len())
    }

    fn tally_at(&self, index: usize) -> Tally<'a> {
        let start = LIVE + index * Tally::WORDS;
        Tally::new(&self.0[start..start + Tally::WORDS])
    }

    /// Everything that can be added up, at this moment.
    pub(crate) fn figures(&self) -> Figures {
        let mut figures = Figures::default();
        // What comes before says where the lane is.
        for index in Live::Held as usize..FIGURES {
            figures.0[index] = self.0[index].load(Acquire);
        }
        figures
    }
}

/// The figures of one lane at one moment, or the sum or difference of several.
#[derive(Clone)]
pub(crate) struct Figures(Vec<u64>);

impl Default for Figures {
    fn default() -> Self {
        Self(vec![0; FIGURES])
    }
}

impl Figures {
    pub(crate) fn get(&self, live: Live) -> u64 {
        self.0[live as usize]
    }

    /// The words of a [`Tally`].
    pub(crate) fn tally(&self, metric: Metric) -> &[u64] {
        self.tally_at(metric as usize)
    }

    /// The same of [`Slot::lateness`].
    pub(crate) fn lateness(&self) -> &[u64] {
        self.tally_at(Metric::ALL.len())
    }

    fn tally_at(&self, index: usize) -> &[u64] {
        &self.0[LIVE + index * Tally::WORDS..][..Tally::WORDS]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(&other.0) {
            *sum += more;
        }
    }

    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let differences = self.0.iter().zip(&earlier.0);
        Self(
            differences
                .map(|(now, before)| now.saturating_sub(*before))
                .collect(),
        )
    }
}
