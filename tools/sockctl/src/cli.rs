//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use socketio_client::{Error, Options};

/// Use a live Socket.IO counter from the shell
///
/// Counts go to stdout, one per line; notes and errors go to stderr.
#[derive(Debug, Parser)]
#[command(version, after_long_help = EXAMPLES)]
pub(crate) struct Cli {
    /// The server: http, https, ws or wss
    ///
    /// A path in the URL names a namespace, and a query goes to the server.
    #[arg(long, global = true, display_order = 100, env = "SOCKCTL_URL", default_value = "http://127.0.0.1:3000", value_parser = url)]
    url: Options,

    /// How results are printed
    #[arg(long, global = true, display_order = 100, value_enum, default_value_t = Format::Text)]
    pub(crate) output: Format,

    /// How long the server may take to let the client in, and then to answer each request
    #[arg(long, global = true, display_order = 100, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    timeout: Duration,

    #[command(subcommand)]
    pub(crate) command: Command,
}

impl Cli {
    /// The server to connect to, and how long each step may take.
    pub(crate) fn options(&self) -> Options {
        let mut options = self.url.clone();
        options.connect_timeout = self.timeout;
        options.ack_timeout = self.timeout;
        options
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print every count as it comes, from the current one on
    ///
    /// When the connection is lost, it is made again as often as it takes, with a note on stderr. After that the count
    /// goes on with the server's current one.
    Watch {
        /// Leave after N counts
        #[arg(short = 'n', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        lines: Option<u64>,
    },
    /// Add one to the counter, and print the count that the server acknowledged
    Increment(Increment),
    /// Print the current count, and leave
    Get,
}

/// How to increment.
#[derive(Debug, Args)]
pub(crate) struct Increment {
    /// Increment N times, one after the other
    #[arg(short = 'n', value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) times: u64,

    /// A name for this increment: however often it is sent, the server counts it once
    ///
    /// Without it each increment gets a name of its own. Give one to ask for the count of an earlier attempt whose answer
    /// was lost, or to make a script safe to repeat. A server that does not know keys, as the tutorial's, counts every time.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["times", "no_ack"])]
    pub(crate) key: Option<String>,

    /// How long to try to connect again, if the connection is lost before the server has answered
    ///
    /// Then the increment is sent again with the same key, so that it counts once; that takes a server which knows keys,
    /// as counter-server does. If the server is seen to count without answering, nothing is sent twice. 0s: nothing is
    /// ever sent again, and without --key no key is sent either, for servers that know none.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) retry_for: Duration,

    /// Do not ask for an acknowledgement; print the next higher count that the server sends to everyone
    ///
    /// For servers that never acknowledge. If others increment at the same time, the count may be theirs. Nothing is sent
    /// again when the connection is lost.
    #[arg(long)]
    pub(crate) no_ack: bool,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// The count alone
    Text,
    /// One JSON object per line: {"count":7}
    Json,
}

fn url(text: &str) -> Result<Options, String> {
    Options::new(text).map_err(|error| match error {
        // clap repeats the URL itself.
        Error::Url { reason, .. } => reason,
        other => other.to_string(),
    })
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("it must be a time above zero with its unit, as 10s or 500ms"),
    }
}

const EXAMPLES: &str = "\
Examples:
  sockctl get
  sockctl watch -n 5 --url https://counter.example.org
  sockctl increment -n 3 --output json
  sockctl watch | while read count; do echo \"now $count\"; done

Exit codes: 0 done; 1 failed, with one line on stderr; 2 wrong usage.";
