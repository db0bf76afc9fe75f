//! `just compare`: every server in turn under the same load of the same raw client, and one table.
//!
//! It runs programs that must be there already, and says the command that makes one that is missing:
//!   cargo build --release -p peers -p counter-server
//!   npm ci --prefix benches/peers/node
//!   npm ci --prefix benches/peers/bun
//! The table (Markdown) goes to stdout with what it ran on, progress to stderr, every single report to `--json FILE`.
//! Exit code 0: measured, whatever the figures are; 1: could not measure; 2: wrong usage.

use std::process::ExitCode;

use clap::Parser as _;
use peers::compare::{Arguments, run};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
