//! What a run measures: durations in histograms ([`Metric`]), everything countable in [`Counts`], one [`Sequence`] per
//! client, all of it gathered by the [`Recorder`] of each thread and merged exactly at the end.

mod arrival;
mod bracket;
mod counts;
mod cpu;
mod histogram;
mod metric;
mod phase;
mod record;
mod recorder;
mod sequence;
mod series;
mod ties;

pub(crate) use arrival::Arrival;
pub(crate) use bracket::Bracket;
pub(crate) use counts::Counts;
pub(crate) use cpu::RunDelay;
pub(crate) use histogram::Histogram;
pub(crate) use metric::Metric;
pub(crate) use phase::Counting;
pub(crate) use record::{LaneUse, PhaseRecord};
pub(crate) use recorder::{Recorder, TURN};
pub(crate) use sequence::{Sequence, Step};
pub(crate) use series::Series;
