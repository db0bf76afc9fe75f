//! The result of a run in one sentence: what was held, at which latency, and what limited it.

use crate::{
    measure::Metric,
    report::{Report, Section, Summary},
    verdict::State,
};

pub(crate) fn of(report: &Report) -> String {
    let what = match report.setup.scenario.as_str() {
        "connect" => connect(report),
        "idle" => idle(report),
        "ack" => ack(report),
        "storm" => storm(report),
        "slow" => slow(report),
        "capacity" => capacity(report),
        _ => broadcast(report),
    };
    let doubt = match report.verdict.state {
        State::Valid => "",
        State::Suspect => " The run is SUSPECT: see the reasons.",
        State::Invalid => " The run is INVALID: see the reasons.",
    };
    format!("{what}; {}.{doubt}", limit(report))
}

/// With separators between thousands.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn millis(millis: f64) -> String {
    match millis {
        small if small < 10.0 => format!("{small:.2} ms"),
        medium if medium < 1_000.0 => format!("{medium:.1} ms"),
        large => format!("{:.2} s", large / 1_000.0),
    }
}

fn latency(section: &Section, metric: Metric) -> String {
    let known =
        |summary: &Summary| format!("p50 {}, p99 {}", millis(summary.p50), millis(summary.p99));
    section
        .latencies
        .get(&metric)
        .map_or("no latency to tell".into(), known)
}

fn deliveries(section: &Section) -> String {
    let counts = &section.counts;
    let away = if counts.missed_away > 0 {
        format!(", {} missed while away", number(counts.missed_away))
    } else {
        String::new()
    };
    format!(
        "{} of {} expected events delivered ({} lost, {} skipped, {} repeated, {} out of order{away})",
        number(counts.delivered),
        number(counts.expected),
        number(counts.lost),
        number(counts.skipped),
        number(counts.repeated),
        number(counts.out_of_order)
    )
}

fn rate(report: &Report) -> String {
    report
        .setup
        .rate
        .map_or("one emit after the other".into(), |rate| {
            format!("{rate} emits/s")
        })
}

fn broadcast(report: &Report) -> String {
    let clients = number(u64::from(report.setup.clients));
    let latency = latency(&report.total, Metric::BroadcastLatency);
    format!(
        "{clients} clients at {}: {}, {latency} from the planned send",
        rate(report),
        deliveries(&report.total)
    )
}

fn connect(report: &Report) -> String {
    let counts = &report.total.counts;
    let per_second = counts.opened as f64 / report.total.seconds.max(1e-9);
    format!(
        "{} of {} clients connected in {:.2} s ({per_second:.0}/s), {} until joined, {} until the first event",
        number(counts.opened),
        number(counts.asked),
        report.total.seconds,
        latency(&report.total, Metric::ConnectTime),
        latency(&report.total, Metric::FirstEvent)
    )
}

fn idle(report: &Report) -> String {
    let held = report
        .phases
        .last()
        .and_then(|phase| phase.series.last())
        .map_or(0, |moment| moment.held);
    let opening = report
        .phases
        .first()
        .and_then(|phase| phase.server.as_ref()?.kib_per_connection);
    let memory = opening.map_or(String::new(), |kib| {
        format!(", {kib:.1} KiB of the server's memory each")
    });
    format!(
        "{} of {} idle clients held for {:.0} s with {} heartbeats, {} disconnected{memory}",
        number(held),
        number(u64::from(report.setup.clients)),
        report.total.seconds,
        number(report.total.counts.heartbeats),
        number(report.total.counts.disconnected)
    )
}

fn ack(report: &Report) -> String {
    let counts = &report.total.counts;
    format!(
        "{} emitting clients at {}: {} of {} emits acknowledged, {} from the planned send",
        number(u64::from(report.setup.clients)),
        rate(report),
        number(counts.acked),
        number(counts.sent),
        latency(&report.total, Metric::AckLatency)
    )
}

fn storm(report: &Report) -> String {
    let counts = &report.total.counts;
    let recovery = report.total.latencies.get(&Metric::Recovery);
    let recovery = recovery.map_or("none recovered".into(), |summary| {
        format!(
            "recovered with p50 {}, p95 {}, the last after {}",
            millis(summary.p50),
            millis(summary.p95),
            millis(summary.max)
        )
    });
    let never = number(counts.cut.saturating_sub(counts.returned));
    format!(
        "{} of {} connections cut at once returned, {recovery}, {never} never returned",
        number(counts.returned),
        number(counts.cut)
    )
}

fn slow(report: &Report) -> String {
    let of = |name: &str| {
        let phase = report.phases.iter().find(|phase| phase.name == name);
        phase.map_or("nothing".into(), |phase| {
            latency(phase, Metric::BroadcastLatency)
        })
    };
    let stopped = report.total.counts.stopped;
    format!(
        "With {} of {} clients stopped, the others had {} (all reading: {}); reading again, the stopped ones were at \
         the newest event with {}; {}",
        number(stopped),
        number(u64::from(report.setup.clients)),
        of("some stopped"),
        of("all reading"),
        latency(&report.total, Metric::CatchUp),
        deliveries(&report.total)
    )
}

fn capacity(report: &Report) -> String {
    let clients = report
        .capacity
        .as_ref()
        .and_then(|capacity| capacity.clients);
    let kept = clients.map_or("not even the first step kept the limit".into(), |clients| {
        format!(
            "{} clients at {} kept the limit",
            number(u64::from(clients)),
            rate(report)
        )
    });
    let gave_way = report
        .capacity
        .as_ref()
        .and_then(|capacity| capacity.gave_way.as_ref());
    gave_way.map_or(format!("{kept}, and no step broke it"), |gave_way| {
        format!("{kept}; at the next step {gave_way}")
    })
}

/// What stood in the way of more.
fn limit(report: &Report) -> String {
    let measured = || report.phases.iter().filter(|phase| phase.measured);
    let busiest = measured()
        .flat_map(|phase| &phase.lanes)
        .map(|lane| lane.cpu)
        .fold(0.0, f64::max);
    let cores = measured()
        .filter_map(|phase| phase.server.as_ref())
        .map(|server| server.cores)
        .fold(0.0, f64::max);
    let waiting = measured()
        .flat_map(|phase| &phase.lanes)
        .map(|lane| lane.waiting)
        .fold(0.0, f64::max);
    if waiting > 0.3 {
        return "the machine had no CPU to spare".into();
    }
    if busiest > 0.95 {
        return "loadgen's own CPU was the limit".into();
    }
    if cores > 0.9 {
        return format!("the server used {cores:.2} cores");
    }
    if measured().any(falls_behind) {
        return "the server fell further and further behind".into();
    }
    "nothing that loadgen can see was at its limit".into()
}

/// Whether the latency at the end of a phase is a multiple of that at its beginning.
fn falls_behind(phase: &Section) -> bool {
    let known: Vec<f64> = phase
        .series
        .iter()
        .filter_map(|moment| moment.p50)
        .collect();
    let third = known.len() / 3;
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len().max(1) as f64;
    third > 0
        && mean(&known[known.len() - third..]) > 4.0 * mean(&known[..third])
        && mean(&known[known.len() - third..]) > 50.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(number(0), "0");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(999), "999");
        assert_eq!(
            (millis(0.5), millis(55.25), millis(2_500.0)),
            ("0.50 ms".into(), "55.2 ms".into(), "2.50 s".into())
        );
    }
}
