//! Exit codes and errors: what a user meets when something is wrong.

use std::io::{BufRead as _, BufReader};

use rustix::process::{Pid, Signal, kill_process};
use test_support::ServerProcess;

use crate::program::{report, run};

#[test]
fn no_server_is_one_clear_line_and_exit_code_1() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .unwrap();
    let run = run(&format!("broadcast --url http://{free}"));
    assert_eq!(run.code, Some(1));
    assert_eq!(run.stdout, "");
    assert_eq!(
        run.stderr.trim_end(),
        format!(
            "error: cannot connect to http://{free} (is a Socket.IO server running there?): connection refused"
        )
    );
}

#[test]
fn a_server_that_speaks_something_else_is_quoted() {
    let server = ServerProcess::counter_server(&[]);
    let run = run(&format!("broadcast --url {} --path /other/", server.url()));
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("HTTP status 404"), "{}", run.stderr);
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        "broadcast --clients 0",
        "broadcast --threshold lots:count<1",
        "nonsense",
        "broadcast --rate fast",
        "broadcast --header nonsense",
        "broadcast --url ftp://127.0.0.1",
        "ack --threads 2",
        "broadcast --threshold lost:count==0 --abort-on-fail",
    ] {
        let run = run(arguments);
        assert_eq!(run.code, Some(2), "{arguments}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments}");
    }
}

#[test]
fn a_missed_threshold_is_exit_code_3_and_a_kept_one_is_not() {
    let server = ServerProcess::counter_server(&[]);
    let load = format!(
        "broadcast -q --url {} --clients 5 --rate 50 --duration 1s",
        server.url()
    );
    let kept = run(&format!(
        "{load} --threshold broadcast_latency:p(99)<5s --threshold lost:count==0"
    ));
    assert_eq!(kept.code, Some(0), "{}", kept.stdout);
    let missed = run(&format!("{load} --threshold broadcast_latency:p(50)<1us"));
    assert_eq!(missed.code, Some(3), "{}", missed.stdout);
    assert!(
        missed.stdout.contains("MISSED broadcast_latency:p(50)<1us"),
        "{}",
        missed.stdout
    );
}

#[test]
fn a_broken_threshold_ends_the_run_at_once_if_asked() {
    let server = ServerProcess::counter_server(&[]);
    let url = server.url();
    let began = std::time::Instant::now();
    let run = run(&format!(
        "broadcast -q --url {url} --clients 5 --rate 50 --duration 60s --threshold broadcast_latency:p(50)<1us --abort-on-fail"
    ));
    assert_eq!(run.code, Some(3), "{}", run.stdout);
    assert!(began.elapsed().as_secs() < 30);
}

#[test]
fn clients_that_cannot_connect_make_the_run_invalid() {
    // The probe is the first, the emitter and three clients are let in, and the rest is not.
    let server = crate::planted::Server::start(crate::planted::Faults {
        refuse_after: Some(5),
        ..Default::default()
    });
    let url = server.url();
    let load =
        format!("broadcast --url {url} --clients 10 --rate 20 --duration 1s --correlate position");
    let report = report(&load);
    assert_eq!(report["verdict"]["state"], "INVALID");
    let reasons = crate::program::reasons(&report);
    assert!(
        reasons.contains("of 10 clients could connect") && reasons.contains("HTTP status 503"),
        "{reasons}"
    );
    assert_eq!(
        run(&format!("{load} -q")).code,
        Some(1),
        "not even the probe"
    );
}

#[test]
fn emitting_clients_that_cannot_connect_make_the_run_invalid_too() {
    // The probe is the first.
    let server = crate::planted::Server::start(crate::planted::Faults {
        refuse_after: Some(5),
        ..Default::default()
    });
    let url = server.url();
    let report = report(&format!(
        "ack --url {url} --clients 10 --rate 20 --duration 1s"
    ));
    assert_eq!(report["verdict"]["state"], "INVALID");
    let reasons = crate::program::reasons(&report);
    assert!(
        reasons.contains("only 4 of 10 clients could connect"),
        "{reasons}"
    );
}

#[test]
fn a_file_that_cannot_be_written_is_an_error() {
    let server = ServerProcess::counter_server(&[]);
    let run = run(&format!(
        "connect -q --url {} --clients 1 --json /nonexistent/result.json",
        server.url()
    ));
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr
            .starts_with("error: cannot write /nonexistent/result.json: "),
        "{}",
        run.stderr
    );
}

#[test]
fn too_many_clients_for_the_open_files_is_an_error_with_the_command_that_helps() {
    let run: crate::program::Run = std::process::Command::new("bash")
        .args([
            "-c",
            "ulimit -n 200; exec \"$0\" connect --clients 500",
            env!("CARGO_BIN_EXE_loadgen"),
        ])
        .output()
        .expect("bash starts")
        .into();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(
        run.stderr.contains("ulimit -n 564") && run.stderr.contains("--workers 4"),
        "{}",
        run.stderr
    );
}

#[test]
fn an_interrupted_run_still_tells_what_it_saw() {
    let server = ServerProcess::counter_server(&[]);
    let load = format!(
        "broadcast --url {} --clients 5 --rate 50 --duration 60s --warm-up 0s",
        server.url()
    );
    let mut child = crate::program::spawn(&load);
    let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
    let mut line = String::new();
    while !line.starts_with("broadcast") || line.contains("delivered 0 ") {
        line.clear();
        assert!(
            stderr.read_line(&mut line).expect("progress lines") > 0,
            "it ended by itself"
        );
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    let run: crate::program::Run = child.wait_with_output().expect("it ends").into();
    assert_eq!(run.code, Some(3), "{}", run.stdout);
    assert!(
        run.stdout.contains("invalid: the run was interrupted"),
        "{}",
        run.stdout
    );
    assert!(!run.stdout.contains("somebody else"), "{}", run.stdout);
}
