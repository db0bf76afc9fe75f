//! The raw client as a program: phases in, a JSON report out.
//!
//! One thread, one epoll loop, no code of the product: it measures every server of the comparison with the same eyes.

use std::process::ExitCode;

use clap::Parser as _;
use peers::client::{Options, run};

fn main() -> ExitCode {
    let report = run(&Options::parse());
    match report.and_then(|report| Ok(serde_json::to_string_pretty(&report)?)) {
        Ok(json) => {
            println!("{json}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
