//! The broadcast latency second by second in the log format of `HdrHistogram`, for the plotters that read it
//! (<https://hdrhistogram.github.io/HdrHistogram/>). Values are nanoseconds; a tag names each phase.

use std::{
    io::Write,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use hdrhistogram::serialization::{
    V2DeflateSerializer,
    interval_log::{IntervalLogWriterBuilder, Tag},
};

use crate::{run::Outcome, time::now};

pub(crate) fn write(outcome: &Outcome, out: &mut impl Write) -> anyhow::Result<()> {
    let begin = outcome
        .phases
        .iter()
        .find_map(|finished| finished.record.span)
        .map_or(0, |span| span.0);
    let ago = Duration::from_nanos(now().saturating_sub(begin));
    let start = SystemTime::now() - ago;
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("broadcast latency in nanoseconds, by loadgen")
        .with_start_time(start)
        .with_base_time(start)
        .with_max_value_divisor(1e6)
        .begin_log_with(out, &mut serializer)
        .context("cannot begin the log")?;
    for finished in &outcome.phases {
        let Some((from, _)) = finished.record.span else {
            continue;
        };
        let tag: String = finished
            .phase
            .name
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '-' })
            .collect();
        let series = &finished.record.series;
        for (index, point) in series.points.iter().enumerate() {
            let latency = point.latency();
            if latency.is_empty() {
                continue;
            }
            let offset = Duration::from_secs(index as u64 * series.seconds);
            let offset = Duration::from_nanos(from - begin) + offset;
            let length = Duration::from_secs(series.seconds);
            log.write_histogram(latency.hdr(), offset, length, Tag::new(&tag))
                .map_err(|error| anyhow::anyhow!("cannot write the log: {error:?}"))?;
        }
    }
    Ok(())
}
