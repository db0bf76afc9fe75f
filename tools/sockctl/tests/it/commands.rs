//! `get` and `increment`.

use test_support::ServerProcess;

use crate::running::{Running, lines, run, sockctl};

#[test]
fn get_prints_the_current_count() {
    for server in [
        ServerProcess::counter_server(&[]),
        ServerProcess::tutorial(),
    ] {
        assert_eq!(lines(server.url(), &["get"]), ["0"]);
        assert_eq!(
            lines(server.url(), &["increment", "--no-ack", "-n", "2"]),
            ["1", "2"]
        );
        assert_eq!(lines(server.url(), &["get"]), ["2"]);
    }
}

#[test]
fn increment_prints_what_the_server_acknowledged() {
    let server = ServerProcess::counter_server(&[]);
    assert_eq!(lines(server.url(), &["increment"]), ["1"]);
    assert_eq!(
        lines(server.url(), &["increment", "-n", "3"]),
        ["2", "3", "4"]
    );
}

#[test]
fn output_can_be_json() {
    let server = ServerProcess::counter_server(&[]);
    assert_eq!(
        lines(server.url(), &["increment", "--output", "json"]),
        [r#"{"count":1}"#]
    );
    assert_eq!(
        lines(server.url(), &["--output", "json", "get"]),
        [r#"{"count":1}"#]
    );
    assert_eq!(
        lines(server.url(), &["watch", "-n", "1", "--output", "json"]),
        [r#"{"count":1}"#]
    );
}

#[test]
fn an_increment_with_a_key_counts_once_however_often_it_is_sent() {
    let server = ServerProcess::counter_server(&[]);
    assert_eq!(
        lines(server.url(), &["increment", "--key", "order-17"]),
        ["1"]
    );
    assert_eq!(lines(server.url(), &["increment"]), ["2"]);
    assert_eq!(
        lines(server.url(), &["increment", "--key", "order-17"]),
        ["1"]
    );
    assert_eq!(lines(server.url(), &["get"]), ["2"]);
}

#[test]
fn a_key_that_the_server_refuses_is_told_in_its_words() {
    let server = ServerProcess::counter_server(&[]);
    let refused = run(server.url(), &["increment", "--key", ""]);
    assert_eq!((refused.code, &*refused.stdout), (Some(1), &[][..]));
    let [error] = &*refused.stderr else {
        panic!("{refused:?}")
    };
    assert!(
        error.starts_with("error: the server refused the increment: "),
        "{error}"
    );
}

#[test]
fn a_server_that_never_acknowledges_makes_increment_fail_and_not_hang() {
    let server = ServerProcess::tutorial();
    let silent = run(
        server.url(),
        &["increment", "-n", "3", "--timeout", "300ms"],
    );
    assert_eq!((silent.code, &*silent.stdout), (Some(1), &[][..]));
    let [error] = &*silent.stderr else {
        panic!("{silent:?}")
    };
    let told = "error: the server did not acknowledge the increment within 300ms, and may have counted it all the same; \
                if it never acknowledges, use --no-ack; --key sockctl-";
    assert!(error.starts_with(told), "{error}");
    assert!(
        error.ends_with(" asks again, if the server knows keys"),
        "{error}"
    );
    // As the message says: it was counted, once, and the other two were not sent.
    assert_eq!(lines(server.url(), &["get"]), ["1"]);
}

#[test]
fn increments_of_several_shells_at_once_are_all_counted_and_each_answer_is_unique() {
    let server = ServerProcess::counter_server(&[]);
    let shells: Vec<_> = (0..4)
        .map(|_| Running::start(sockctl().args(["--url", server.url(), "increment", "-n", "250"])))
        .collect();
    let mut counts = Vec::new();
    for shell in shells {
        let finished = shell.finish();
        assert_eq!(
            (finished.code, finished.stdout.len()),
            (Some(0), 250),
            "{:?}",
            finished.stderr
        );
        let own: Vec<u64> = finished
            .stdout
            .iter()
            .map(|line| line.parse().unwrap())
            .collect();
        assert!(own.is_sorted(), "{own:?}");
        counts.extend(own);
    }
    counts.sort_unstable();
    assert_eq!(counts, (1..=1_000).collect::<Vec<u64>>());
}

#[test]
fn the_environment_names_the_server_and_the_flag_overrides_it() {
    let server = ServerProcess::counter_server(&[]);
    let from_environment =
        Running::start(sockctl().env("SOCKCTL_URL", server.url()).arg("get")).finish();
    assert_eq!(
        (from_environment.code, &*from_environment.stdout),
        (Some(0), &["0".to_owned()][..])
    );
    let mut overridden = sockctl();
    overridden
        .env("SOCKCTL_URL", "http://127.0.0.1:1")
        .args(["get", "--url", server.url()]);
    assert_eq!(Running::start(&mut overridden).finish().stdout, ["0"]);
}
