//! `cargo run -p dashboards`: writes `grafana/*.json` from `src/`; with `links` it prints a page for
//! Prometheus' folder of consoles, which shows the same queries without Grafana.

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments[..] {
        [] => dashboards::write(),
        ["links"] => {
            print!("{}", dashboards::links());
            Ok(())
        }
        _ => {
            eprintln!("usage: dashboards [links]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
