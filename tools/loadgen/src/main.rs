//! The program: parses, runs, prints the error if there is one, picks the exit code.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    loadgen::run(&loadgen::Cli::parse()).unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        loadgen::exit_code(&error)
    })
}
