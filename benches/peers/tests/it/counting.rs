//! What the raw client counts, where the truth is known.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use peers::client::{Options, Totals, run};

use crate::places::options;
use crate::scripted::{Act, Greeting, Scripted};

/// Lets time pass, idle.
fn wait(time: Duration) {
    let (_held, never) = channel::<()>();
    let _ = never.recv_timeout(time);
}

/// Everyone gets every count.
fn faultless(_client: usize, count: u64) -> Act {
    Act::Send(vec![count])
}

/// In 20 counts the second client misses one, the third gets one twice, the fourth two in the wrong order, the fifth
/// misses the last five, the sixth gets the last two in the wrong order.
fn faulty(client: usize, count: u64) -> Act {
    Act::Send(match (client, count) {
        (1, 7) | (3, 8) | (4, 16..) | (5, 19) => vec![],
        (2, 5) => vec![5, 5],
        (3, 9) => vec![9, 8],
        (5, 20) => vec![20, 19],
        _ => vec![count],
    })
}

#[test]
fn every_planted_fault_is_counted_once_and_nothing_else() {
    let server = Scripted::start(Greeting::PingFirstInPieces, faulty);
    let report = run(&options(&server.url(), 6, "steady:200/s,100ms")).unwrap();
    let expected = Totals {
        delivered: 6 * 20 - 1 - 5,
        lost: 6,
        skipped: 3,
        repeated: 1,
        out_of_order: 2,
        stale: 2,
        disconnected: 0,
    };
    assert_eq!(report.totals, expected);
    assert_eq!(report.phases[0].totals, expected);
    assert_eq!(report.connected.clients, 6);
}

#[test]
fn faults_of_one_phase_do_not_count_in_the_next() {
    let server = Scripted::start(Greeting::PingFirstInPieces, faulty);
    let report = run(&options(&server.url(), 3, "burst:10x1 burst:10x2")).unwrap();
    assert_eq!(
        report.phases[0].totals,
        Totals {
            delivered: 29,
            lost: 1,
            skipped: 1,
            repeated: 1,
            ..Totals::default()
        }
    );
    assert_eq!(
        report.phases[1].totals,
        Totals {
            delivered: 60,
            ..Totals::default()
        }
    );
    let bursts = report.phases[1].bursts.as_ref().unwrap();
    assert!(
        bursts
            .iter()
            .all(|burst| burst.delivered == 30 && burst.all_at_newest),
        "{bursts:?}"
    );
}

#[test]
fn a_client_that_is_cut_off_is_disconnected_and_the_others_are_complete() {
    let server = Scripted::start(Greeting::PingFirstInPieces, |client, count| {
        match (client, count) {
            (1, 10..) => Act::Cut,
            _ => faultless(client, count),
        }
    });
    // One after the other, so that the second to join is not the one that emits.
    let options = Options {
        in_flight: 1,
        ..options(&server.url(), 3, "steady:200/s,100ms")
    };
    let report = run(&options).unwrap();
    assert_eq!(
        report.totals,
        Totals {
            delivered: 49,
            disconnected: 1,
            ..Totals::default()
        }
    );
    assert_eq!(report.reasons.values().sum::<usize>(), 1);
}

#[test]
fn latency_is_the_time_from_the_planned_instant_to_the_receiver() {
    let server = Scripted::start(Greeting::PingFirstInPieces, |client, count| {
        if client == 0 && count == 1 {
            // Holds this count back, and with it those that come meanwhile.
            wait(Duration::from_millis(300));
        }
        faultless(client, count)
    });
    let report = run(&options(&server.url(), 2, "steady:100/s,200ms")).unwrap();
    let latency = report.phases[0].latency.unwrap();
    // The first waits 300 ms, the one planned 190 ms later still 110 ms: none may be measured from when it was read.
    assert!((300.0..600.0).contains(&latency.max_ms), "{latency:?}");
    assert!((190.0..500.0).contains(&latency.p50_ms), "{latency:?}");
}

/// Holds the fifth count back for 600 ms.
fn pausing(client: usize, count: u64, pause: fn(Duration)) -> Act {
    if (client, count) == (0, 5) {
        pause(Duration::from_millis(600));
    }
    faultless(client, count)
}

#[test]
fn counts_that_come_after_their_phase_ended_do_not_shift_those_of_the_next() {
    let server = Scripted::start(Greeting::PingFirstInPieces, |client, count| {
        pausing(client, count, wait)
    });
    let options = Options {
        quiet: Duration::from_millis(200),
        ..options(&server.url(), 2, "burst:5x1 burst:5x1 burst:5x1")
    };
    let report = run(&options).unwrap();
    assert_eq!(report.phases[0].totals.stale, 2);
    assert_eq!(
        report.totals,
        Totals {
            delivered: 2 * 15,
            ..Totals::default()
        }
    );
}

#[test]
fn a_server_that_pauses_and_works_meanwhile_is_waited_for() {
    let server = Scripted::start(Greeting::PingFirstInPieces, |client, count| {
        pausing(client, count, |time| {
            let start = Instant::now();
            while start.elapsed() < time {
                std::hint::spin_loop();
            }
        })
    });
    let options = Options {
        quiet: Duration::from_millis(200),
        server_pid: Some(std::process::id()),
        ..options(&server.url(), 2, "burst:5x1")
    };
    let report = run(&options).unwrap();
    assert_eq!(
        report.totals,
        Totals {
            delivered: 2 * 5,
            ..Totals::default()
        }
    );
}

#[test]
fn a_server_that_sends_no_count_answers_otherwise_or_refuses_is_an_error_that_says_so() {
    for (greeting, said) in [
        (Greeting::NoCount, "no client of 2 got its first count"),
        (Greeting::BadRequest, "400 Bad Request"),
        (Greeting::Refused, "not today"),
    ] {
        let server = Scripted::start(greeting, faultless);
        let options = Options {
            limit: Duration::from_millis(500),
            ..options(&server.url(), 2, "idle:1ms")
        };
        let error = run(&options).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
