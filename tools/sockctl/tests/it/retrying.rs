//! Increments whose connection is lost before the acknowledgement: sent again, and counted once.

use std::time::Duration;

use tempfile::TempDir;
use test_support::ServerProcess;

use crate::{
    cutting::{Cut, Network},
    running::{Running, lines, sockctl},
};

fn increment(url: &str, args: &[&str]) -> Running {
    Running::start(sockctl().args(["--url", url, "increment"]).args(args))
}

#[test]
fn an_increment_whose_acknowledgement_was_lost_is_sent_again_and_counts_once() {
    let server = ServerProcess::counter_server(&[]);
    let network = Network::to(server.url(), Cut::AtAck, 3);
    let running = increment(network.url(), &["-n", "5"]);
    for _ in 0..3 {
        network.wait_for_cut();
        network.heal(server.url());
    }
    let finished = running.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.stdout, ["1", "2", "3", "4", "5"]);
    let notes = |text: &str| {
        finished
            .stderr
            .iter()
            .filter(|line| line.contains(text))
            .count()
    };
    assert_eq!(
        (
            notes("; connecting again in "),
            notes("note: connected again")
        ),
        (3, 3)
    );
    assert_eq!(lines(server.url(), &["get"]), ["5"]);
}

#[test]
fn a_server_that_is_killed_before_it_answers_counts_once_when_it_is_back() {
    let folder = TempDir::new().unwrap();
    let store = format!("file:{}", folder.path().join("counter.redb").display());
    let server = ServerProcess::counter_server(&["--store", &store]);
    let network = Network::to(server.url(), Cut::AtAck, 1);
    let running = increment(network.url(), &["-n", "2"]);
    network.wait_for_cut();
    // SIGKILL: nothing but the file is left.
    drop(server);
    let server = ServerProcess::counter_server(&["--store", &store]);
    // Somebody else comes first, so that the count of the first time is not the newest one.
    assert_eq!(lines(server.url(), &["increment"]), ["2"]);
    network.heal(server.url());
    let finished = running.finish();
    assert_eq!(
        (finished.code, finished.stdout),
        (Some(0), vec!["1".to_owned(), "3".to_owned()])
    );
    assert_eq!(lines(server.url(), &["get"]), ["3"]);
}

#[test]
fn who_gives_up_is_told_the_key_that_asks_again() {
    let server = ServerProcess::counter_server(&[]);
    let network = Network::to(server.url(), Cut::AtAck, 1);
    let running = increment(network.url(), &["--retry-for", "300ms"]);
    network.wait_for_cut();
    network.end();
    let finished = running.finish();
    assert_eq!((finished.code, &*finished.stdout), (Some(1), &[][..]));
    let error = finished.stderr.last().unwrap();
    let told = "error: the increment may or may not have been counted: ";
    assert!(error.starts_with(told), "{error}");
    let key = error
        .split_once("; --key ")
        .and_then(|(_, rest)| rest.strip_suffix(" asks again, if the server knows keys"));
    assert_eq!(
        lines(server.url(), &["increment", "--key", key.unwrap()]),
        ["1"]
    );
    assert_eq!(lines(server.url(), &["get"]), ["1"]);
}

#[test]
fn who_wants_no_retry_sends_no_key_and_nothing_twice() {
    let server = ServerProcess::counter_server(&[]);
    let network = Network::to(server.url(), Cut::AtAck, 1);
    let running = increment(network.url(), &["--retry-for", "0s"]);
    network.wait_for_cut();
    network.heal(server.url());
    let finished = running.finish();
    assert_eq!(finished.code, Some(1));
    let [error] = &*finished.stderr else {
        panic!("{finished:?}")
    };
    assert!(
        error.starts_with("error: the increment may or may not have been counted: connection "),
        "{error}"
    );
    assert!(!error.contains("--key"), "{error}");
    assert_eq!(lines(server.url(), &["get"]), ["1"]);
}

#[test]
fn nothing_is_sent_again_to_a_server_that_counts_and_does_not_answer() {
    let server = ServerProcess::tutorial();
    let network = Network::to(server.url(), Cut::After(1, Duration::from_millis(1_500)), 1);
    let running = increment(network.url(), &[]);
    network.wait_for_cut();
    network.heal(server.url());
    let finished = running.finish();
    assert_eq!((finished.code, &*finished.stdout), (Some(1), &[][..]));
    let error = finished.stderr.last().unwrap();
    assert!(
        error.contains("the server counted and did not answer, so nothing was sent again"),
        "{error}"
    );
    assert_eq!(lines(server.url(), &["get"]), ["1"]);
}
