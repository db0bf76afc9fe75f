//! The servers that take part, as data: a name, how to start it, which versions it is made of.

use std::process::Command;

use anyhow::{Context as _, Result};

use super::machine;
use super::places::Places;

/// A server that takes part.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// As the command line and the table call it.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    command: fn(&Places) -> Result<Command>,
    versions: fn(&Places) -> Vec<String>,
}

/// The name of the one that ratios refer to.
pub(crate) const FLOOR: &str = "floor";

const PEERS: [Peer; 5] = [
    Peer {
        name: "ours",
        about: "counter-server, memory store",
        command: |places| {
            let mut command = places.ours()?;
            command.args(["--port", "0", "--store", "memory", "--admin", "off"]);
            Ok(command)
        },
        versions: |places| vec![machine::version(places.ours(), &["--version"])],
    },
    Peer {
        name: FLOOR,
        about: "single-threaded epoll, one pre-encoded frame, one send per client and count",
        command: |places| places.own("floor"),
        versions: |_| Vec::new(),
    },
    Peer {
        name: "plain-socketioxide",
        about: "the tutorial ported as is: io.emit in the handler",
        command: |places| places.own("plain-socketioxide"),
        versions: |_| vec![machine::crate_version("socketioxide")],
    },
    Peer {
        name: "node",
        about: "the tutorial on stock Express and socket.io",
        command: |_| Places::on_node(),
        versions: |_| {
            vec![
                machine::version(Places::on_node(), &["--version"]),
                machine::npm_version("node", "socket.io"),
            ]
        },
    },
    Peer {
        name: "bun",
        about: "the tutorial on Bun with its Socket.IO engine",
        command: |_| Places::on_bun(),
        versions: |_| {
            vec![
                machine::version(Places::on_bun(), &["--version"]),
                machine::npm_version("bun", "@socket.io/bun-engine"),
            ]
        },
    },
];

impl Peer {
    /// The one with this name.
    pub fn named(name: &str) -> Result<Self> {
        let known = || PEERS.map(|peer| peer.name).join(", ");
        PEERS
            .into_iter()
            .find(|peer| peer.name == name)
            .with_context(|| format!("no server is called '{name}'; there are {}", known()))
    }

    /// The command that starts it on a free port. Fails with the command that makes what is missing.
    pub fn command(&self, places: &Places) -> Result<Command> {
        let mut command = (self.command)(places)?;
        command.env("PORT", "0");
        Ok(command)
    }

    /// The versions that it is made of.
    pub(crate) fn versions(&self, places: &Places) -> String {
        (self.versions)(places).join(", ")
    }
}
