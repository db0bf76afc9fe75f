//! The servers of the comparison, each with few clients and little load.

use peers::client::{Options, Report, Totals, run};
use peers::compare::Server;

use crate::places::{measure, options, server};

/// Nothing missing and nothing wrong for 20 clients, and every figure there.
fn is_complete(name: &str, phases: &str, increments: u64) -> Report {
    let report = measure(&server(name), 20, phases);
    assert_eq!(
        report.totals,
        Totals {
            delivered: 20 * increments,
            ..Totals::default()
        },
        "{name}: {:?}",
        report.reasons
    );
    assert!(report.kib_per_connection.is_some() && report.connected.per_second > 0.0);
    for phase in report.phases.iter().filter(|phase| phase.increments > 0) {
        assert!(
            phase.latency.is_some_and(|latency| latency.p50_ms > 0.0),
            "{phase:?}"
        );
        assert!(
            phase.server.is_some_and(|server| server.kib_after > 0),
            "{phase:?}"
        );
    }
    report
}

const STEADY_AND_BURSTS: &str = "idle:100ms steady:50/s,1s burst:50x2";

#[test]
fn every_client_of_ours_receives_every_count() {
    is_complete("ours", STEADY_AND_BURSTS, 150);
}

#[test]
fn every_client_of_the_floor_receives_every_count() {
    let report = is_complete("floor", STEADY_AND_BURSTS, 150);
    assert!(
        report.phases[1]
            .server
            .unwrap()
            .cpu_us_per_message
            .is_some()
    );
}

#[test]
fn every_client_of_node_receives_every_count() {
    is_complete("node", STEADY_AND_BURSTS, 150);
}

#[test]
fn every_client_of_bun_receives_every_count() {
    is_complete("bun", STEADY_AND_BURSTS, 150);
}

#[test]
fn every_client_of_plain_socketioxide_receives_every_count_of_a_slow_load() {
    // Its handlers run in tasks of their own, so counts that come close together may change places.
    is_complete("plain-socketioxide", "idle:100ms steady:10/s,1s", 10);
}

#[test]
fn clients_cut_off_by_a_storm_come_back_and_receive_every_count() {
    let server = server("floor");
    let options = Options {
        in_flight: 7,
        ..options(server.url(), 50, "burst:10x1 storm burst:10x1")
    };
    let report = run(&options).unwrap();
    assert_eq!(report.phases[1].connected.unwrap().clients, 50);
    assert_eq!(
        report.totals,
        Totals {
            delivered: 50 * 20,
            ..Totals::default()
        }
    );
}

#[test]
fn readers_of_the_floor_that_stop_until_their_sockets_are_full_are_complete_when_they_continue() {
    let report = measure(
        &server("floor"),
        20,
        "stop:5 burst:5000x6 continue burst:10x1",
    );
    let continued = report.phases[2].continued.unwrap();
    assert_eq!(
        (continued.at_newest, continued.complete, continued.gone),
        (5, 5, 0),
        "{continued:?}"
    );
    let totals = Totals {
        delivered: 20 * 30_010,
        ..Totals::default()
    };
    assert_eq!(report.totals, totals);
    // 30,000 counts of 5 clients are 4 MB; they are rebuilt, not stored.
    let server = report.phases[1].server.unwrap();
    assert!(server.kib_after < server.kib_before + 1024, "{server:?}");
}

fn upgrades(server: &Server) {
    let report = measure(server, 5, "upgrade:50/s,4s,20");
    let upgraded = report.phases[0].upgraded.as_ref().unwrap();
    assert_eq!(
        (upgraded.upgraded, upgraded.failed),
        (20, 0),
        "{upgraded:?}"
    );
    assert!(upgraded.polls >= 20 && upgraded.polled > 0, "{upgraded:?}");
    let Totals {
        lost,
        repeated,
        out_of_order,
        stale,
        disconnected,
        delivered,
        ..
    } = report.totals;
    assert_eq!(
        (lost, repeated, out_of_order, stale, disconnected),
        (0, 0, 0, 0, 0),
        "{:?}",
        report.reasons
    );
    assert!(delivered > 5 * 200, "{delivered}");
}

#[test]
fn clients_that_upgrade_from_polling_on_ours_see_no_count_twice_and_none_lower() {
    upgrades(&server("ours"));
}

#[test]
fn clients_that_upgrade_from_polling_on_node_see_no_count_twice_and_none_lower() {
    upgrades(&server("node"));
}

#[test]
fn clients_that_upgrade_from_polling_on_bun_see_no_count_twice_and_none_lower() {
    upgrades(&server("bun"));
}
