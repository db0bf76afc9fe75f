//! A real redis-server on a free port, which loses nothing that it acknowledges, and to which a test can
//! do what happens to servers.

#![expect(
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "all of it panics when a test cannot go on"
)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread;

use redis::FromRedisValue;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// How redis-server says that it accepts.
const READY: &str = "Ready to accept connections";

/// A running redis-server; killed on drop.
pub struct RedisServer {
    data: TempDir,
    port: u16,
    settings: Vec<String>,
    url: String,
    process: Option<Child>,
}

impl RedisServer {
    /// With `appendonly yes` and `appendfsync always`.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With settings that override these, such as `["--requirepass", "secret"]`; `PORT` stands for the
    /// port that was found.
    pub fn start_with(settings: &[&str]) -> Self {
        // Between asking for a free port and using it another process may take it.
        for _ in 0..5 {
            let mut server = Self::new(free_port(), settings);
            if server.try_run() {
                return server;
            }
        }
        panic!("redis-server does not start with {settings:?}");
    }

    fn new(port: u16, settings: &[&str]) -> Self {
        Self {
            data: TempDir::new().expect("a temporary directory can be made"),
            port,
            settings: settings
                .iter()
                .map(|setting| setting.replace("PORT", &port.to_string()))
                .collect(),
            url: format!("redis://127.0.0.1:{port}"),
            process: None,
        }
    }

    /// Starts it again, on the same port, with what its disk has.
    pub fn run(&mut self) {
        assert!(self.try_run(), "redis-server does not start again");
    }

    fn try_run(&mut self) -> bool {
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args([
                "--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            ])
            .args(&self.settings)
            .current_dir(self.data.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server starts; install what is missing with: bash tools/test.sh");
        let stdout = child.stdout.take().expect("piped above");
        self.process = Some(child);
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let ready = lines.any(|line| line.contains(READY));
        thread::spawn(move || lines.for_each(drop));
        ready
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Both fail only if it has ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Stops it in the middle of whatever it does; its connections stay open.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after `pause`.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let process = self.process.as_ref().expect("it runs");
        kill_process(Pid::from_child(process), signal).expect("it is ours and not waited for");
    }

    /// Kills it, and loses what was on its disk.
    pub fn lose_everything(&mut self) {
        self.kill();
        let lost = self.data.path().join("appendonlydir");
        fs::remove_dir_all(lost).expect("it had an append-only file");
    }

    /// Runs one command.
    pub async fn command<T: FromRedisValue>(&self, command: &[&str]) -> T {
        let client = redis::Client::open(self.url()).expect("the URL is one");
        let connection = client.get_multiplexed_async_connection().await;
        let mut connection = connection.expect("redis-server accepts");
        let (name, arguments) = command.split_first().expect("a command has a name");
        let answer = redis::cmd(name)
            .arg(arguments)
            .query_async(&mut connection)
            .await;
        answer.unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
