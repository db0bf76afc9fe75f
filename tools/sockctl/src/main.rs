//! Socket.IO from the shell: parses, runs the command, prints the error and picks the exit code.

mod backoff;
mod cli;
mod counter;
mod increment;
mod output;
mod reconnect;
mod watch;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

use crate::{
    cli::{Cli, Command},
    counter::Counter,
    output::{Output, ReaderGone},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = tokio::select! {
        outcome = run(Cli::parse()) => outcome,
        () = output::reader_gone() => Ok(()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // What `| head` wants is what it got.
        Err(error) if error.is::<ReaderGone>() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}{}", counter::advice(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    let (options, output) = (cli.options(), Output::new(cli.output));
    match cli.command {
        Command::Watch { lines } => watch::watch(&options, lines, &output).await,
        Command::Increment(times) => increment::increment(&options, &times, &output).await,
        Command::Get => {
            let mut counter = Counter::connect(&options).await?;
            output.print(counter.first_count().await?)?;
            counter.leave().await;
            Ok(())
        }
    }
}
