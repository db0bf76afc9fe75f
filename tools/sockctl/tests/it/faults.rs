//! What a person reads when something is wrong, and the exit code that a script reads.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use test_support::ServerProcess;

use crate::running::{Running, run, sockctl};

/// The one line of a failure.
fn error(url: &str, args: &[&str]) -> String {
    let failed = run(url, args);
    assert_eq!(
        (failed.code, &*failed.stdout),
        (Some(1), &[][..]),
        "{failed:?}"
    );
    let [line] = &*failed.stderr else {
        panic!("{failed:?}")
    };
    line.strip_prefix("error: ").unwrap().to_owned()
}

#[test]
fn a_server_that_is_not_there_is_told_with_its_address_and_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let expected = format!(
        "cannot connect to {address}: Connection refused (os error 111); \
         is a server running there? --url or SOCKCTL_URL names another"
    );
    for command in ["get", "watch", "increment"] {
        assert_eq!(error(&format!("http://{address}"), &[command]), expected);
    }
}

#[test]
fn a_server_of_another_kind_is_told_with_what_it_answered() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n\r\nno such page")
            .unwrap();
    });
    let expected = "the server answered HTTP 404 instead of opening a WebSocket: no such page; \
                    is it a Socket.IO server of version 3 or later?";
    assert_eq!(error(&url, &["get"]), expected);
    server.join().unwrap();
}

#[test]
fn a_server_that_says_nothing_is_left_after_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let expected = format!(
        "{address}: no answer to the WebSocket request after 200ms; \
         --timeout allows more, --url or SOCKCTL_URL names another server"
    );
    assert_eq!(
        error(&format!("http://{address}"), &["get", "--timeout", "200ms"]),
        expected
    );
}

#[test]
fn a_namespace_that_the_server_does_not_have_is_told() {
    let server = ServerProcess::tutorial();
    let expected = r#"the server refused the namespace /nowhere: {"message":"Invalid namespace"}"#;
    assert_eq!(
        error(&format!("{}/nowhere", server.url()), &["get"]),
        expected
    );
}

#[test]
fn wrong_usage_is_told_with_the_code_for_that() {
    for (args, told) in [
        (
            &["--url", "localhost:3000", "get"][..],
            "try http://HOST:PORT",
        ),
        (&["get", "--timeout", "10"], "as 10s or 500ms"),
        (&["get", "--timeout", "0s"], "as 10s or 500ms"),
        (&["watch", "-n", "0"], "0 is not in 1.."),
        (
            &["increment", "-n", "2", "--key", "a"],
            "cannot be used with",
        ),
        (&["reset"], "unrecognized subcommand"),
    ] {
        let failed = Running::start(sockctl().args(args)).finish();
        assert_eq!(
            (failed.code, &*failed.stdout),
            (Some(2), &[][..]),
            "{args:?}"
        );
        assert!(
            failed.stderr[0].starts_with("error: ") && failed.stderr[0].contains(told),
            "{failed:?}"
        );
    }
}

#[test]
fn an_output_that_takes_nothing_is_told() {
    let server = ServerProcess::tutorial();
    let mut full = std::process::Command::new("bash");
    full.args([
        "-c",
        r#""$0" get --url "$1" > /dev/full"#,
        env!("CARGO_BIN_EXE_sockctl"),
        server.url(),
    ]);
    let failed = Running::start(&mut full).finish();
    assert_eq!(failed.code, Some(1));
    assert_eq!(
        failed.stderr,
        ["error: cannot write to stdout: No space left on device (os error 28)"]
    );
}
