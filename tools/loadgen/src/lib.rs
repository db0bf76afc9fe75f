//! A load generator for Socket.IO servers that can be believed: an open schedule, latency at every receiver from the
//! planned instant to the arrival in the kernel, exact counts of what went missing, and a verdict on the run itself.
//!
//! A run is planned (`setup`, `plan`, `scenario`), conducted (`run`) over a board in shared memory (`board`, `ledger`)
//! that lanes in threads and worker processes follow (`driver`), measured (`measure`), judged (`verdict`) and told
//! (`report`); what can be seen meanwhile is `live` and `metrics`.

mod board;
mod buckets;
mod capacity;
mod cli;
mod compare;
mod driver;
mod lane;
mod ledger;
mod limits;
mod live;
mod measure;
mod metrics;
mod patience;
mod plan;
mod report;
mod run;
mod scenario;
mod schedule;
mod sentence;
mod server;
mod setup;
mod shared;
mod slot;
mod source;
mod tally;
mod target;
mod threshold;
mod time;
mod usage;
mod values;
mod verdict;
mod worker;

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Context as _;

pub use cli::Cli;

use crate::{
    capacity::EarlyEnd,
    cli::{Command, Common, OutputArgs},
    live::View,
    metrics::Metrics,
    report::Report,
    run::Outcome,
    server::Server,
    setup::Setup,
};

/// A threshold was missed, a result got worse, or the run is invalid.
const MISSED: u8 = 3;

/// The command line cannot be meant.
const WRONG_USAGE: u8 = 2;

/// The exit code for an error of [`run`].
#[must_use]
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<usage::WrongUsage>() {
        ExitCode::from(WRONG_USAGE)
    } else {
        ExitCode::FAILURE
    }
}

/// Does what the command line says: the exit code for whatever is no error.
pub fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    match &cli.command {
        Command::Worker => worker::serve()?,
        Command::Schema => print(&serde_json::to_string_pretty(&schemars::schema_for!(
            Report
        ))?)?,
        Command::Compare(options) => {
            let (before, after) = (
                compare::read(&options.before)?,
                compare::read(&options.after)?,
            );
            let comparison = compare::compare(&before, &after, options);
            print(&comparison.lines.join("\n"))?;
            return Ok(if comparison.regressed {
                ExitCode::from(MISSED)
            } else {
                ExitCode::SUCCESS
            });
        }
        scenario => {
            if let Some(common) = setup::common(scenario) {
                return measure(scenario, common);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(scenario: &Command, common: &Common) -> anyhow::Result<ExitCode> {
    let output = &common.output;
    if let Some(niceness) = common.machine.nice {
        limits::be_nice(niceness)?;
    }
    let server = common.machine.server_pid.map(Server::new).transpose()?;
    let Setup { plan, notes } = setup::prepare(scenario, common)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The first one ends the run with a report, the second one at once.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&interrupted))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupted)))
            .context("cannot watch for signals")?;
    }
    let metrics = output.metrics.map(Metrics::listen).transpose()?;
    if let Some(metrics) = &metrics {
        eprintln!("metrics on {}", metrics.url());
    }
    let view = View::new(output.quiet, limits::raise_open_files()?, metrics.as_ref());
    let limit = plan.limit.as_deref().and_then(|limit| limit.parse().ok());
    let abort_on = if output.abort_on_fail {
        output.threshold.clone()
    } else {
        Vec::new()
    };
    let mut judge = EarlyEnd::new(limit, abort_on);
    let outcome = run::run(&plan, &view, &mut judge, server.as_ref(), &interrupted);
    view.close();
    let outcome = outcome?;
    let report = Report::new(&plan, &outcome, &output.threshold, notes);
    if let Some(metrics) = &metrics {
        metrics.end(report.verdict.state);
    }
    deliver(&report, &outcome, output)?;
    if let Some(metrics) = &metrics {
        metrics.linger(output.metrics_linger);
    }
    Ok(if report.has_failed() {
        ExitCode::from(MISSED)
    } else {
        ExitCode::SUCCESS
    })
}

fn deliver(report: &Report, outcome: &Outcome, output: &OutputArgs) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(report)?;
    let to_stdout = output.json.as_deref() == Some(Path::new("-"));
    let text = if to_stdout {
        json.clone()
    } else {
        report::text(report)
    };
    print(&text)?;
    if let Some(path) = output.json.as_deref().filter(|_| !to_stdout) {
        write(path, json.as_bytes())?;
    }
    if let Some(path) = &output.html {
        write(path, report::html(report).as_bytes())?;
    }
    if let Some(path) = &output.hlog {
        let mut log = Vec::new();
        report::write_hlog(outcome, &mut log)?;
        write(path, &log)?;
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// A reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to stdout")
        }
        _ => Ok(()),
    }
}
