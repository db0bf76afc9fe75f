//! The command line, and nothing else: what can be said, with which defaults, and how `--help` explains it.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    plan::{Correlate, Driver, Transport},
    schedule::Spacing,
    source::Source,
    threshold::Threshold,
    values::{duration, rate, share, tolerance},
};

/// Puts load on a Socket.IO server and says how it behaved, and whether the measurement can be believed.
///
/// Thousands of clients connect and listen; emitters send on a fixed schedule; every arrival at every client is
/// measured from the planned instant. The result goes to stdout, everything else to stderr.
///
/// Exit codes: 0 done; 1 failed; 2 wrong usage; 3 a threshold was missed, or the run was invalid.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, max_term_width = 110, after_long_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Emitters emit, all clients receive: latency and losses
    Broadcast(Common),
    /// Clients connect: how fast, and how long until the first event
    Connect(Common),
    /// Clients connect and stay: heartbeats, and memory of the server with --server-pid
    Idle(Common),
    /// All clients emit and wait for acknowledgements: the round trip
    Ack(Common),
    /// All connections are cut at once without a close frame: how they come back
    Storm {
        #[command(flatten)]
        common: Common,
        /// Spread the return of the clients over this time
        #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
        spread: Duration,
    },
    /// Some clients stop reading: what the others notice, and how the slow ones catch up
    Slow {
        #[command(flatten)]
        common: Common,
        /// The share of the clients that stops reading, 0 to 1
        #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = share)]
        share: f64,
    },
    /// More and more clients until the limit breaks: the most that kept it
    Capacity {
        #[command(flatten)]
        common: Common,
        /// Clients more in each step, up to --clients
        #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
        step: u32,
        /// What each step has to keep
        #[arg(
            long,
            value_name = "THRESHOLD",
            default_value = "broadcast_latency:p(99)<100ms"
        )]
        limit: Threshold,
    },
    /// Compare two results (--json) and fail on a regression
    Compare(Compare),
    /// Print the JSON schema of the results
    Schema,
    /// Part of a run, started by loadgen itself
    #[command(hide = true)]
    Worker,
}

/// What all scenarios share.
#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) events: EventArgs,
    #[command(flatten)]
    pub(crate) machine: MachineArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(crate) struct TargetArgs {
    /// The server; several are several doors to the same counter
    #[arg(
        long,
        value_name = "URL",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:3000"
    )]
    pub(crate) url: Vec<String>,
    /// Several URLs are counters of their own, each with its own emitters
    #[arg(long)]
    pub(crate) independent: bool,
    /// Where Socket.IO listens on the server
    #[arg(long, value_name = "PATH", default_value = "/socket.io/")]
    pub(crate) path: String,
    /// The namespace that every client joins
    #[arg(long, value_name = "NAME", default_value = "/")]
    pub(crate) namespace: String,
    /// Sent when the namespace is joined
    #[arg(long, value_name = "JSON")]
    pub(crate) auth: Option<String>,
    /// A header of every handshake
    #[arg(long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// A query parameter of every handshake
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) query: Vec<String>,
    /// How clients come to their WebSocket
    #[arg(long, value_enum, default_value_t = Transport::Websocket)]
    pub(crate) transport: Transport,
    /// Trust the authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Believe whatever certificate the server shows
    #[arg(long, conflicts_with = "ca_file")]
    pub(crate) insecure: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
pub(crate) struct LoadArgs {
    /// Clients that receive; with `ack` they emit
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) clients: u32,
    /// Clients that only emit, for each counter; `ack` has none
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) emitters: u32,
    /// Emits per second, over all emitters [default: 10; storm: none]
    #[arg(long, value_name = "R", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// How long to emit, or to stay
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Emit for so long before anything is measured
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    pub(crate) warm_up: Duration,
    /// Closed loop: each emitter waits for the end of one emit before the next; --rate means nothing then
    #[arg(long, conflicts_with = "rate")]
    pub(crate) closed: bool,
    /// How emits follow one another
    #[arg(long, value_enum, default_value_t = Spacing::Even)]
    pub(crate) spacing: Spacing,
    /// Connections per second while clients connect [default: as fast as the server takes them]
    #[arg(long, value_name = "R", value_parser = rate)]
    pub(crate) connect_rate: Option<f64>,
    /// Connections that each thread opens at a time
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connect_concurrency: u32,
    /// Makes everything random repeatable
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// How long a client may take until it has joined its namespace
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) connect_timeout: Duration,
    /// How long an acknowledgement may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) ack_timeout: Duration,
    /// How long to wait for the last events
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) drain: Duration,
    /// How long clients that were cut off may take to come back
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) return_timeout: Duration,
}

/// How to correlate, with the choice left to loadgen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CorrelateArg {
    /// By value if the server acknowledges, else by position
    Auto,
    /// By the count: the acknowledgement of an emit tells it
    Value,
    /// By place: the k-th emit makes the k-th count
    Position,
    /// By an id in the payload, for servers that are no counter
    Payload,
}

impl From<CorrelateArg> for Option<Correlate> {
    fn from(arg: CorrelateArg) -> Self {
        match arg {
            CorrelateArg::Auto => None,
            CorrelateArg::Value => Some(Correlate::Value),
            CorrelateArg::Position => Some(Correlate::Position),
            CorrelateArg::Payload => Some(Correlate::Payload),
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Events")]
pub(crate) struct EventArgs {
    /// How an event that arrives is tied to the emit that caused it
    #[arg(long, value_enum, default_value_t = CorrelateArg::Auto)]
    pub(crate) correlate: CorrelateArg,
    /// The event that is emitted
    #[arg(long, value_name = "EVENT", default_value = "increment")]
    pub(crate) emit: String,
    /// The event that is expected at every client
    #[arg(long, value_name = "EVENT", default_value = "countUpdated")]
    pub(crate) expect: String,
    /// JSON of what is emitted, with {id}, {seq} and {size:N} (N characters) [default with --correlate payload:
    /// {"id":"{id}","seq":{seq}}]
    #[arg(long, value_name = "TEMPLATE")]
    pub(crate) payload: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "This machine")]
pub(crate) struct MachineArgs {
    /// Worker processes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) workers: u32,
    /// Receiving threads in each worker process. On a machine that the server shares, more of them get more of the CPU
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) threads: u32,
    /// Local addresses to connect from: addresses or ranges (127.0.0.0/28), for more clients than there are ports
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) source: Vec<Source>,
    /// The client that receives
    #[arg(long, value_enum, default_value_t = Driver::Epoll)]
    pub(crate) driver: Driver,
    /// The server's process on this machine: its CPU and memory become part of the report
    #[arg(long, value_name = "PID")]
    pub(crate) server_pid: Option<u32>,
    /// Niceness of loadgen, -20 to 19: below 0 it reads promptly even where the server keeps all CPUs busy; that needs root
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(i32).range(-20..=19))]
    pub(crate) nice: Option<i32>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Results")]
pub(crate) struct OutputArgs {
    /// Write the result as JSON (see `loadgen schema`); - for stdout instead of the text
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the latency of each second as an `HdrHistogram` log
    #[arg(long, value_name = "FILE")]
    pub(crate) hlog: Option<PathBuf>,
    /// Write a report with plots, in one file
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// A limit that the run has to keep, as `broadcast_latency:p(99)<50ms` or `lost:count==0`; exit code 3 if it does not
    #[arg(long, value_name = "THRESHOLD")]
    pub(crate) threshold: Vec<Threshold>,
    /// End the run as soon as a threshold on a percentile of `broadcast_latency` is broken; others are looked at in the end
    #[arg(long, requires = "threshold")]
    pub(crate) abort_on_fail: bool,
    /// Serve loadgen's own metrics for Prometheus while it runs, under /metrics; port 0 picks a free one
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    /// After the end wait so long for one more scrape of the metrics, the one with the final figures
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration, requires = "metrics")]
    pub(crate) metrics_linger: Duration,
    /// Show nothing while it runs
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Two results.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The result to compare with
    pub(crate) before: PathBuf,
    /// The result to judge
    pub(crate) after: PathBuf,
    /// How much worse a latency may be, as a share: 0.1 is a tenth
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = tolerance)]
    pub(crate) tolerance: f64,
    /// How much worse a latency may be in any case
    #[arg(long, value_name = "DURATION", default_value = "300us", value_parser = duration)]
    pub(crate) margin: Duration,
}

const EXAMPLES: &str = "\
Examples:
  loadgen broadcast --clients 1000 --rate 20 --duration 30s
  loadgen broadcast --threshold 'broadcast_latency:p(99)<50ms' --threshold 'lost:count==0' --json run.json --html run.html
  loadgen connect --clients 5000 --connect-rate 1000 --url https://counter.example.org
  loadgen capacity --clients 20000 --step 1000 --rate 5
  loadgen broadcast --correlate payload --emit chat --expect message
  loadgen compare before.json after.json";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
