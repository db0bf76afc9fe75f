//! A server in a process of its own, which ends with the test that started it.

use std::{
    io::{self, BufRead as _, BufReader, Read as _},
    process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::build;

/// How long a server may take until it says its address, on a machine that compiles meanwhile.
const START_PATIENCE: Duration = Duration::from_mins(1);
/// How every server of this repository says that it accepts.
const READY: &str = "server is running on ";
/// How ours says where its admin listener is, on the line after.
const ADMIN: &str = "metrics on ";

/// A running server; killed on drop.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    url: String,
    lines: mpsc::Receiver<String>,
}

impl ServerProcess {
    /// The workspace's own server, built if need be. Without flags of the test's it gets a free port, keeps its count
    /// in memory and opens no admin listener.
    ///
    /// # Panics
    /// If it cannot be built or does not start; the message has what it wrote to stderr.
    #[must_use]
    pub fn counter_server(args: &[&str]) -> Self {
        Self::counter_server_by(Command::new(build::counter_server()), args)
    }

    /// The same, started by `sh` after it has run `first`: for limits and signals that a process inherits.
    ///
    /// # Panics
    /// As there.
    #[must_use]
    pub fn counter_server_after(first: &str, args: &[&str]) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!(r#"{first}; exec "$0" "$@""#)]);
        shell.arg(build::counter_server());
        Self::counter_server_by(shell, args)
    }

    fn counter_server_by(mut command: Command, args: &[&str]) -> Self {
        for (flag, value) in [("--port", "0"), ("--store", "memory"), ("--admin", "off")] {
            if !args.contains(&flag) {
                command.args([flag, value]);
            }
        }
        command.args(args);
        Self::start(command)
    }

    /// The tutorial's own server: stock socket.io on Node, on a free port. It never acknowledges.
    ///
    /// # Panics
    /// If Node or the npm packages are missing, with the command that installs them.
    #[must_use]
    pub fn tutorial() -> Self {
        Self::tutorial_on(0)
    }

    /// As [`ServerProcess::tutorial`], on `port`: to take the place of one that was stopped.
    ///
    /// # Panics
    /// As there.
    #[must_use]
    pub fn tutorial_on(port: u16) -> Self {
        let mut command = Command::new("node");
        command.arg(build::tutorial()).env("PORT", port.to_string());
        Self::start(command)
    }

    /// `http://127.0.0.1:PORT`, as the server printed it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `http://127.0.0.1:PORT/metrics` of a counter-server that was started with an admin listener. Asks once: what is
    /// printed is read.
    ///
    /// # Panics
    /// If the server does not print it.
    #[must_use]
    pub fn metrics_url(&self) -> String {
        let line = self.lines.recv_timeout(START_PATIENCE);
        let url = line
            .ok()
            .and_then(|line| line.strip_prefix(ADMIN).map(str::to_owned));
        url.expect("a server with an admin listener prints its address")
    }

    /// The port of the address.
    ///
    /// # Panics
    /// If the server printed an address without one.
    #[must_use]
    pub fn port(&self) -> u16 {
        let port = self
            .url
            .rsplit(':')
            .next()
            .and_then(|port| port.trim_end_matches('/').parse().ok());
        port.unwrap_or_else(|| panic!("no port in {}", self.url))
    }

    /// The process id, to measure or to signal.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to end (SIGTERM), and waits until it has.
    ///
    /// # Panics
    /// If it cannot be signalled or waited for.
    #[expect(clippy::must_use_candidate, reason = "most tests only want it gone")]
    pub fn stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::TERM)
            .expect("the process is ours and not waited for yet");
        self.child.wait().expect("the process is ours")
    }

    fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!(
                "cannot start {}: {error}; install what is missing with: bash tools/test.sh",
                command.get_program().display()
            )
        });
        let stdout = child.stdout.take().expect("piped above");
        let stderr = child.stderr.take().expect("piped above");
        let lines = lines(stdout);
        // From here on a panic drops the guard, and with it the process.
        let mut server = Self {
            child,
            url: String::new(),
            lines,
        };
        let log = keep(stderr);
        let first = server.lines.recv_timeout(START_PATIENCE);
        let Some(url) = first
            .ok()
            .and_then(|line| line.strip_prefix(READY).map(str::to_owned))
        else {
            let _ = server.child.kill();
            let log = log.join().unwrap_or_default();
            panic!(
                "{command:?} did not say {READY:?} within {START_PATIENCE:?}; its stderr:\n{log}"
            );
        };
        server.url = url;
        server
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads stdout to its end, so that the server never blocks on it, and hands over its first lines. The channel ends when
/// the server does.
fn lines(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(2);
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = sender.try_send(line);
        }
    });
    receiver
}

/// Reads stderr to its end, and keeps its first 16 KiB.
fn keep(mut stderr: ChildStderr) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut log = Vec::new();
        let _ = stderr.by_ref().take(16 << 10).read_to_end(&mut log);
        let _ = io::copy(&mut stderr, &mut io::sink());
        String::from_utf8_lossy(&log).into_owned()
    })
}
