//! A server process for the time of one run: started, known by the address that it prints, and ended by its id.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

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

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
