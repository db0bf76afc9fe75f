//! A counter-server in a process of its own, as the store's tests need it: it can be killed at any
//! moment, and its log, metrics and readiness can be asked for.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::admin;

/// How long anything may take on a machine that compiles meanwhile.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A running server; killed with SIGKILL on drop.
pub(crate) struct Node {
    child: Child,
    url: String,
    admin: String,
    log: Arc<Mutex<String>>,
}

impl Node {
    /// A server on free ports that keeps its count in `store`.
    pub(crate) fn start(store: &str) -> Self {
        Self::spawn(Self::command(store))
            .unwrap_or_else(|log| panic!("no server on {store}: {log}"))
    }

    /// What `start` runs, for tests that change it.
    pub(crate) fn command(store: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_counter-server"));
        command.args(["--port", "0", "--admin", "127.0.0.1:0", "--store", store]);
        command
    }

    /// The server, or what it wrote before it ended.
    pub(crate) fn spawn(mut command: Command) -> Result<Self, String> {
        let mut child = command
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server's binary starts");
        let stdout = child.stdout.take().expect("piped above");
        let stderr = child.stderr.take().expect("piped above");
        let log = Arc::<Mutex<String>>::default();
        // From here on a panic drops the guard, and with it the process.
        let mut node = Self {
            child,
            url: String::new(),
            admin: String::new(),
            log: log.clone(),
        };
        let (announced, announcement) = mpsc::sync_channel(2);
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.for_each(|line| drop(announced.send(line)));
        });
        let logging = thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|length| length > 0) {
                log.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        let next = |prefix: &str| {
            let line = announcement.recv_timeout(PATIENCE).ok()?;
            Some(line.strip_prefix(prefix)?.to_owned())
        };
        let Some((url, admin)) = next("server is running on ").zip(next("metrics on http://"))
        else {
            let _ = node.child.kill();
            logging.join().expect("reading the log does not panic");
            return Err(node.log());
        };
        node.url = url;
        admin
            .trim_end_matches("/metrics")
            .clone_into(&mut node.admin);
        Ok(node)
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// What it has written to stderr.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// SIGKILL: no handler, no flush, nothing.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// SIGTERM, and waits for its end.
    pub(crate) fn stop(mut self) {
        kill_process(self.pid(), Signal::TERM).expect("it is ours and not waited for yet");
        self.child.wait().expect("it is ours");
    }

    /// Waits until it has ended by itself.
    #[cfg(feature = "failpoints")]
    pub(crate) async fn ends(&mut self) -> std::process::ExitStatus {
        eventually("the server ends", async || {
            self.child.try_wait().expect("it is ours")
        })
        .await
    }

    /// The answer of the admin listener, head and body.
    async fn get(&self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        let mut stream = TcpStream::connect(&self.admin).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    pub(crate) async fn is_ready(&self) -> bool {
        self.get("/ready").await.starts_with("HTTP/1.1 200")
    }

    pub(crate) async fn becomes_ready(&self, ready: bool) {
        eventually("readiness changes", async || {
            (self.is_ready().await == ready).then_some(())
        })
        .await;
    }

    /// The value of a metric, or of all that differ only in their labels together.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        admin::sum(&self.get("/metrics").await, name)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the server with a subcommand to its end: exit code, stdout, stderr.
pub(crate) fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_counter-server"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("the server's binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Asks again until there is an answer, for as long as the patience lasts.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, asking)
        .await
        .unwrap_or_else(|_| panic!("{what}: not within {PATIENCE:?}"))
}
