//! What Prometheus gets: read while it runs and after its end, and compared with the report.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStderr, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use test_support::ServerProcess;

use crate::program::{count, run, spawn};

/// A loadgen whose metrics can be read; killed on drop.
struct Running {
    child: Child,
    address: String,
    /// Kept open: it goes on to write there.
    stderr: BufReader<ChildStderr>,
}

impl Running {
    fn start(arguments: &str) -> Self {
        let mut child = spawn(&format!("{arguments} --metrics 127.0.0.1:0"));
        let mut stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("the first line");
        let address = line.trim_end().strip_prefix("metrics on http://");
        let address = address.and_then(|rest| rest.strip_suffix("/metrics"));
        Self {
            address: address.unwrap_or_else(|| panic!("{line}")).to_owned(),
            child,
            stderr,
        }
    }

    fn scrape(&self) -> Scrape {
        let (head, body) = get(&self.address, "/metrics");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains("Content-Type: text/plain; version=0.0.4"),
            "{head}"
        );
        Scrape(body)
    }

    /// The first scrape in which `sum` of `name` is as wanted.
    fn until(&self, name: &str, labels: &[&str], wanted: impl Fn(u64) -> bool) -> Scrape {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            let scrape = self.scrape();
            if wanted(scrape.sum(name, labels)) {
                return scrape;
            }
            std::thread::yield_now();
        }
        panic!("{name} {labels:?}: {}", self.scrape().0);
    }

    /// Waits for the report on stdout.
    fn report(&mut self) -> Value {
        let stdout = self.child.stdout.as_mut().expect("it is piped");
        let mut values = serde_json::Deserializer::from_reader(stdout).into_iter();
        values.next().expect("a report").expect("JSON")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("the endpoint is there");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    let (head, body) = text.split_once("\r\n\r\n").expect("HTTP");
    (head.to_owned(), body.to_owned())
}

/// The text of one scrape.
struct Scrape(String);

impl Scrape {
    /// Over all series of `name` with these labels; all of loadgen's but the sums of durations are whole numbers.
    fn sum(&self, name: &str, labels: &[&str]) -> u64 {
        let series = self.0.lines().filter(|line| {
            line.split(['{', ' ']).next() == Some(name)
                && labels.iter().all(|label| line.contains(label))
        });
        let value = |line: &str| {
            line.rsplit(' ')
                .next()
                .and_then(|value| value.parse::<u64>().ok())
        };
        series
            .map(|line| value(line).expect("a whole number"))
            .sum()
    }

    fn is_clean(&self) {
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool starts; install it with: bash tools/test.sh");
        let mut stdin = promtool.stdin.take().expect("it is piped");
        stdin.write_all(self.0.as_bytes()).expect("promtool reads");
        drop(stdin);
        let output = promtool.wait_with_output().expect("promtool ends");
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success() && said.is_empty(),
            "{}",
            String::from_utf8_lossy(&said)
        );
    }
}

#[test]
fn the_metrics_tell_the_run_while_it_lasts_and_its_end_once_more() {
    let server = ServerProcess::counter_server(&[]);
    let mut running = Running::start(&format!(
        "broadcast -q --url {} --clients 21 --workers 2 --rate 50 --duration 3s --json - --metrics-linger 60s",
        server.url()
    ));
    let phase = r#"phase="broadcast""#;
    let during = running.until("loadgen_deliveries_received_total", &[phase], |sum| sum > 0);
    during.is_clean();
    assert_eq!(during.sum("loadgen_clients", &[r#"state="held""#]), 21);
    assert_eq!(during.sum("loadgen_clients", &[]), 21);
    assert_eq!(
        during.sum("loadgen_max_fds", &[]) / during.sum("loadgen_max_fds", &[r#"worker="0""#]),
        2
    );
    assert!(during.sum("loadgen_open_fds", &[]) > 21);
    assert_eq!(during.sum("loadgen_verdict", &[]), 1);

    let report = running.report();
    let after = running.scrape();
    after.is_clean();
    let run = format!("run={}", report["setup"]["run"]);
    for (name, counted) in [
        ("loadgen_emits_scheduled_total", "planned"),
        ("loadgen_emits_sent_total", "sent"),
        ("loadgen_deliveries_expected_total", "expected"),
        ("loadgen_deliveries_received_total", "delivered"),
        ("loadgen_broadcast_latency_seconds_count", "delivered"),
        ("loadgen_ack_latency_seconds_count", "acked"),
        ("loadgen_send_lag_seconds_count", "sent"),
        ("loadgen_deliveries_lost_total", "lost"),
    ] {
        let sum = after.sum(name, &[phase, &run]);
        assert_eq!(sum, count(&report, counted), "{name}: {}", after.0);
    }
    assert_eq!(
        after.sum("loadgen_connect_seconds_count", &[r#"phase="open""#]),
        21
    );
    let state = report["verdict"]["state"]
        .as_str()
        .expect("a state")
        .to_lowercase();
    assert_eq!(
        after.sum("loadgen_verdict", &[&format!("verdict=\"{state}\"")]),
        1
    );
    // It has lingered for this scrape, and not for a minute.
    let began = Instant::now();
    assert!(running.child.wait().expect("it ends").success());
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn planted_faults_a_storm_and_stopped_clients_show_in_the_metrics() {
    let faulty = crate::planted::Server::start(crate::planted::Faults {
        plant: |count, client| match (client, count % 10) {
            (4, 3) => Some(crate::planted::Plant::Drop),
            (5, 5) => Some(crate::planted::Plant::Repeat),
            (6, 7) => Some(crate::planted::Plant::Swap),
            _ => None,
        },
        ..Default::default()
    });
    let load = "--clients 10 --rate 100 --duration 1s --json - --metrics-linger 60s";
    let mut running = Running::start(&format!("broadcast -q --url {} {load}", faulty.url()));
    let report = running.report();
    let after = running.scrape();
    let phase = r#"phase="broadcast""#;
    let seen: BTreeMap<&str, u64> = [
        ("skipped", "loadgen_deliveries_lost_total"),
        ("repeated", "loadgen_deliveries_repeated_total"),
        ("out_of_order", "loadgen_deliveries_out_of_order_total"),
    ]
    .map(|(counted, name)| (counted, after.sum(name, &[phase])))
    .into();
    for (counted, sum) in seen {
        assert_eq!((counted, sum), (counted, count(&report, counted)));
        assert!(sum > 5, "{counted}");
    }

    let server = ServerProcess::counter_server(&[]);
    let mut running = Running::start(&format!("storm -q --url {} {load}", server.url()));
    running.report();
    assert_eq!(
        running
            .scrape()
            .sum("loadgen_reconnects_total", &[r#"phase="storm""#]),
        10
    );

    let running = Running::start(&format!(
        "slow -q --url {} --share 0.3 {load}",
        server.url()
    ));
    let stopped = running.until("loadgen_clients", &[r#"state="stopped""#], |sum| sum > 0);
    assert_eq!(stopped.sum("loadgen_clients", &[r#"state="stopped""#]), 3);
    assert_eq!(stopped.sum("loadgen_clients", &[r#"state="held""#]), 7);
}

#[test]
fn an_address_that_is_taken_is_told_and_nobody_waits_for_a_scrape_for_ever() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    let server = ServerProcess::counter_server(&[]);
    let connect = format!("connect -q --url {} --clients 1", server.url());
    let refused = run(&format!("{connect} --metrics {address}"));
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.starts_with(&format!(
            "error: cannot listen on {address} for --metrics; try 127.0.0.1:0: "
        )),
        "{}",
        refused.stderr
    );
    let mut alone = Running::start(&format!("{connect} --metrics-linger 2s"));
    let (head, _) = get(&alone.address, "/");
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    assert!(alone.child.wait().expect("it ends").success());
    let mut rest = String::new();
    alone.stderr.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "");
}
