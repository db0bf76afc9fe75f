//! A server process for the time of one run: started, known by the address that it prints, and ended by its id.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use rustix::process::{Signal, set_parent_process_death_signal};

const START: Duration = Duration::from_secs(30);
const PRINTED: &str = "server is running on ";

/// A running server. Dropping it ends the process.
#[derive(Debug)]
pub struct Server {
    process: Child,
    url: String,
}

impl Server {
    /// Starts it and waits for the address that it prints.
    pub fn start(command: &mut Command) -> Result<Self> {
        let shown = format!("{command:?}");
        die_with_this_thread(command);
        let process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut server = Self {
            process: process.with_context(|| format!("cannot start {shown}"))?,
            url: String::new(),
        };
        let stdout = server
            .process
            .stdout
            .take()
            .context("the server has no stdout")?;
        let (printed, address) = sync_channel(1);
        // Reads to the end, so that the server never blocks on a full pipe; ends with the process.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(url) = line.strip_prefix(PRINTED) {
                    let _ = printed.try_send(url.to_owned());
                }
            }
        });
        server.url = match address.recv_timeout(START) {
            Ok(url) => url,
            Err(RecvTimeoutError::Timeout) => {
                bail!("{shown} did not say within {START:?} that it runs")
            }
            Err(RecvTimeoutError::Disconnected) => {
                bail!("{shown} ended before it said that it runs; start it by hand to see why")
            }
        };
        Ok(server)
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Has the kernel end the server when the thread that starts it ends, however that comes: a server that is left behind
/// would take part in every later measurement.
#[allow(unsafe_code)]
fn die_with_this_thread(command: &mut Command) {
    // SAFETY: between fork and exec the closure makes one system call (prctl), which is async-signal-safe; it allocates
    // nothing and touches no memory of the parent.
    unsafe {
        command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
