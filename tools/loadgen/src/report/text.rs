//! The report for a person at a terminal: the sentence, the verdict with its reasons, then the figures.

use std::fmt::{self, Write as _};

use super::{Lane, Report, Section, ServerUse, Setup};
use crate::{
    measure::Counts,
    sentence::{millis, number},
};

pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    write(report, &mut out).expect("a String takes whatever is written");
    out
}

fn write(report: &Report, out: &mut String) -> fmt::Result {
    writeln!(out, "{}\n", report.sentence)?;
    writeln!(
        out,
        "verdict   {}",
        format!("{:?}", report.verdict.state).to_uppercase()
    )?;
    for reason in &report.verdict.reasons {
        writeln!(
            out,
            "          {}: {}",
            format!("{:?}", reason.state).to_lowercase(),
            reason.text
        )?;
    }
    for note in &report.verdict.notes {
        writeln!(out, "          note: {note}")?;
    }
    setup(report, out)?;
    for phase in report.phases.iter().filter(|phase| phase.measured) {
        section(phase, out)?;
    }
    for checked in &report.thresholds {
        let passed = if checked.passed { "kept  " } else { "MISSED" };
        writeln!(
            out,
            "threshold {passed} {}: {}",
            checked.threshold,
            checked.figure()
        )?;
    }
    Ok(())
}

fn setup(report: &Report, out: &mut String) -> fmt::Result {
    let setup = &report.setup;
    writeln!(out, "server    {}", setup.urls.join(", "))?;
    let rate = setup.rate.map_or(String::new(), |rate| {
        format!(", {rate} emits/s by {}", emitters(setup))
    });
    let schedule = if setup.closed_loop {
        ", closed loop"
    } else {
        ""
    };
    let by = format!("{:?}", setup.correlate).to_lowercase();
    writeln!(
        out,
        "load      {}: {} clients{rate}{schedule}, tied by {by}",
        setup.scenario,
        number(setup.clients.into())
    )?;
    let machine = &report.machine;
    writeln!(
        out,
        "machine   {}, {} cores, {}",
        machine.processor, machine.cores, machine.system
    )?;
    writeln!(out, "run       {}, seed {}", setup.run, setup.seed)
}

pub(super) fn emitters(setup: &Setup) -> String {
    match setup.emitters {
        0 if setup.rate.is_some() || setup.closed_loop => "all clients".to_owned(),
        1 => "1 emitter".to_owned(),
        several => format!("{several} emitters"),
    }
}

fn section(phase: &Section, out: &mut String) -> fmt::Result {
    writeln!(out, "\n{} ({:.1} s)", phase.name, phase.seconds)?;
    if !phase.latencies.is_empty() {
        let columns = ["p50", "p90", "p99", "p99.9", "max", "count"];
        write!(out, "  {:<18}", "")?;
        columns
            .iter()
            .try_for_each(|column| write!(out, "{column:>11}"))?;
        writeln!(out)?;
    }
    for (metric, summary) in &phase.latencies {
        write!(out, "  {:<18}", metric.name())?;
        let values = [
            summary.p50,
            summary.p90,
            summary.p99,
            summary.p99_9,
            summary.max,
        ];
        values
            .iter()
            .try_for_each(|value| write!(out, "{:>11}", millis(*value)))?;
        writeln!(out, "{:>11}  {}", number(summary.count), metric.meaning())?;
    }
    let counts = |names: &[&str]| {
        let known = names
            .iter()
            .filter_map(|name| Some((name, phase.counts.by_name(name)?)));
        let shown = known
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!("{} {}", name.replace('_', " "), number(count)));
        shown.collect::<Vec<_>>().join(", ")
    };
    // Zero is the news here, so these are always shown.
    let always = [
        "expected",
        "delivered",
        "lost",
        "skipped",
        "repeated",
        "out_of_order",
    ];
    if phase.counts.expected > 0 {
        let all = always.map(|name| {
            format!(
                "{} {}",
                name.replace('_', " "),
                number(phase.counts.by_name(name).unwrap_or(0))
            )
        });
        writeln!(out, "  events            {}", all.join(", "))?;
    }
    let others: Vec<&str> = Counts::NAMES
        .iter()
        .copied()
        .filter(|name| !always.contains(name))
        .collect();
    let others = counts(&others);
    if !others.is_empty() {
        writeln!(out, "  counts            {others}")?;
    }
    for (reason, times) in &phase.failures {
        writeln!(out, "  failed            {}: {reason}", number(*times))?;
    }
    for lane in &phase.lanes {
        writeln!(out, "  {:<18}{}", lane.name, self::lane(lane))?;
    }
    if let Some(server) = &phase.server {
        writeln!(out, "  server            {}", self::server(server))?;
    }
    Ok(())
}

pub(super) fn lane(lane: &Lane) -> String {
    let (cpu, waiting) = (lane.cpu * 100.0, lane.waiting * 100.0);
    format!("{cpu:.0} % of a core, waited for one {waiting:.0} % of the time")
}

pub(super) fn server(server: &ServerUse) -> String {
    let memory = server.usage.resident_bytes as f64 / f64::from(1 << 20);
    let cpu = server
        .cpu_us_per_delivery
        .map(|cpu| format!("{cpu:.2} µs of CPU per delivery"));
    let growth = server
        .kib_per_connection
        .map(|kib| format!("{kib:.1} KiB per connection"));
    let always = format!("{:.2} cores, {memory:.1} MiB", server.cores);
    let facts: Vec<String> = [Some(always), cpu, growth].into_iter().flatten().collect();
    facts.join(", ")
}
