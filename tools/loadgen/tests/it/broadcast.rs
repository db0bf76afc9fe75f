//! Every scenario against a server that acknowledges (ours) and one that does not (the tutorial's own, on Node).

use test_support::ServerProcess;

use crate::program::{assert_counts, assert_measured, count, latency, reasons, report, run};

const COMPLETE: [(&str, u64); 6] = [
    ("lost", 0),
    ("skipped", 0),
    ("repeated", 0),
    ("out_of_order", 0),
    ("beyond", 0),
    ("disconnected", 0),
];

fn is_complete(report: &serde_json::Value, sent: u64, clients: u64) {
    assert_counts(report, &COMPLETE);
    assert_counts(
        report,
        &[
            ("planned", sent),
            ("sent", sent),
            ("expected", sent * clients),
            ("delivered", sent * clients),
        ],
    );
    assert_measured(report);
    for metric in ["broadcast_latency", "server_latency", "read_delay"] {
        assert!(latency(report, metric, "p50") < 5_000.0);
    }
    let values = latency(report, "broadcast_latency", "count");
    assert!(
        (values - (sent * clients) as f64).abs() < 0.5,
        "{values} latencies"
    );
}

#[test]
fn our_server_delivers_everything_and_is_tied_by_value() {
    let server = ServerProcess::counter_server(&[]);
    let report = report(&format!(
        "broadcast --url {} --clients 40 --rate 100 --duration 2s --warm-up 200ms",
        server.url()
    ));
    is_complete(&report, 200, 40);
    assert_eq!(report["setup"]["correlate"], "value");
    assert_counts(
        &report,
        &[("acked", 200), ("foreign", 0), ("unattributed", 0)],
    );
}

#[test]
fn a_server_that_does_not_acknowledge_is_tied_by_position() {
    let server = ServerProcess::tutorial();
    let report = report(&format!(
        "broadcast --url {} --clients 40 --rate 50 --duration 2s",
        server.url()
    ));
    is_complete(&report, 100, 40);
    assert_eq!(report["setup"]["correlate"], "position");
    assert!(
        report["verdict"]["notes"]
            .to_string()
            .contains("does not acknowledge")
    );
}

#[test]
fn several_emitters_share_the_rate() {
    let server = ServerProcess::counter_server(&[]);
    let report = report(&format!(
        "broadcast --url {} --clients 10 --emitters 4 --rate 200 --duration 1s",
        server.url()
    ));
    is_complete(&report, 200, 10);
}

#[test]
fn several_emitters_without_acknowledgements_are_called_ambiguous() {
    let server = ServerProcess::tutorial();
    let url = server.url();
    let report = report(&format!(
        "broadcast --url {url} --clients 5 --emitters 4 --rate 3000 --duration 1s"
    ));
    assert_eq!(report["verdict"]["state"], "SUSPECT");
    assert!(reasons(&report).contains("a guess"), "{}", reasons(&report));
}

#[test]
fn worker_processes_count_as_one() {
    let server = ServerProcess::counter_server(&[]);
    let url = server.url();
    let report = report(&format!(
        "broadcast --url {url} --clients 41 --workers 3 --threads 2 --rate 50 --duration 1s"
    ));
    is_complete(&report, 50, 41);
    assert_eq!(
        report["phases"][2]["lanes"].as_array().map(Vec::len),
        Some(7)
    );
}

#[test]
fn clients_upgrade_from_polling_like_browsers() {
    for server in [
        ServerProcess::counter_server(&[]),
        ServerProcess::tutorial(),
    ] {
        let url = server.url();
        let report = report(&format!(
            "broadcast --url {url} --transport upgrade --clients 20 --rate 50 --duration 1s"
        ));
        is_complete(&report, 50, 20);
    }
}

#[test]
fn somebody_else_who_emits_is_noticed() {
    let server = ServerProcess::tutorial();
    let url = server.url();
    let mut other = crate::program::command(&format!(
        "broadcast -q --url {url} --clients 1 --rate 50 --duration 4s"
    ))
    .stdout(std::process::Stdio::null())
    .spawn()
    .expect("loadgen starts");
    let report = report(&format!(
        "broadcast --url {url} --clients 5 --rate 20 --duration 2s --drain 1s"
    ));
    other
        .kill()
        .and_then(|()| other.wait())
        .expect("the other one ends");
    assert_eq!(report["verdict"]["state"], "INVALID");
    assert!(
        reasons(&report).contains("somebody else"),
        "{}",
        reasons(&report)
    );
}

#[test]
fn connecting_is_timed_until_joined_and_until_the_first_event() {
    let server = ServerProcess::counter_server(&[]);
    let report = report(&format!(
        "connect --url {} --clients 100 --connect-rate 200",
        server.url()
    ));
    assert_counts(&report, &[("asked", 100), ("opened", 100), ("failed", 0)]);
    assert!((latency(&report, "connect_time", "count") - 100.0).abs() < 0.5);
    assert!((latency(&report, "first_event", "count") - 100.0).abs() < 0.5);
    assert!(
        report["total"]["seconds"]
            .as_f64()
            .is_some_and(|seconds| seconds > 0.45),
        "100 at 200/s"
    );
}

#[test]
fn idle_clients_are_held_and_the_servers_memory_is_watched() {
    let server = ServerProcess::counter_server(&[]);
    let (url, pid) = (server.url(), server.pid());
    let report = report(&format!(
        "idle --url {url} --clients 100 --duration 1s --server-pid {pid}"
    ));
    assert!(
        report["phases"][0]["server"]["kib_per_connection"]
            .as_f64()
            .is_some_and(|kib| kib > 0.5)
    );
    assert!(
        report["sentence"]
            .as_str()
            .is_some_and(|text| text.starts_with("100 of 100 idle clients held"))
    );
}

#[test]
fn the_round_trip_of_acknowledgements_is_measured_on_all_clients() {
    let server = ServerProcess::counter_server(&[]);
    let report = report(&format!(
        "ack --url {} --clients 20 --rate 200 --duration 1s",
        server.url()
    ));
    assert_counts(&report, &[("sent", 200), ("acked", 200), ("unacked", 0)]);
    let opening = &report["phases"][0];
    assert_eq!(opening["counts"]["asked"], 20);
    assert_eq!(opening["counts"]["opened"], 20);
    assert_eq!(opening["latencies"]["connect_time"]["count"], 20);
    assert!((latency(&report, "ack_latency", "count") - 200.0).abs() < 0.5);
}

#[test]
fn a_closed_loop_is_named_as_such() {
    let server = ServerProcess::counter_server(&[]);
    let report = report(&format!(
        "broadcast --url {} --clients 5 --closed --duration 500ms",
        server.url()
    ));
    assert_eq!(report["setup"]["closed_loop"], true);
    assert!(
        report["verdict"]["notes"]
            .to_string()
            .contains("closed loop")
    );
    assert!(count(&report, "sent") > 10);
    assert_eq!(count(&report, "delivered"), count(&report, "sent") * 5);
}

#[test]
fn all_clients_return_after_a_storm() {
    let server = ServerProcess::counter_server(&[]);
    let report = report(&format!(
        "storm --url {} --clients 100 --rate 20 --duration 1s",
        server.url()
    ));
    assert_counts(
        &report,
        &[
            ("cut", 100),
            ("returned", 100),
            ("lost", 0),
            ("expected", 2_000),
            ("delivered", 2_000),
        ],
    );
    assert!((latency(&report, "recovery", "count") - 100.0).abs() < 0.5);
}

#[test]
fn clients_that_do_not_return_after_a_storm_are_counted() {
    let server = crate::planted::Server::start(crate::planted::Faults {
        refuse_after: Some(52),
        ..Default::default()
    });
    let report = report(&format!(
        "storm --url {} --clients 50 --return-timeout 2s",
        server.url()
    ));
    let never = count(&report, "cut") - count(&report, "returned");
    assert_eq!(never, 50 - 1, "{}", report["total"]["counts"]);
    assert!(
        report["sentence"]
            .as_str()
            .is_some_and(|text| text.contains("49 never returned"))
    );
}

#[test]
fn clients_that_stop_reading_catch_up_completely() {
    let server = ServerProcess::counter_server(&[]);
    let url = server.url();
    let report = report(&format!(
        "slow --url {url} --clients 20 --share 0.25 --rate 100 --duration 1s"
    ));
    is_complete_slow(&report);
    assert!((latency(&report, "catch_up", "count") - 5.0).abs() < 0.5);
}

#[test]
fn whoever_cannot_read_at_once_what_waits_reads_on_although_nothing_more_comes() {
    let server = ServerProcess::counter_server(&[]);
    let url = server.url();
    // What waits for the two that stopped, 4,000 events of 25 bytes, is more than one read takes.
    let report = report(&format!(
        "slow --url {url} --clients 4 --share 0.5 --rate 4000 --duration 1s --warm-up 0s"
    ));
    assert_counts(&report, &COMPLETE);
    assert_counts(&report, &[("stopped", 2)]);
    let longest = latency(&report, "catch_up", "max");
    assert!(longest < 2_000.0, "{longest} ms");
}

fn is_complete_slow(report: &serde_json::Value) {
    assert_counts(report, &COMPLETE);
    assert_counts(
        report,
        &[
            ("stopped", 5),
            ("expected", 2 * 20 * 100),
            ("delivered", 2 * 20 * 100),
        ],
    );
}

#[test]
fn the_capacity_is_the_last_step_that_keeps_the_limit() {
    // Each delivery takes 5 ms and the limit is 1 s: 50 clients keep it with ease, 200 cannot.
    let server = crate::planted::Server::start(crate::planted::Faults {
        pause: std::time::Duration::from_millis(5),
        ..Default::default()
    });
    let report = report(&format!(
        "capacity --url {} --clients 400 --step 50 --rate 0.5 --duration 2s --limit broadcast_latency:p(99)<1s",
        server.url()
    ));
    let clients = report["capacity"]["clients"].as_u64();
    assert!(
        clients.is_some_and(|clients| (50..=150).contains(&clients)),
        "{}",
        report["capacity"]
    );
    let gave_way = report["capacity"]["gave_way"].as_str().unwrap_or_default();
    assert!(gave_way.contains("p(99)<1s was broken"), "{gave_way}");
    assert!(
        report["phases"]
            .as_array()
            .is_some_and(|phases| phases.len() <= 12),
        "it ends at the first broken step"
    );
}

#[test]
fn the_text_begins_with_the_result_in_one_sentence() {
    let server = ServerProcess::counter_server(&[]);
    let url = server.url();
    let run = run(&format!(
        "broadcast --url {url} --clients 10 --rate 50 --duration 1s --server-pid {}",
        server.pid()
    ));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let first = run.stdout.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("10 clients at 50 emits/s: 500 of 500 expected events delivered (0 lost"),
        "{first}"
    );
    assert!(
        run.stdout.contains("µs of CPU per delivery"),
        "{}",
        run.stdout
    );
    assert!(
        run.stderr.contains("clients 10/10"),
        "plain progress lines: {}",
        run.stderr
    );
}
