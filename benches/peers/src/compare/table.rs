//! The table: a column is a title and what it reads from a report. A column that no report has anything for is left out.

use super::peer::FLOOR;
use super::round::{Measured, Outcome};
use crate::client::{Continued, PhaseReport, Report, Upgraded};

/// How the figures of several rounds become one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Median,
    /// For faults: one round with a fault is a fault.
    Worst,
    /// The median of the ratios to the floor in the same round.
    Floor,
}

struct Column {
    title: &'static str,
    decimals: usize,
    over: Over,
    value: fn(&Report) -> Option<f64>,
}

const fn median(title: &'static str, decimals: usize, value: fn(&Report) -> Option<f64>) -> Column {
    Column {
        title,
        decimals,
        over: Over::Median,
        value,
    }
}

const fn worst(title: &'static str, value: fn(&Report) -> Option<f64>) -> Column {
    Column {
        title,
        decimals: 0,
        over: Over::Worst,
        value,
    }
}

const fn floor(title: &'static str, value: fn(&Report) -> Option<f64>) -> Column {
    Column {
        title,
        decimals: 2,
        over: Over::Floor,
        value,
    }
}

const COLUMNS: &[Column] = &[
    median("p50 ms", 1, |report| {
        Some(last_load(report)?.latency?.p50_ms)
    }),
    median("p99 ms", 1, p99),
    floor("p99 / floor", p99),
    median("p99 ms before stop", 1, p99_before_stop),
    median("p99 / before stop", 2, |report| {
        Some(p99(report)? / p99_before_stop(report)?)
    }),
    median("CPU µs / message", 2, cpu),
    floor("CPU / floor", cpu),
    median("burst M messages/s", 2, burst),
    worst("lost", |report| Some(report.totals.lost as f64)),
    worst("out of order", |report| {
        Some(report.totals.out_of_order as f64)
    }),
    worst("repeated", |report| Some(report.totals.repeated as f64)),
    worst("stale", |report| {
        report
            .phases
            .iter()
            .map(|phase| phase.totals.stale as f64)
            .reduce(f64::max)
    }),
    worst("disconnected", |report| {
        Some(report.totals.disconnected as f64)
    }),
    worst("phases cut short", |report| {
        let cut_short = report.phases.iter().filter(|phase| phase.cut_short);
        (cut_short.clone().count() > 0).then(|| cut_short.count() as f64)
    }),
    worst("not connected", |report| {
        Some((report.clients - report.connected.clients) as f64)
    }),
    median("KiB / connection", 1, |report| report.kib_per_connection),
    median("connections/s", 0, |report| {
        Some(report.connected.per_second)
    }),
    median("connect s", 2, |report| {
        reconnected(report).map(|_| report.connected.seconds)
    }),
    floor("connect / floor", |report| {
        reconnected(report).map(|_| report.connected.seconds)
    }),
    median("reconnect s", 2, reconnected),
    floor("reconnect / floor", reconnected),
    median("MiB grown while stopped", 1, grown_while_stopped),
    median("continued s", 2, |report| Some(continued(report)?.seconds)),
    median("newest in 1 s", 0, |report| {
        Some(continued(report)?.within_a_second as f64)
    }),
    median("complete", 0, |report| {
        Some(continued(report)?.complete as f64)
    }),
    median("jumped", 0, |report| Some(continued(report)?.jumped as f64)),
    median("gone", 0, |report| Some(continued(report)?.gone as f64)),
    median("upgraded", 0, |report| {
        Some(upgraded(report)?.upgraded as f64)
    }),
    worst("not upgraded", |report| {
        Some(upgraded(report)?.failed as f64)
    }),
    median("client CPU", 2, |report| {
        Some(last_load(report)?.client_cpu)
    }),
];

/// The phase that the figures are about: the last steady load, or what comes nearest to it.
fn last_load(report: &Report) -> Option<&PhaseReport> {
    ["steady:", "upgrade:", "burst:"].iter().find_map(|name| {
        report
            .phases
            .iter()
            .rfind(|phase| phase.phase.starts_with(name))
    })
}

fn p99(report: &Report) -> Option<f64> {
    Some(last_load(report)?.latency?.p99_ms)
}

fn cpu(report: &Report) -> Option<f64> {
    last_load(report)?.server?.cpu_us_per_message
}

fn burst(report: &Report) -> Option<f64> {
    let bursts = report
        .phases
        .iter()
        .filter_map(|phase| phase.bursts.as_ref())
        .flatten();
    middle(bursts.map(|burst| burst.per_second / 1e6).collect())
}

fn reconnected(report: &Report) -> Option<f64> {
    report
        .phases
        .iter()
        .find_map(|phase| phase.connected)
        .map(|connected| connected.seconds)
}

fn p99_before_stop(report: &Report) -> Option<f64> {
    let stop = report
        .phases
        .iter()
        .position(|phase| phase.phase.starts_with("stop:"))?;
    let before = report.phases[..stop]
        .iter()
        .rfind(|phase| phase.phase.starts_with("steady:"))?;
    Some(before.latency?.p99_ms)
}

fn grown_while_stopped(report: &Report) -> Option<f64> {
    let from = report
        .phases
        .iter()
        .find(|phase| phase.phase.starts_with("stop:"))?
        .server?
        .kib_before;
    let to = report
        .phases
        .iter()
        .find(|phase| phase.continued.is_some())?
        .server?
        .kib_before;
    Some((to as f64 - from as f64) / 1024.0)
}

fn continued(report: &Report) -> Option<Continued> {
    report.phases.iter().find_map(|phase| phase.continued)
}

fn upgraded(report: &Report) -> Option<&Upgraded> {
    report
        .phases
        .iter()
        .find_map(|phase| phase.upgraded.as_ref())
}

fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (low, high) = (
        values.get(values.len().checked_sub(1)? / 2)?,
        values.get(values.len() / 2)?,
    );
    Some(f64::midpoint(*low, *high))
}

impl Column {
    fn cell(&self, server: &str, outcomes: &[Outcome]) -> Option<f64> {
        let values = || {
            reports(server, outcomes)
                .filter_map(|(round, report)| Some((round, (self.value)(report)?)))
        };
        match self.over {
            Over::Median => middle(values().map(|(_, value)| value).collect()),
            Over::Worst => values().map(|(_, value)| value).reduce(f64::max),
            Over::Floor => {
                let of_floor = |round| {
                    reports(FLOOR, outcomes)
                        .find(|(other, _)| *other == round)
                        .and_then(|(_, report)| (self.value)(report))
                };
                middle(
                    values()
                        .filter_map(|(round, value)| Some(value / of_floor(round)?))
                        .collect(),
                )
            }
        }
    }
}

fn reports<'a>(server: &str, outcomes: &'a [Outcome]) -> impl Iterator<Item = (usize, &'a Report)> {
    outcomes
        .iter()
        .filter(move |outcome| outcome.server == server)
        .filter_map(|outcome| match &outcome.result {
            Measured::Report(report) => Some((outcome.round, report.as_ref())),
            Measured::Error(_) => None,
        })
}

/// The table in Markdown, a row for each server, and below it the runs that failed.
pub(crate) fn render(servers: &[&str], outcomes: &[Outcome]) -> String {
    let columns: Vec<&Column> = COLUMNS
        .iter()
        .filter(|column| {
            servers
                .iter()
                .any(|server| column.cell(server, outcomes).is_some())
        })
        .collect();
    let row = |first: &str, cells: &dyn Fn(&Column) -> String| {
        let cells: Vec<String> = columns.iter().map(|column| cells(column)).collect();
        format!("| {first} | {} |\n", cells.join(" | "))
    };
    let mut text = row("server", &|column| column.title.to_owned());
    text.push_str(&row("---", &|_| "---:".to_owned()));
    for server in servers {
        text.push_str(&row(server, &|column| {
            column.cell(server, outcomes).map_or_else(
                || "–".to_owned(),
                |value| format!("{value:.*}", column.decimals),
            )
        }));
    }
    text.push_str("\nMedians of the rounds; ratios to the floor are medians of the ratios within each round; faults are the worst round's.\n");
    text.extend(outcomes.iter().map(remarks));
    text
}

/// Why a run failed, or why connections ended in it.
fn remarks(outcome: &Outcome) -> String {
    let Outcome {
        server,
        round,
        result,
    } = outcome;
    match result {
        Measured::Error(error) => format!("Failed: {server} in round {round}: {error}\n"),
        Measured::Report(report) => {
            let ended = report.reasons.iter();
            let lines: Vec<String> = ended
                .map(|(reason, times)| {
                    format!("Ended: {server} in round {round}: {times} x {reason}\n")
                })
                .collect();
            lines.concat()
        }
    }
}
