//! `sockctl` as a process, and what it prints.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

/// No test waits longer than this for a line or for the end.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a finished `sockctl` has left.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

/// A `sockctl` that runs; killed on drop.
pub(crate) struct Running {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// The program, without what the environment of the test may say.
pub(crate) fn sockctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sockctl"));
    command.env_remove("SOCKCTL_URL");
    command
}

/// Runs it against `url` to its end.
pub(crate) fn run(url: &str, args: &[&str]) -> Finished {
    Running::start(sockctl().args(["--url", url]).args(args)).finish()
}

/// The lines of a run that is to succeed, and to say nothing else.
pub(crate) fn lines(url: &str, args: &[&str]) -> Vec<String> {
    let finished = run(url, args);
    assert_eq!(
        (finished.code, &*finished.stderr),
        (Some(0), &[][..]),
        "{args:?}: {finished:?}"
    );
    finished.stdout
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = read(child.stdout.take().unwrap());
        let stderr = read(child.stderr.take().unwrap());
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// The next result.
    pub(crate) fn line(&mut self) -> String {
        next(&self.stdout)
            .unwrap_or_else(|| panic!("stdout ended; stderr: {:?}", rest(&self.stderr)))
    }

    /// The next line of stderr.
    pub(crate) fn note(&mut self) -> String {
        next(&self.stderr).expect("stderr goes on")
    }

    /// Waits for the end.
    pub(crate) fn finish(mut self) -> Finished {
        let (stdout, stderr) = (rest(&self.stdout), rest(&self.stderr));
        let status: ExitStatus = self.child.wait().unwrap();
        Finished {
            code: status.code(),
            stdout,
            stderr,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = sync_channel(10_000);
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// The next line, or nothing at the end.
fn next(lines: &Receiver<String>) -> Option<String> {
    match lines.recv_timeout(PATIENCE) {
        Ok(line) => Some(line),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => panic!("no line within {PATIENCE:?}"),
    }
}

fn rest(lines: &Receiver<String>) -> Vec<String> {
    std::iter::from_fn(|| next(lines)).collect()
}
