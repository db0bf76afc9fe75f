//! The command line of `compare`, and what it comes to.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;

use super::peer::Peer;
use super::places::Places;
use super::round::compare;
use super::scenario::{SCENARIOS, Scenario};

/// Compare counter-server with the floor, plain socketioxide, Node and Bun under the same load.
#[derive(Debug, Parser)]
#[command(after_help = described())]
pub struct Arguments {
    /// Loads, separated by commas; `all` for all of them
    #[arg(long, value_delimiter = ',', default_value = "steady-1k")]
    scenario: Vec<String>,
    /// Rounds; each begins with another server
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Servers that take part, separated by commas: ours, floor, plain-socketioxide, node, bun
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Another number of clients than the scenario's
    #[arg(long)]
    clients: Option<usize>,
    /// Other phases than the scenario's, in the words of `raw-client --help`
    #[arg(long)]
    phases: Option<String>,
    /// The release binary of counter-server; by default the one beside this program
    #[arg(long)]
    ours: Option<PathBuf>,
    /// Write every single report to this file too
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Arguments {
    fn scenarios(&self) -> Result<Vec<Scenario<'static>>> {
        if self.scenario == ["all"] {
            return Ok(SCENARIOS.to_vec());
        }
        self.scenario
            .iter()
            .map(|name| Scenario::named(name))
            .collect()
    }
}

fn described() -> String {
    SCENARIOS
        .iter()
        .fold("SCENARIOS\n".to_owned(), |text, scenario| {
            text + &format!(
                "  {:<13} {}\n  {:<13}   {}\n",
                scenario.name, scenario.about, "", scenario.phases
            )
        })
}

/// Runs the comparisons that are asked for, and prints each when it is complete.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut places = Places::beside_this_program()?;
    if let Some(ours) = &arguments.ours {
        places.ours.clone_from(ours);
    }
    let mut comparisons = Vec::new();
    for mut scenario in arguments.scenarios()? {
        scenario.clients = arguments.clients.unwrap_or(scenario.clients);
        scenario.phases = arguments.phases.as_deref().unwrap_or(scenario.phases);
        let peers = if arguments.only.is_empty() {
            peers(scenario.servers)?
        } else {
            peers(&arguments.only)?
        };
        let comparison = compare(scenario, &peers, arguments.rounds, &places, |line| {
            eprintln!("{line}");
        })?;
        println!("{}", comparison.describe());
        comparisons.push(comparison);
        // After each scenario, so that an interrupted run leaves those that are complete.
        if let Some(path) = &arguments.json {
            let json = serde_json::to_vec_pretty(&comparisons)?;
            std::fs::write(path, json)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

fn peers(names: &[impl AsRef<str>]) -> Result<Vec<Peer>> {
    names
        .iter()
        .map(|name| Peer::named(name.as_ref()))
        .collect()
}
