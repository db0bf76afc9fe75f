//! Two results side by side: what got worse by more than the tolerance, and what cannot be compared at all.

use std::path::Path;

use anyhow::Context as _;

use crate::{
    cli::Compare,
    measure::Metric,
    report::{Report, Summary, VERSION},
    sentence::millis,
    verdict::State,
};

/// The lines to print, and whether there is a regression.
pub(crate) struct Comparison {
    pub(crate) lines: Vec<String>,
    pub(crate) regressed: bool,
}

/// A percentile by its name.
type Percentile = (&'static str, fn(&Summary) -> f64);

/// The highest percentiles are luck on a shared machine: not compared.
const COMPARED: [Percentile; 3] = [
    ("p50", |summary| summary.p50),
    ("p90", |summary| summary.p90),
    ("p99", |summary| summary.p99),
];

/// loadgen's own delays are no property of the server.
const OWN: [Metric; 3] = [Metric::ReadDelay, Metric::ArrivalDoubt, Metric::SendLag];

/// What must not become more.
const FAULTS: [&str; 6] = [
    "lost",
    "skipped",
    "repeated",
    "out_of_order",
    "disconnected",
    "failed",
];

pub(crate) fn read(path: &Path) -> anyhow::Result<Report> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let report: Report = serde_json::from_str(&text)
        .with_context(|| format!("{} is no result of loadgen", path.display()))?;
    anyhow::ensure!(
        report.version == VERSION,
        "{} has version {} and this loadgen reads {VERSION}",
        path.display(),
        report.version
    );
    Ok(report)
}

pub(crate) fn compare(before: &Report, after: &Report, options: &Compare) -> Comparison {
    let mut comparison = Comparison {
        lines: Vec::new(),
        regressed: false,
    };
    let (one, two) = (&before.setup, &after.setup);
    let same = one.scenario == two.scenario && one.clients == two.clients && one.rate == two.rate;
    if !same {
        comparison.fault(&format!(
            "the runs are not alike: {} with {} clients and {} with {} clients",
            one.scenario, one.clients, two.scenario, two.clients
        ));
    }
    for (name, report) in [("before", before), ("after", after)] {
        if report.verdict.state == State::Invalid {
            comparison.fault(&format!("the run {name} is INVALID"));
        } else if report.verdict.state == State::Suspect {
            comparison
                .lines
                .push(format!("  note    the run {name} is SUSPECT"));
        }
    }
    for (metric, before) in before
        .total
        .latencies
        .iter()
        .filter(|(metric, _)| !OWN.contains(metric))
    {
        match after.total.latencies.get(metric) {
            Some(after) => COMPARED.iter().for_each(|percentile| {
                comparison.latency(*metric, *percentile, before, after, options);
            }),
            None => comparison.fault(&format!("{} is gone", metric.name())),
        }
    }
    for name in FAULTS {
        let of = |report: &Report| report.total.counts.by_name(name).unwrap_or(0);
        comparison.count(name, of(before), of(after));
    }
    comparison
}

impl Comparison {
    fn fault(&mut self, text: &str) {
        self.regressed = true;
        self.lines.push(format!("  WORSE   {text}"));
    }

    fn latency(
        &mut self,
        metric: Metric,
        (name, of): Percentile,
        before: &Summary,
        after: &Summary,
        options: &Compare,
    ) {
        let (before, after) = (of(before), of(after));
        let allowed = (before * options.tolerance).max(options.margin.as_secs_f64() * 1e3);
        let change = format!(
            "{} {name}: {} -> {}",
            metric.name(),
            millis(before),
            millis(after)
        );
        if after > before + allowed {
            self.fault(&change);
        } else if after < before - allowed {
            self.lines.push(format!("  better  {change}"));
        } else {
            self.lines.push(format!("  same    {change}"));
        }
    }

    fn count(&mut self, name: &str, before: u64, after: u64) {
        if after > before {
            self.fault(&format!("{name}: {before} -> {after}"));
        } else if before > 0 {
            self.lines
                .push(format!("  same    {name}: {before} -> {after}"));
        }
    }
}
