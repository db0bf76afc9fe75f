//! The scenarios, as data. Each is a number of clients and the phases of the raw client.

use anyhow::{Context as _, Result, ensure};

use crate::client::Phase;

/// A load that every server gets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scenario<'a> {
    /// As the command line calls it.
    pub(crate) name: &'static str,
    /// What it shows.
    pub(crate) about: &'static str,
    /// Clients that connect by WebSocket.
    pub(crate) clients: usize,
    /// Clients that connect at one time.
    pub(crate) in_flight: usize,
    /// The phases, separated by spaces.
    pub(crate) phases: &'a str,
    /// The servers that take part unless others are asked for.
    pub(crate) servers: &'static [&'static str],
}

const ALL: &[&str] = &["ours", "floor", "plain-socketioxide", "node", "bun"];
/// Without the floor: it cannot poll, and a million single sends a second are beyond any CPU.
const SOCKETIO: &[&str] = &["ours", "plain-socketioxide", "node", "bun"];
/// Bursts that would take the others minutes.
const FAST: &[&str] = &["ours"];

/// So many clients connect at one time where connecting is not what the scenario is about. The kernel refuses none of them.
const GENTLE: usize = 512;

/// All scenarios that have a name.
pub(crate) const SCENARIOS: &[Scenario<'static>] = &[
    Scenario {
        name: "steady-1k",
        about: "1,000 clients, 50 increments/s, then bursts of 200",
        clients: 1000,
        in_flight: GENTLE,
        phases: "idle:2s warm:50/s,2s steady:50/s,10s burst:200x5",
        servers: ALL,
    },
    Scenario {
        name: "steady-10k",
        about: "10,000 clients, 4 increments/s",
        clients: 10_000,
        in_flight: GENTLE,
        phases: "idle:3s warm:4/s,2s steady:4/s,10s",
        servers: ALL,
    },
    Scenario {
        name: "burst-200",
        about: "1,000 clients, ten bursts of 200 increments",
        clients: 1000,
        in_flight: GENTLE,
        phases: "idle:1s warm:50/s,1s burst:200x10",
        servers: ALL,
    },
    Scenario {
        name: "burst-5000",
        about: "1,000 clients, bursts of 5,000 increments",
        clients: 1000,
        in_flight: GENTLE,
        phases: "idle:1s warm:50/s,1s burst:5000x2",
        servers: ALL,
    },
    Scenario {
        name: "flood",
        about: "1,000 clients, 1,000 increments/s: a million deliveries a second",
        clients: 1000,
        in_flight: GENTLE,
        phases: "idle:1s warm:50/s,1s steady:1000/s,10s",
        servers: SOCKETIO,
    },
    Scenario {
        name: "full",
        about: "19,500 clients, 2 increments/s",
        clients: 19_500,
        in_flight: GENTLE,
        phases: "idle:5s warm:2/s,2s steady:2/s,10s",
        servers: ALL,
    },
    Scenario {
        name: "storm",
        about: "19,000 clients connect at once, are cut off, and come back at once",
        clients: 19_000,
        in_flight: usize::MAX,
        phases: "idle:2s storm steady:1/s,3s",
        servers: ALL,
    },
    Scenario {
        name: "stopped",
        about: "1,000 of 5,000 clients stop reading, 2,000 counts go by, and they continue",
        clients: 5000,
        in_flight: GENTLE,
        phases: "idle:1s warm:4/s,2s steady:4/s,10s stop:1000 burst:1000x2 steady:4/s,10s continue",
        servers: ALL,
    },
    Scenario {
        name: "stopped-full",
        about: "1,000 of 5,000 clients stop reading until their sockets are full, and continue within --max-behind",
        clients: 5000,
        in_flight: GENTLE,
        phases: "idle:1s warm:4/s,2s steady:4/s,10s stop:1000 burst:5000x4 steady:4/s,3s continue",
        servers: FAST,
    },
    Scenario {
        name: "stopped-gone",
        about: "1,000 of 5,000 clients stop reading for longer than the stall timeout",
        clients: 5000,
        in_flight: GENTLE,
        phases: "idle:1s warm:4/s,2s steady:4/s,10s stop:1000 burst:5000x8 steady:4/s,30s continue",
        servers: FAST,
    },
    Scenario {
        name: "upgrade",
        about: "150 clients begin with polling and upgrade beside 50, under 200 increments/s",
        clients: 50,
        in_flight: GENTLE,
        phases: "idle:1s upgrade:200/s,10s,150",
        servers: SOCKETIO,
    },
];

impl Scenario<'_> {
    /// The one with this name.
    pub(crate) fn named(name: &str) -> Result<Scenario<'static>> {
        let known = || {
            SCENARIOS
                .iter()
                .map(|scenario| scenario.name)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let found = SCENARIOS
            .iter()
            .find(|scenario| scenario.name == name)
            .copied();
        found.with_context(|| format!("no scenario is called '{name}'; there are {}", known()))
    }

    /// The phases, read.
    pub(crate) fn phases(&self) -> Result<Vec<Phase>> {
        let phases: Vec<Phase> = self
            .phases
            .split_whitespace()
            .map(str::parse)
            .collect::<Result<_>>()?;
        ensure!(!phases.is_empty(), "a scenario has at least one phase");
        Ok(phases)
    }
}

#[cfg(test)]
mod tests {
    use super::super::peer::Peer;
    use super::*;

    #[test]
    fn every_scenario_has_phases_that_can_be_read_and_servers_that_exist() {
        for scenario in SCENARIOS {
            scenario
                .phases()
                .unwrap_or_else(|error| panic!("{}: {error:#}", scenario.name));
            for server in scenario.servers {
                Peer::named(server).unwrap();
            }
        }
    }
}
