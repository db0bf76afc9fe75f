//! `cargo run -p dashboards`: writes `grafana/*.json` from `src/`.

use std::process::ExitCode;

fn main() -> ExitCode {
    match dashboards::write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
