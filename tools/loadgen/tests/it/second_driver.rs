//! The stock Rust client as receiver: the same run, seen by somebody else's client.

#[cfg(feature = "rust-socketio")]
#[test]
fn both_drivers_see_the_same_events() {
    use crate::program::{assert_counts, assert_measured, report};

    let server = test_support::ServerProcess::counter_server(&[]);
    for driver in ["epoll", "rust-socketio"] {
        let report = report(&format!(
            "broadcast --url {} --clients 20 --rate 50 --duration 2s --driver {driver}",
            server.url()
        ));
        let counts = [
            ("opened", 0),
            ("expected", 2_000),
            ("delivered", 2_000),
            ("lost", 0),
            ("repeated", 0),
            ("out_of_order", 0),
        ];
        assert_counts(&report, &counts);
        assert_eq!(report["setup"]["driver"], driver);
        assert_eq!(report["phases"][0]["counts"]["opened"], 20);
        assert_measured(&report);
    }
}

#[cfg(feature = "rust-socketio")]
#[test]
fn scenarios_that_the_stock_client_cannot_do_are_refused() {
    let run = crate::program::run("storm --driver rust-socketio");
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("knows broadcast, connect and idle"),
        "{}",
        run.stderr
    );
}

#[cfg(not(feature = "rust-socketio"))]
#[test]
fn a_build_without_the_second_driver_says_how_to_get_one_with_it() {
    let run = crate::program::run("broadcast --driver rust-socketio");
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.contains("--features rust-socketio"),
        "{}",
        run.stderr
    );
}
