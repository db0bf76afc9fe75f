//! The report with plots: one HTML file without scripts and without anything from outside.

use std::fmt::{self, Write as _};

use super::{
    Report, Section,
    plot::{Line, Plot, escape},
    text,
};
use crate::{
    measure::{Counts, Metric},
    sentence::{millis, number},
};

const STYLE: &str = include_str!("report.css");

pub(crate) fn render(report: &Report) -> String {
    let mut out = String::new();
    write(report, &mut out).expect("a String takes whatever is written");
    out
}

fn write(report: &Report, out: &mut String) -> fmt::Result {
    let (state, scenario) = (
        format!("{:?}", report.verdict.state),
        escape(&report.setup.scenario),
    );
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>loadgen {scenario}</title>\
         <style>{STYLE}</style></head><body><main><header><h1>{scenario}</h1>\
         <strong class=\"{state}\">{}</strong></header><p class=\"sentence\">{}</p>",
        state.to_uppercase(),
        escape(&report.sentence)
    )?;
    findings(report, out)?;
    for phase in report.phases.iter().filter(|phase| phase.measured) {
        section(phase, out)?;
    }
    write!(
        out,
        "<section><h2>connections</h2><div class=\"plots\">{}</div></section>",
        connections(report).render().unwrap_or_default()
    )?;
    setup(report, out)?;
    write!(out, "</main></body></html>")
}

fn findings(report: &Report, out: &mut String) -> fmt::Result {
    write!(out, "<ul>")?;
    for reason in &report.verdict.reasons {
        write!(
            out,
            "<li class=\"{:?}\">{}</li>",
            reason.state,
            escape(&reason.text)
        )?;
    }
    for note in &report.verdict.notes {
        write!(out, "<li>{}</li>", escape(note))?;
    }
    for checked in &report.thresholds {
        let (class, word) = if checked.passed {
            ("Valid", "kept")
        } else {
            ("Invalid", "missed")
        };
        write!(
            out,
            "<li class=\"{class}\">threshold {word}: {} ({})</li>",
            escape(&checked.threshold),
            checked.figure()
        )?;
    }
    write!(out, "</ul>")
}

fn section(phase: &Section, out: &mut String) -> fmt::Result {
    write!(
        out,
        "<section><h2>{} <small>{:.1} s</small></h2><div class=\"plots\">",
        escape(&phase.name),
        phase.seconds
    )?;
    for plot in [over_time(phase), spectrum(phase), delivery(phase)]
        .iter()
        .filter_map(Plot::render)
    {
        out.push_str(&plot);
    }
    write!(out, "</div>")?;
    latencies(phase, out)?;
    let counts = Counts::NAMES
        .iter()
        .filter_map(|name| Some((name, phase.counts.by_name(name)?)));
    write!(out, "<dl>")?;
    for (name, count) in
        counts.filter(|(name, count)| *count > 0 || ["lost", "skipped", "repeated"].contains(name))
    {
        write!(
            out,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            name.replace('_', " "),
            number(count)
        )?;
    }
    let mut others: Vec<(&str, String)> = phase
        .failures
        .iter()
        .map(|(reason, times)| (&**reason, number(*times)))
        .collect();
    others.extend(
        phase
            .lanes
            .iter()
            .map(|lane| (&*lane.name, text::lane(lane))),
    );
    others.extend(
        phase
            .server
            .iter()
            .map(|server| ("server", text::server(server))),
    );
    write!(out, "</dl><dl class=\"long\">")?;
    for (name, value) in others {
        write!(out, "<div><dt>{}</dt><dd>{value}</dd></div>", escape(name))?;
    }
    write!(out, "</dl></section>")
}

fn latencies(phase: &Section, out: &mut String) -> fmt::Result {
    if phase.latencies.is_empty() {
        return Ok(());
    }
    write!(out, "<div class=\"wide\"><table><tr><th></th>")?;
    for column in ["p50", "p90", "p99", "p99.9", "max", "count"] {
        write!(out, "<th>{column}</th>")?;
    }
    write!(out, "</tr>")?;
    for (metric, summary) in &phase.latencies {
        write!(
            out,
            "<tr><th>{} <small>{}</small></th>",
            metric.name(),
            metric.meaning()
        )?;
        for value in [
            summary.p50,
            summary.p90,
            summary.p99,
            summary.p99_9,
            summary.max,
        ] {
            write!(out, "<td>{}</td>", millis(value))?;
        }
        write!(out, "<td>{}</td></tr>", number(summary.count))?;
    }
    write!(out, "</table></div>")
}

fn over_time(phase: &Section) -> Plot<'_> {
    let line = |name, of: fn(&super::Moment) -> Option<f64>| Line {
        name,
        points: phase
            .series
            .iter()
            .filter_map(|moment| Some((moment.second as f64, of(moment)?)))
            .collect(),
    };
    let lines = vec![
        line("p50", |moment| moment.p50),
        line("p99", |moment| moment.p99),
        line("max", |moment| moment.max),
    ];
    Plot {
        title: "latency over time",
        unit: "ms by second",
        marks: Vec::new(),
        lines,
    }
}

/// Percentiles at distances of nines: 0.9, 0.99, 0.999 are equally far apart.
fn spectrum(phase: &Section) -> Plot<'_> {
    let shown = [
        Metric::BroadcastLatency,
        Metric::ServerLatency,
        Metric::AckLatency,
        Metric::Recovery,
        Metric::ConnectTime,
    ];
    let nines = |percent: f64| -(1.0 - percent / 100.0).max(1e-6).log10();
    let lines = shown.into_iter().filter_map(|metric| {
        let spectrum = &phase.latencies.get(&metric)?.spectrum;
        let points = spectrum
            .iter()
            .map(|quantile| (nines(quantile.percent), quantile.millis))
            .collect();
        Some(Line {
            name: metric.name(),
            points,
        })
    });
    let marks = [50.0, 90.0, 99.0, 99.9, 99.99, 99.999]
        .map(|percent| (nines(percent), format!("{percent} %")));
    Plot {
        title: "percentile spectrum",
        unit: "ms by percentile",
        marks: marks.into(),
        lines: lines.collect(),
    }
}

fn delivery(phase: &Section) -> Plot<'_> {
    // Phases without events and without trouble have nothing to show.
    let shown = phase
        .series
        .iter()
        .any(|moment| moment.delivered + moment.faults > 0);
    let line = |name, of: fn(&super::Moment) -> u64| Line {
        name,
        points: phase
            .series
            .iter()
            .filter(|_| shown)
            .map(|moment| (moment.second as f64, of(moment) as f64))
            .collect(),
    };
    let lines = vec![
        line("delivered", |moment| moment.delivered),
        line("faults", |moment| moment.faults),
    ];
    Plot {
        title: "delivery",
        unit: "events by second",
        marks: Vec::new(),
        lines,
    }
}

/// Over all phases, one after the other.
fn connections(report: &Report) -> Plot<'_> {
    let mut points = vec![(0.0, 0.0)];
    let mut start = 0.0;
    for phase in &report.phases {
        points.extend(
            phase
                .series
                .iter()
                .map(|moment| (start + moment.second as f64, moment.held as f64)),
        );
        start += phase.seconds;
    }
    let lines = vec![Line {
        name: "held",
        points,
    }];
    Plot {
        title: "connections",
        unit: "held, by second of the run",
        marks: Vec::new(),
        lines,
    }
}

fn setup(report: &Report, out: &mut String) -> fmt::Result {
    let (setup, machine) = (&report.setup, &report.machine);
    let rows = [
        ("server", setup.urls.join(", ")),
        ("clients", number(setup.clients.into())),
        ("emitted by", text::emitters(setup)),
        (
            "emits per second",
            setup.rate.map_or("-".into(), |rate| rate.to_string()),
        ),
        (
            "workers and threads",
            format!("{} and {}", setup.workers, setup.threads),
        ),
        ("run", setup.run.clone()),
        ("seed", setup.seed.to_string()),
        (
            "machine",
            format!(
                "{}, {} cores, {}",
                machine.processor, machine.cores, machine.system
            ),
        ),
        ("ended", setup.ended.clone()),
    ];
    write!(out, "<section><h2>setup</h2><dl>")?;
    for (name, value) in rows {
        write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value))?;
    }
    write!(out, "</dl></section>")
}
