//! Rounds: every server in turn gets the same load from the same client. Each round begins with another server, so that
//! what drifts on the machine does not always meet the same one.

use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use super::machine::Machine;
use super::peer::Peer;
use super::places::Places;
use super::scenario::Scenario;
use super::server::Server;
use super::table;
use crate::client::{Report, allow_open_files};

/// What one server did in one round.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) server: &'static str,
    /// From 1.
    pub(crate) round: usize,
    #[serde(flatten)]
    pub(crate) result: Measured,
}

/// Figures, or why there are none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measured {
    Report(Box<Report>),
    Error(String),
}

/// Everything about one scenario. As JSON it holds the report of every single run.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    scenario: &'static str,
    about: &'static str,
    clients: usize,
    phases: String,
    rounds: usize,
    machine: Machine,
    servers: Vec<(&'static str, String)>,
    outcomes: Vec<Outcome>,
}

/// Runs all rounds of a scenario. `say` gets a line before each run.
pub(crate) fn compare(
    scenario: Scenario,
    peers: &[Peer],
    rounds: usize,
    places: &Places,
    mut say: impl FnMut(&str),
) -> Result<Comparison> {
    ensure!(
        rounds > 0 && !peers.is_empty(),
        "a comparison needs at least one round and one server"
    );
    scenario.phases()?;
    // The servers inherit the limit.
    allow_open_files(scenario.clients)?;
    places.own("raw-client")?;
    for peer in peers {
        peer.command(places)?;
    }
    let machine = Machine::look();
    let mut outcomes = Vec::with_capacity(rounds * peers.len());
    for round in 1..=rounds {
        for turn in 0..peers.len() {
            let peer = peers[(turn + round - 1) % peers.len()];
            say(&format!(
                "{}: round {round} of {rounds}: {}",
                scenario.name, peer.name
            ));
            let result = match measure(scenario, peer, places) {
                Ok(report) => Measured::Report(Box::new(report)),
                Err(error) => Measured::Error(format!("{error:#}")),
            };
            outcomes.push(Outcome {
                server: peer.name,
                round,
                result,
            });
        }
    }
    Ok(Comparison {
        scenario: scenario.name,
        about: scenario.about,
        clients: scenario.clients,
        phases: scenario.phases.to_owned(),
        rounds,
        machine,
        servers: peers
            .iter()
            .map(|peer| (peer.name, describe(*peer, places)))
            .collect(),
        outcomes,
    })
}

fn describe(peer: Peer, places: &Places) -> String {
    let versions = peer.versions(places);
    if versions.is_empty() {
        peer.about.to_owned()
    } else {
        format!("{} ({versions})", peer.about)
    }
}

fn measure(scenario: Scenario, peer: Peer, places: &Places) -> Result<Report> {
    let server = Server::start(&mut peer.command(places)?)?;
    let mut client = places.own("raw-client")?;
    client.args([
        "--url",
        server.url(),
        "--server-pid",
        &server.id().to_string(),
        "--limit",
        "3m",
    ]);
    client.args([
        "--clients",
        &scenario.clients.to_string(),
        "--in-flight",
        &scenario.in_flight.to_string(),
    ]);
    client.args(scenario.phases.split_whitespace());
    let output = client
        .stdin(Stdio::null())
        .output()
        .context("cannot run raw-client")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{}",
        said.trim().trim_start_matches("error: ")
    );
    serde_json::from_slice(&output.stdout).context("raw-client printed no report")
}

impl Comparison {
    /// What it ran on and the table, in Markdown.
    #[must_use]
    pub(crate) fn describe(&self) -> String {
        let Self {
            scenario,
            about,
            clients,
            phases,
            rounds,
            machine,
            servers,
            outcomes,
        } = self;
        let names: Vec<&str> = servers.iter().map(|(name, _)| *name).collect();
        let list: Vec<String> = servers
            .iter()
            .map(|(name, about)| format!("- {name}: {about}"))
            .collect();
        format!(
            "### {scenario}: {about}\n\n{}\n{clients} clients, {phases}; rounds: {rounds}, interleaved\n\n{}\n\n{}",
            machine.describe(),
            list.join("\n"),
            table::render(&names, outcomes)
        )
    }
}
