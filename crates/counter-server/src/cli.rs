//! The command line: without a subcommand the server, with one the tools for people who must look at
//! a count or move it.

use std::io::{self, Write};

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};

use crate::Config;
use crate::store::{self, MAX_COUNT};

/// Serves one live number over Socket.IO.
///
/// Any client emits `increment`; every client receives `countUpdated <count>`. Open the printed
/// address in a browser for the page with the +1 button.
#[derive(Debug, Parser)]
#[command(name = "counter-server", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    config: Config,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at the stored count, or set it, without a server
    #[command(subcommand)]
    Store(StoreCommand),
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum StoreCommand {
    /// Print the stored count
    ///
    /// A file can only be read while no server has it open; ask a running server with `sockctl get`.
    Show,
    /// Set the stored count, and print it
    ///
    /// Keys that were counted above it are forgotten. A file is made if there is none, and must not be
    /// open in a server. Servers that share a Redis show a higher count at once; a lower one needs all
    /// of them stopped, because they raise it again to what their clients have seen.
    Set {
        /// The count, at most 9007199254740991, the greatest that every client reads exactly
        #[arg(value_parser = clap::value_parser!(u64).range(..=MAX_COUNT))]
        count: u64,
    },
}

impl Cli {
    /// Does what the command line asks for.
    ///
    /// # Errors
    /// What cannot be listened on, read, stored or started, with what to do about it.
    pub fn run(self) -> anyhow::Result<()> {
        let _points = crate::failpoint::from_environment();
        match self.command {
            None => crate::main(self.config),
            Some(Command::Store(command)) => command.run(&self.config.store()),
        }
    }
}

impl StoreCommand {
    fn run(self, settings: &store::Settings) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the runtime")?;
        let count = runtime.block_on(async {
            match self {
                Self::Show => match store::show(settings).await? {
                    Some(count) => Ok(count),
                    None => bail!("there is no count in {} yet", settings.address),
                },
                Self::Set { count } => {
                    store::set(settings, count).await?;
                    Ok(count)
                }
            }
        })?;
        writeln!(io::stdout(), "{count}").context("cannot print the count")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_with_subcommands_is_well_formed() {
        Cli::command().debug_assert();
    }
}
