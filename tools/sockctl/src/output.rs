//! Results on stdout, and the reader at the other end of it.

use std::{
    future::pending,
    io::{self, Write as _},
    os::fd::AsFd as _,
};

use anyhow::{Context as _, Result};
use tokio::{io::Interest, net::unix::pipe};

use crate::cli::Format;

/// Nobody reads stdout any more, as after `| head -1`: the end of the work, and no failure.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads the output any more")]
pub(crate) struct ReaderGone;

/// Prints results.
pub(crate) struct Output {
    format: Format,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format }
    }

    /// Prints one count, at once: whoever reads a pipe wants it now.
    pub(crate) fn print(&self, count: u64) -> Result<()> {
        let mut stdout = io::stdout().lock();
        let written = match self.format {
            Format::Text => writeln!(stdout, "{count}"),
            Format::Json => writeln!(stdout, r#"{{"count":{count}}}"#),
        };
        match written.and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
            other => other.context("cannot write to stdout"),
        }
    }
}

/// Returns when nobody reads stdout any more. Without this, `watch | head -1` would go on until the next count, however
/// late that comes.
pub(crate) async fn reader_gone() {
    if watch_reader().await.is_err() {
        // What cannot be polled, such as a file, has no reader that could go.
        pending::<()>().await;
    }
}

async fn watch_reader() -> io::Result<()> {
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    // Unchecked: the checked constructor makes the pipe non-blocking for everybody who shares it. Here it is only polled.
    let pipe = pipe::Sender::from_owned_fd_unchecked(stdout)?;
    pipe.ready(Interest::ERROR).await.map(drop)
}
