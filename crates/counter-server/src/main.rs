//! The binary: parses, calls the library, prints the error and picks the exit code.

use std::process::ExitCode;

use clap::Parser;
use counter_server::Cli;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
