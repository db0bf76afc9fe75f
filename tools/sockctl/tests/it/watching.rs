//! `watch`: what it prints, how it comes back, and how it ends.

use std::process::Command;

use test_support::ServerProcess;

use crate::running::{Running, lines, sockctl};

fn watch(url: &str, args: &[&str]) -> Running {
    Running::start(sockctl().args(["--url", url, "watch"]).args(args))
}

#[test]
fn watch_prints_a_line_per_count_in_order_from_the_current_one() {
    for server in [
        ServerProcess::counter_server(&[]),
        ServerProcess::tutorial(),
    ] {
        lines(server.url(), &["increment", "--no-ack"]);
        let mut watching = watch(server.url(), &["-n", "51"]);
        assert_eq!(watching.line(), "1");
        lines(server.url(), &["increment", "--no-ack", "-n", "50"]);
        let finished = watching.finish();
        assert_eq!((finished.code, &*finished.stderr), (Some(0), &[][..]));
        assert_eq!(
            finished.stdout,
            (2..=51)
                .map(|count: u32| count.to_string())
                .collect::<Vec<_>>()
        );
    }
}

#[test]
fn watch_comes_back_after_the_server_was_away_and_says_so() {
    let server = ServerProcess::counter_server(&[]);
    let (url, port) = (server.url().to_owned(), server.port().to_string());
    let mut watching = watch(&url, &["-n", "3"]);
    assert_eq!(watching.line(), "0");
    lines(&url, &["increment"]);
    assert_eq!(watching.line(), "1");
    server.stop();
    let note = watching.note();
    assert!(
        note.starts_with("note: connection closed: ") && note.contains("; connecting again in 0."),
        "{note}"
    );

    let restarted = ServerProcess::counter_server(&["--port", &port]);
    lines(restarted.url(), &["increment", "-n", "7"]);
    // The new server's count, whichever it was when the watch came back; then every one.
    let count: u32 = watching.line().parse().unwrap();
    assert!(count <= 7, "{count}");
    let finished = watching.finish();
    assert_eq!(finished.code, Some(0));
    assert_eq!(finished.stderr.last().unwrap(), "note: connected again");
}

#[test]
fn a_count_that_did_not_change_while_the_server_was_away_is_not_printed_again() {
    let server = ServerProcess::tutorial();
    let port = server.port();
    let mut watching = watch(server.url(), &["-n", "2"]);
    assert_eq!(watching.line(), "0");
    server.stop();
    let restarted = ServerProcess::tutorial_on(port);
    while watching.note() != "note: connected again" {}
    lines(restarted.url(), &["increment", "--no-ack"]);
    assert_eq!(watching.finish().stdout, ["1"]);
}

/// A pipeline ends when all of its programs do, so `watch` must notice at once that nobody reads, not at the next count.
#[test]
fn a_closed_pipe_ends_watch_quietly_even_if_no_count_comes_any_more() {
    let server = ServerProcess::tutorial();
    let mut pipeline = Command::new("bash");
    let script = r#"set -o pipefail; "$0" watch --url "$1" | head -1; exit "${PIPESTATUS[0]}""#;
    pipeline.args(["-c", script, env!("CARGO_BIN_EXE_sockctl"), server.url()]);
    let finished = Running::start(&mut pipeline).finish();
    assert_eq!(
        (finished.code, finished.stdout, finished.stderr),
        (Some(0), vec!["0".to_owned()], vec![])
    );
}

#[test]
fn a_closed_pipe_ends_increment_quietly() {
    let server = ServerProcess::counter_server(&[]);
    let mut pipeline = Command::new("bash");
    let script = r#""$0" increment -n 100000 --url "$1" | head -2; exit "${PIPESTATUS[0]}""#;
    pipeline.args(["-c", script, env!("CARGO_BIN_EXE_sockctl"), server.url()]);
    let finished = Running::start(&mut pipeline).finish();
    assert_eq!((finished.code, &*finished.stderr), (Some(0), &[][..]));
    assert_eq!(finished.stdout, ["1", "2"]);
}
