//! What loadgen reports against what the server did: delays, stalls and planted faults.

use std::{process::Command, time::Duration};

use serde_json::Value;

use crate::{
    planted::{Faults, Plant, Server, Truth},
    program::{assert_counts, latency, reasons, report},
};

/// Increments before the measured ones: the probe's.
const PROBE: u64 = 1;

fn percentile(values: &mut [f64], percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() as f64 * percent / 100.0).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

/// Within 3 % or 0.3 ms.
fn is_true(report: &Value, truth: &Truth) -> Result<(), String> {
    let mut values: Vec<f64> = truth.latencies.iter().map(|(_, millis)| *millis).collect();
    for (statistic, percent) in [("p50", 50.0), ("p90", 90.0), ("p99", 99.0)] {
        let reported = latency(report, "server_latency", statistic);
        let true_value = percentile(&mut values, percent);
        if (reported - true_value).abs() > (true_value * 0.03).max(0.3) {
            return Err(format!(
                "{statistic}: {reported} ms, in truth {true_value} ms"
            ));
        }
    }
    Ok(())
}

/// Runs that others disturb, loadgen or the server that tells the truth, are made again.
const TRIES: usize = 6;

/// Runs against a new server until the percentiles are right; `after` checks what has to be true of every run. A
/// loadgen that is wrong is wrong every time.
fn until_true(faults: impl Fn() -> Faults, more: &str, probes: u64, after: impl Fn(&Value)) {
    let mut failures = Vec::new();
    for _ in 0..TRIES {
        let server = Server::start(faults());
        let report = run(&server, more);
        after(&report);
        match is_true(&report, &server.truth(probes)) {
            Ok(()) => return,
            Err(error) => failures.push(format!("{error} {}", report["verdict"]["state"])),
        }
    }
    panic!("{failures:?}");
}

fn run(server: &Server, more: &str) -> Value {
    let load = "--clients 20 --rate 50 --duration 3s --warm-up 0s";
    report(&format!("broadcast --url {} {load} {more}", server.url()))
}

#[test]
fn planted_delays_are_reported_as_they_were() {
    for millis in [5, 50, 500] {
        let faults = || Faults {
            delay: Duration::from_millis(millis),
            ..Faults::default()
        };
        until_true(faults, "", PROBE, |report| {
            assert_counts(
                report,
                &[
                    ("expected", 3_000),
                    ("delivered", 3_000),
                    ("unattributed", 0),
                ],
            );
        });
    }
}

#[test]
fn a_stall_is_seen_by_every_emit_that_it_delayed() {
    let stall = Some((60, Duration::from_secs(2)));
    let faults = || Faults {
        delay: Duration::from_millis(5),
        stall,
        ..Faults::default()
    };
    for (mode, probes) in [("value", PROBE), ("position", 0)] {
        until_true(faults, &format!("--correlate {mode}"), probes, |report| {
            assert_counts(
                report,
                &[
                    ("expected", 3_000),
                    ("delivered", 3_000),
                    ("lost", 0),
                    ("skipped", 0),
                ],
            );
            assert!(
                latency(report, "broadcast_latency", "p75") > 100.0,
                "a closed loop would have hidden it"
            );
        });
    }
}

/// Every 7th count is dropped for client 3, every 11th repeated for client 5, every 13th swapped for client 7.
fn plant(count: u64, client: u64) -> Option<Plant> {
    match client {
        3 if count.is_multiple_of(7) => Some(Plant::Drop),
        5 if count.is_multiple_of(11) => Some(Plant::Repeat),
        7 if count.is_multiple_of(13) => Some(Plant::Swap),
        _ => None,
    }
}

#[test]
fn every_planted_fault_is_counted_exactly() {
    for mode in ["value", "position"] {
        let server = Server::start(Faults {
            plant,
            ..Faults::default()
        });
        let report = run(&server, &format!("--correlate {mode}"));
        let truth = server.truth(if mode == "value" { PROBE } else { 0 });
        let planted = |plant: Plant| {
            truth
                .planted
                .iter()
                .filter(|(_, planted)| *planted == plant)
                .count() as u64
        };
        let (dropped, repeated, swapped) = (
            planted(Plant::Drop),
            planted(Plant::Repeat),
            planted(Plant::Swap),
        );
        assert!(
            dropped > 10 && repeated > 10 && swapped > 10,
            "{dropped} {repeated} {swapped}"
        );
        assert_counts(
            &report,
            &[
                ("expected", 3_000),
                ("delivered", 3_000 - dropped),
                ("skipped", dropped),
                ("lost", 0),
                ("repeated", repeated),
                ("out_of_order", swapped),
            ],
        );
    }
}

#[test]
fn what_never_comes_is_lost() {
    // Nothing from count 101 on, for everybody.
    let server = Server::start(Faults {
        plant: |count, _| (count > 101).then_some(Plant::Drop),
        ..Faults::default()
    });
    let report = run(&server, "--drain 1s");
    assert_counts(
        &report,
        &[
            ("expected", 3_000),
            ("delivered", 2_000),
            ("lost", 1_000),
            ("skipped", 0),
        ],
    );
}

/// Threads that never rest, on one core; killed on drop.
struct Hogs(Vec<std::process::Child>);

impl Hogs {
    fn on_core_0(count: usize) -> Self {
        let hog = || {
            Command::new("taskset")
                .args(["-c", "0", "sh", "-c", "while :; do :; done"])
                .spawn()
        };
        Self((0..count).map(|_| hog().expect("taskset starts")).collect())
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        for hog in &mut self.0 {
            hog.kill()
                .and_then(|()| hog.wait())
                .expect("a hog of ours ends");
        }
    }
}

#[test]
fn a_starved_loadgen_says_so_and_does_not_blame_the_server() {
    let mut failures = Vec::new();
    for _ in 0..TRIES {
        let server = Server::start(Faults {
            delay: Duration::from_millis(50),
            ..Faults::default()
        });
        let report = beside_hogs(&server, 6, "--clients 40 --rate 50 --duration 4s");
        assert_ne!(
            report["verdict"]["state"], "VALID",
            "{:#}",
            report["phases"][2]["latencies"]
        );
        assert!(reasons(&report).contains("loadgen"), "{}", reasons(&report));
        let truth = server.truth(PROBE + 50);
        let mut values: Vec<f64> = truth.latencies.iter().map(|(_, millis)| *millis).collect();
        let (reported, true_value) = (
            latency(&report, "server_latency", "p50"),
            percentile(&mut values, 50.0),
        );
        if (reported / true_value - 1.0).abs() < 0.1 {
            return;
        }
        failures.push(format!("{reported} ms, in truth {true_value} ms"));
    }
    panic!("{failures:?}");
}

/// How far loadgen may be off in a run that it calls valid.
fn is_near(reported: f64, true_value: f64) -> bool {
    (reported - true_value).abs() < (true_value * 0.1).max(1.0)
}

#[test]
fn whatever_is_called_valid_is_true_however_busy_the_machine_is() {
    let mut valid = 0;
    for hogs in [4, 2, 1, 0, 0, 0, 0] {
        let server = Server::start(Faults {
            delay: Duration::from_millis(20),
            ..Faults::default()
        });
        let load = "--clients 40 --rate 300 --duration 2s --warm-up 0s";
        let report = beside_hogs(&server, hogs, load);
        if report["verdict"]["state"] != "VALID" {
            continue;
        }
        valid += 1;
        let truth = server.truth(PROBE);
        let mut values: Vec<f64> = truth.latencies.iter().map(|(_, millis)| *millis).collect();
        for (statistic, percent) in [("p50", 50.0), ("p99", 99.0)] {
            let reported = latency(&report, "server_latency", statistic);
            let true_value = percentile(&mut values, percent);
            assert!(
                is_near(reported, true_value),
                "{hogs} hogs, {statistic}: {reported} ms, in truth {true_value} ms"
            );
        }
        if hogs == 0 {
            break;
        }
    }
    assert!(valid > 0, "undisturbed, it is valid");
}

/// A run on one core, with so many threads beside it that never rest and have the right of way.
fn beside_hogs(server: &Server, hogs: usize, load: &str) -> Value {
    let _hogs = Hogs::on_core_0(hogs);
    let output = Command::new("taskset")
        .args(["-c", "0", "nice", "-n", "10", env!("CARGO_BIN_EXE_loadgen")])
        .args(["broadcast", "-q", "--json", "-", "--url", server.url()])
        .args(load.split_whitespace())
        .output()
        .expect("taskset starts");
    serde_json::from_slice(&output.stdout).expect("a report")
}
