//! Clients whose whole process stands still: their kernel still answers, but takes no more.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::admin::Watched;
use crate::raw::Raw;

/// A client in a process of its own, which prints each count that it receives.
const CLIENT: &str = r#"
import re, socket, sys
host, port = sys.argv[1].rsplit(":", 1)
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.connect((host, int(port)))
def frame(text):
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode()
s.sendall(b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    + frame("40"))
unread = b""
while True:
    data = s.recv(65536)
    if not data:
        break
    unread += data
    end = unread.rfind(b"]") + 1
    for count in re.findall(rb'42\["countUpdated",(\d+)\]', unread[:end]):
        print(int(count), flush=True)
    unread = unread[end:]
"#;

struct Client {
    process: Child,
    counts: std::io::Lines<BufReader<ChildStdout>>,
}

impl Client {
    fn start(url: &str) -> Self {
        let mut process = Command::new("python3")
            .args(["-c", CLIENT, url.strip_prefix("http://").unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs; install it with: bash tools/test.sh");
        let stdout = process.stdout.take().unwrap();
        Self {
            process,
            counts: BufReader::new(stdout).lines(),
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    fn next_count(&mut self) -> Option<u64> {
        self.counts
            .next()
            .map(|line| line.unwrap().parse().unwrap())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_client_misses_nothing_and_slows_nobody() {
    let server = Watched::start(&["--send-buffer", "4"]);
    let mut quick = Raw::connect(server.url()).await;
    let mut stopped = Client::start(server.url());
    assert_eq!(stopped.next_count(), Some(0));
    stopped.signal(Signal::STOP);
    for round in 1..=9 {
        quick.increment(1_000).await;
        quick.counts_until(round * 1_000).await;
    }
    server.wait_for("counter_connections_behind", 1).await;
    stopped.signal(Signal::CONT);
    for count in 1..=9_000 {
        assert_eq!(stopped.next_count(), Some(count));
    }
    server.wait_for("counter_connections_behind", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_stopped_for_longer_than_the_stall_timeout_is_gone() {
    let server = Watched::start(&["--send-buffer", "4", "--stall-timeout", "1s"]);
    let mut quick = Raw::connect(server.url()).await;
    quick.next_count().await;
    let descriptors = server.descriptors();
    let mut stopped = Client::start(server.url());
    assert_eq!(stopped.next_count(), Some(0));
    stopped.signal(Signal::STOP);
    for round in 1..=5 {
        quick.increment(1_000).await;
        quick.counts_until(round * 1_000).await;
    }
    server.wait_for_a_stalled_client(descriptors).await;
}
