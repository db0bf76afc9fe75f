//! The same command against the servers of others: python-socketio, Bun's engine and plain socketioxide. (Stock Node is
//! in `broadcast`.) None of them acknowledges.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use axum::Router;
use socketioxide::{SocketIo, extract::SocketRef};

use crate::program::{assert_counts, assert_measured, report};

/// A server in a process of its own; killed on drop.
pub(crate) struct Peer {
    child: Child,
    pub(crate) url: String,
}

impl Peer {
    /// `command` has to print its address at the end of its first line.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("the server says its address");
        let url = line
            .trim()
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .to_owned();
        assert!(url.starts_with("http"), "no address: {line:?}");
        Self { child, url }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.child
            .kill()
            .and_then(|()| self.child.wait())
            .expect("the server ends");
    }
}

/// A file of the repository; its absence is an error with the command that brings it.
pub(crate) fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    assert!(
        path.exists(),
        "{} is missing; install it: bash tools/test.sh",
        path.display()
    );
    path
}

fn broadcast_is_complete(url: &str) {
    for transport in ["websocket", "upgrade"] {
        let report = report(&format!(
            "broadcast --url {url} --clients 20 --rate 20 --duration 2s --transport {transport}"
        ));
        let counts = [
            ("sent", 40),
            ("expected", 800),
            ("delivered", 800),
            ("lost", 0),
            ("repeated", 0),
            ("malformed", 0),
        ];
        assert_counts(&report, &counts);
        assert_measured(&report);
        assert_eq!(report["setup"]["correlate"], "position");
    }
}

#[test]
fn python_socketio_is_measured_unchanged() {
    let python = installed("tools/loadgen/tests/.venv/bin/python");
    let peer =
        Peer::start(Command::new(python).arg(installed("tools/loadgen/tests/it/python-server.py")));
    broadcast_is_complete(&peer.url);
}

#[test]
fn bun_is_measured_unchanged() {
    let bun = installed("benches/peers/bun/node_modules/.bin/bun");
    let server = installed("benches/peers/bun/server.mjs");
    let peer = Peer::start(Command::new(bun).arg(server).env("PORT", "0"));
    broadcast_is_complete(&peer.url);
}

#[test]
fn plain_socketioxide_is_measured_unchanged() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (layer, io) = SocketIo::new_layer();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    io.ns("/", async move |socket: SocketRef, io: SocketIo| {
        let now = count.load(std::sync::atomic::Ordering::SeqCst);
        socket
            .emit("countUpdated", &now)
            .expect("the first packet fits");
        socket.on("increment", async move || {
            let now = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            io.emit("countUpdated", &now)
                .await
                .expect("the queues are long enough");
        });
    });
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    runtime.spawn(async move { axum::serve(listener, Router::new().layer(layer)).await });
    broadcast_is_complete(&url);
}
