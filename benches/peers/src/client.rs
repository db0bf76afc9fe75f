//! The raw client: one epoll loop, thousands of connections, exact counts, latency from the planned instant.
//!
//! Options in, report out. `fleet` owns the loop and the connections, `watch` what the present phase expects and measures,
//! `tally` what one connection received, `run` the order of things.

mod connection;
mod fleet;
mod options;
mod phase;
mod polling;
mod process;
mod report;
mod run;
mod tally;
mod target;
mod totals;
mod watch;

pub use options::Options;
pub use phase::Phase;
pub use process::allow_open_files;
pub use report::{Burst, Connected, Continued, Latency, PhaseReport, Report, ServerUse, Upgraded};
pub use run::run;
pub use target::Target;
pub use totals::Totals;
