//! A real Prometheus with the configuration, the rules and the alerts of this package; only its pace and
//! its targets are changed, so that tests are short.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use dashboards::{Panel, Query, folder};
use serde_json::Value;
use tempfile::TempDir;
use test_support::free_port;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// How long anything may take on a machine that compiles meanwhile.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A running Prometheus; killed on drop.
pub(crate) struct Prometheus {
    address: String,
    process: Child,
    _folder: TempDir,
}

/// One series of an answer, with its newest value.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Prometheus {
    /// Watches a server, by the URL of its metrics, and a loadgen at this port; both are scraped once it
    /// returns, if they are there.
    pub(crate) async fn watch(server: &str, loadgen: u16) -> Self {
        // Between asking for a free port and using it another process may take it.
        for _ in 0..5 {
            if let Some(prometheus) = Self::try_watch(server, loadgen).await {
                prometheus
                    .until("the server is scraped", r#"up{job="counter-server"} == 1"#)
                    .await;
                return prometheus;
            }
        }
        panic!("prometheus does not start");
    }

    async fn try_watch(server: &str, loadgen: u16) -> Option<Self> {
        let folder = configured(server, loadgen);
        let address = format!("127.0.0.1:{}", free_port());
        let process = Command::new("prometheus")
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("prometheus runs; install it with: bash tools/test.sh");
        let mut prometheus = Self {
            address,
            process,
            _folder: folder,
        };
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if prometheus.process.try_wait().unwrap().is_some() {
                return None;
            }
            if prometheus
                .get("/-/ready")
                .await
                .is_some_and(|(head, _)| head.contains(" 200 "))
            {
                return Some(prometheus);
            }
            sleep(Duration::from_millis(20)).await;
        }
        None
    }

    /// The newest value of each series; panics if Prometheus does not understand the query.
    pub(crate) async fn query(&self, expression: &str) -> Vec<Sample> {
        let query = form_urlencoded::byte_serialize(expression.as_bytes());
        let path = format!("/api/v1/query?query={}", query.collect::<String>());
        let answer = self.api(&path).await;
        let result = answer["data"]["result"].as_array();
        let result = result.unwrap_or_else(|| panic!("{expression}: {answer}"));
        result.iter().map(sample).collect()
    }

    /// What Prometheus has seen of metrics: each name and its type.
    pub(crate) async fn metrics(&self) -> BTreeMap<String, Value> {
        let answer = self.api("/api/v1/metadata").await;
        serde_json::from_value(answer["data"].clone()).unwrap()
    }

    /// Whether the condition of an alert holds now; it may not have held for long enough to fire.
    pub(crate) async fn is_alerted(&self, name: &str) -> bool {
        let answer = self.api("/api/v1/alerts").await;
        let alerts = answer["data"]["alerts"].as_array().unwrap();
        alerts
            .iter()
            .any(|alert| alert["labels"]["alertname"] == name)
    }

    /// Asks again until the expression has a series, and gives all of them.
    pub(crate) async fn until(&self, what: &str, expression: &str) -> Vec<Sample> {
        eventually(what, async || {
            let samples = self.query(expression).await;
            (!samples.is_empty()).then_some(samples)
        })
        .await
    }

    /// Waits until the first query of a panel has a series with these labels whose value is one of those
    /// looked for.
    pub(crate) async fn until_shown(
        &self,
        panel: &Panel,
        labels: &[(&str, &str)],
        is_it: impl Fn(f64) -> bool,
    ) {
        eventually(panel.title, async || {
            let samples = self.query(&asked(&panel.queries[0])).await;
            let has = |sample: &Sample| {
                let carries = |(name, value): &(&str, &str)| {
                    sample.labels.get(*name).is_some_and(|it| it == value)
                };
                labels.iter().all(carries) && is_it(sample.value)
            };
            samples.iter().any(has).then_some(())
        })
        .await;
    }

    /// Waits until the condition of an alert holds.
    pub(crate) async fn until_alerted(&self, name: &str) {
        eventually(name, async || self.is_alerted(name).await.then_some(())).await;
    }

    async fn api(&self, path: &str) -> Value {
        let (_, body) = self.get(path).await.expect("prometheus answers");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error} in {body}"))
    }

    /// Head and body of an answer; nothing if there is none.
    async fn get(&self, path: &str) -> Option<(String, String)> {
        let mut stream = TcpStream::connect(&self.address).await.ok()?;
        // Version 1.0: the body comes in one piece.
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.to_owned(), body.to_owned()))
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A copy of the configuration with other targets and a quicker pace.
fn configured(server: &str, loadgen: u16) -> TempDir {
    let server = server.strip_prefix("http://").unwrap();
    let server = server.strip_suffix("/metrics").unwrap();
    let copy = TempDir::new().unwrap();
    for file in ["prometheus.yml", "recording.rules.yml", "alerts.rules.yml"] {
        let mut text = fs::read_to_string(folder().join("prometheus").join(file)).unwrap();
        for (usual, here) in [
            ("127.0.0.1:9464", server),
            ("127.0.0.1:9465", &format!("127.0.0.1:{loadgen}")),
            ("_interval: 5s", "_interval: 250ms"),
            ("_interval: 1s", "_interval: 250ms"),
        ] {
            let is_there = file != "prometheus.yml" || text.contains(usual);
            assert!(is_there, "prometheus.yml has no {usual:?}");
            text = text.replace(usual, here);
        }
        fs::write(copy.path().join(file), text).unwrap();
    }
    copy
}

/// An expression over everything, and over the last minute.
pub(crate) fn asked(query: &Query) -> String {
    query.everywhere("1m", "15m")
}

fn sample(series: &Value) -> Sample {
    Sample {
        labels: serde_json::from_value(series["metric"].clone()).unwrap(),
        value: series["value"][1].as_str().unwrap().parse().unwrap(),
    }
}

/// Asks again until there is an answer, for as long as the patience lasts.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(answer) = ask().await {
            return answer;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("{what}: not within {PATIENCE:?}");
}
