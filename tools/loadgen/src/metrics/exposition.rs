//! Every metric name of loadgen, once, and the text that Prometheus reads.

use prometheus::{
    TextEncoder,
    proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType},
};

use super::scene::{Part, Scene};
use crate::{
    measure::Metric as Measured,
    slot::{Figures, Live},
    tally::BOUNDS,
    time::{MICROSECOND, SECOND, seconds},
    verdict::State,
};

const COUNTERS: [(&str, &str, Live); 9] = [
    (
        "loadgen_emits_scheduled_total",
        "Emits that the schedule asked for; far above loadgen_emits_sent_total, loadgen does not keep its schedule.",
        Live::Planned,
    ),
    (
        "loadgen_emits_sent_total",
        "Emits that were sent.",
        Live::Sent,
    ),
    (
        "loadgen_deliveries_expected_total",
        "Events that were made so far, times the clients that are to receive them; what is not received yet is on its \
         way, or lost.",
        Live::Expected,
    ),
    (
        "loadgen_deliveries_received_total",
        "Expected events that arrived, each counted once.",
        Live::Delivered,
    ),
    (
        "loadgen_deliveries_lost_total",
        "Expected events that did not arrive; most of them are known only when the phase has ended.",
        Live::Missing,
    ),
    (
        "loadgen_deliveries_repeated_total",
        "Events that arrived again.",
        Live::Repeated,
    ),
    (
        "loadgen_deliveries_out_of_order_total",
        "Events that arrived after a later one.",
        Live::OutOfOrder,
    ),
    (
        "loadgen_reconnects_total",
        "Clients that came back after loadgen had cut them off.",
        Live::Returned,
    ),
    (
        "loadgen_disconnects_total",
        "Connections that the server or the network ended.",
        Live::Disconnected,
    ),
];

type Words = fn(&Figures) -> &[u64];

const HISTOGRAMS: [(&str, &str, Words); 5] = [
    (
        "loadgen_connect_seconds",
        "From the planned instant of a connection to the joined namespace.",
        |figures| figures.tally(Measured::ConnectTime),
    ),
    (
        "loadgen_send_lag_seconds",
        "From the planned instant of an emit to the actual send: loadgen's own lag, not the server's.",
        |figures| figures.tally(Measured::SendLag),
    ),
    (
        "loadgen_broadcast_latency_seconds",
        "From the planned instant of an emit to its arrival in the kernel of each receiver; a second behind.",
        |figures| figures.tally(Measured::BroadcastLatency),
    ),
    (
        "loadgen_ack_latency_seconds",
        "From the planned instant of an emit to its acknowledgement.",
        |figures| figures.tally(Measured::AckLatency),
    ),
    (
        "loadgen_scheduling_lag_seconds",
        "How much later than it wanted each thread of loadgen came to look at its connections; high when loadgen or its \
         machine is too busy to measure well.",
        Figures::lateness,
    ),
];

const VERDICTS: [(&str, State); 3] = [
    ("valid", State::Valid),
    ("suspect", State::Suspect),
    ("invalid", State::Invalid),
];

/// Before the run there are no figures, and no metrics.
pub(super) fn text(scene: Option<&Scene>) -> anyhow::Result<String> {
    let families = scene.map(families).unwrap_or_default();
    Ok(TextEncoder::new().encode_to_string(&families)?)
}

fn families(scene: &Scene) -> Vec<MetricFamily> {
    let run = &*scene.run;
    let parts = scene.parts();
    let mut families = Vec::new();
    for (name, help, live) in COUNTERS {
        let metric = |part: &Part<'_>| {
            let mut counter = Counter::default();
            counter.set_value(part.figures.get(live) as f64);
            let mut metric = Metric::from_label(labels_of(run, part));
            metric.set_counter(counter);
            metric
        };
        let metrics = parts.iter().map(metric).collect();
        families.push(family(name, help, MetricType::COUNTER, metrics));
    }
    for (name, help, words) in HISTOGRAMS {
        // Phases that are over leave out what they have nothing of: a search for the capacity has dozens of them.
        let shown = parts
            .iter()
            .filter(|part| !part.is_over || words(&part.figures).iter().any(|word| *word > 0));
        let metrics = shown.map(|part| {
            let mut metric = Metric::from_label(labels_of(run, part));
            metric.set_histogram(histogram(words(&part.figures)));
            metric
        });
        let metrics = metrics.collect();
        families.push(family(name, help, MetricType::HISTOGRAM, metrics));
    }
    families.extend(processes(scene));
    let verdict = scene.verdict();
    families.push(family(
        "loadgen_verdict",
        "1 for what holds: whether the measurement can be believed. Final when the run has ended, a guess before.",
        MetricType::GAUGE,
        VERDICTS
            .map(|(name, state)| {
                let labels = vec![label("run", run), label("verdict", name)];
                gauge(labels, u64::from(state == verdict))
            })
            .into(),
    ));
    families.retain(|family| !family.get_metric().is_empty());
    families
}

fn processes(scene: &Scene) -> [MetricFamily; 3] {
    let (mut clients, mut open, mut most) = (Vec::new(), Vec::new(), Vec::new());
    for process in scene.processes() {
        let worker = process.worker.to_string();
        let labels = || vec![label("run", &scene.run), label("worker", &worker)];
        for (state, number) in process.clients {
            clients.push(gauge(
                [labels(), vec![label("state", state)]].concat(),
                number,
            ));
        }
        open.extend(process.open_files.map(|files| gauge(labels(), files)));
        most.push(gauge(labels(), process.most_files));
    }
    [
        (
            "loadgen_clients",
            "Clients by state: opening, held, stopped (connected, but not reading on purpose), gone (refused or \
             disconnected).",
            clients,
        ),
        (
            "loadgen_open_fds",
            "Open file descriptors of the worker process.",
            open,
        ),
        (
            "loadgen_max_fds",
            "Most file descriptors that a worker process may have open.",
            most,
        ),
    ]
    .map(|(name, help, metrics)| family(name, help, MetricType::GAUGE, metrics))
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.into());
    family.set_help(help.into());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn gauge(labels: Vec<LabelPair>, value: u64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value as f64);
    let mut metric = Metric::from_label(labels);
    metric.set_gauge(gauge);
    metric
}

/// From the words of a tally.
fn histogram(words: &[u64]) -> Histogram {
    let mut cumulative = 0;
    let buckets = BOUNDS.iter().zip(words).map(|(bound, count)| {
        cumulative += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(seconds(*bound));
        bucket.set_cumulative_count(cumulative);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(cumulative + words[BOUNDS.len()]);
    histogram.set_sample_sum(words[BOUNDS.len() + 1] as f64 * MICROSECOND as f64 / SECOND as f64);
    histogram
}

fn labels_of(run: &str, part: &Part<'_>) -> Vec<LabelPair> {
    vec![
        label("run", run),
        label("phase", part.phase),
        label("worker", &part.worker.to_string()),
    ]
}

fn label(name: &str, value: &str) -> LabelPair {
    let mut label = LabelPair::default();
    label.set_name(name.into());
    label.set_value(value.into());
    label
}
