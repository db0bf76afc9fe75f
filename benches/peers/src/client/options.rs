//! The command line of `raw-client`.

use std::time::Duration;

use clap::Parser;

use super::phase::Phase;
use super::target::Target;

/// Measure a counter over Socket.IO with thousands of clients in one epoll loop, and print a JSON report.
#[derive(Debug, Clone, Parser)]
#[command(after_help = "PHASES, run in the order given:\n  \
    idle:2s                nobody emits; then the server's memory is looked at\n  \
    warm:50/s,2s           as steady, before the figures count\n  \
    steady:50/s,10s        one client emits on an open schedule\n  \
    burst:200x5            200 increments in one write, five times\n  \
    stop:1000, continue    the last 1,000 clients read nothing; they read again\n  \
    storm                  all connections are reset and come back at once\n  \
    upgrade:200/s,10s,300  a steady load, while 300 clients come by polling and upgrade")]
pub struct Options {
    /// Server to measure, on this machine, as it says itself: `http://127.0.0.1:PORT`
    #[arg(long)]
    pub url: Target,
    /// Clients that connect by WebSocket at the start
    #[arg(long, default_value_t = 1000)]
    pub clients: usize,
    /// Clients that connect at one time; all by default
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    pub in_flight: usize,
    /// Process id of the server, to see its CPU time and memory
    #[arg(long)]
    pub server_pid: Option<u32>,
    /// Wait no longer than this for counts that do not come, while the server is idle
    #[arg(long, default_value = "2s", value_parser = humantime::parse_duration)]
    pub quiet: Duration,
    /// Wait no longer than this for clients to connect, and for a phase to end after its last increment
    #[arg(long, default_value = "2m", value_parser = humantime::parse_duration)]
    pub limit: Duration,
    /// What to do, see below
    #[arg(required = true)]
    pub phases: Vec<Phase>,
}
