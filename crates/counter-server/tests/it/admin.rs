//! What the admin listener says of a server that a test started.

use std::fs;
use std::process::ExitStatus;
use std::time::Duration;

use test_support::ServerProcess;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::raw::PATIENCE;

/// A server with an admin listener on a free port.
pub(crate) struct Watched {
    server: ServerProcess,
    admin: String,
}

impl Watched {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut args = args.to_vec();
        args.extend(["--admin", "127.0.0.1:0"]);
        let server = ServerProcess::counter_server(&args);
        let admin = server.metrics_url();
        let admin = admin
            .strip_prefix("http://")
            .and_then(|url| url.strip_suffix("/metrics"));
        Self {
            admin: admin.unwrap().to_owned(),
            server,
        }
    }

    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    /// The value of a metric, or of all that differ only in their labels together.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        sum(&self.exposition().await, name)
    }

    /// All metrics, as Prometheus reads them.
    pub(crate) async fn exposition(&self) -> String {
        let answer = self.get("/metrics").await;
        let (_, text) = answer.split_once("\r\n\r\n").unwrap();
        text.to_owned()
    }

    /// Waits until a metric has this value.
    pub(crate) async fn wait_for(&self, name: &str, value: u64) {
        wait_until(&format!("{name} is {value}"), async || {
            self.metric(name).await == value
        })
        .await;
    }

    /// Waits until a metric has at least this value.
    pub(crate) async fn wait_for_at_least(&self, name: &str, value: u64) {
        let what = format!("{name} is at least {value}");
        wait_until(&what, async || self.metric(name).await >= value).await;
    }

    /// Waits until the one client that took nothing was counted and its descriptor closed, so that these are
    /// left.
    pub(crate) async fn wait_for_a_stalled_client(&self, descriptors: usize) {
        let stalled = r#"counter_connections_dropped_total{reason="stalled"}"#;
        self.wait_for(stalled, 1).await;
        self.wait_for("counter_connections", 1).await;
        wait_until("its descriptor is closed", async || {
            self.descriptors() == descriptors
        })
        .await;
    }

    /// Asks the server to end, and waits until it has.
    pub(crate) fn stop(self) -> ExitStatus {
        self.server.stop()
    }

    /// Open descriptors of the server.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.server.pid()))
            .unwrap()
            .count()
    }

    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }
}

/// The value of a metric in an exposition, or of all that differ only in their labels together.
pub(crate) fn sum(text: &str, name: &str) -> u64 {
    let values = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let value = rest.strip_prefix(' ');
        value.or_else(|| rest.strip_prefix('{')?.rsplit(' ').next())
    });
    let values: Vec<u64> = values.map(|value| value.parse().unwrap()).collect();
    assert!(!values.is_empty(), "no metric {name} in\n{text}");
    values.iter().sum()
}

/// Looks again and again until it holds.
pub(crate) async fn wait_until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "waited too long until {what}");
        sleep(Duration::from_millis(10)).await;
    }
}
