//! Everything a run needs to know, decided before it begins: what the command line said, checked and resolved. Worker
//! processes receive it as JSON.

use std::net::{IpAddr, SocketAddr};

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{board::Layout, scenario::Phase, time::Nanos};

/// How an arriving event is tied to the emit that caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Correlate {
    /// By the count in it, which the acknowledgement of the emit told.
    Value,
    /// By its place: the k-th emit of a phase makes the k-th count after the one before it.
    Position,
    /// By an id in its payload.
    Payload,
}

impl Correlate {
    pub(crate) fn stream(self) -> Stream {
        if self == Self::Payload {
            Stream::Messages
        } else {
            Stream::Counter
        }
    }
}

/// What the numbers of the expected events mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// A count stands for all counts before it.
    Counter,
    /// Each message stands for itself.
    Messages,
}

/// How a client comes to its WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    /// At once.
    Websocket,
    /// Beginning with HTTP long-polling, like browsers.
    Upgrade,
}

/// Which client receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Driver {
    /// loadgen's own: one epoll loop per thread.
    Epoll,
    /// The stock Rust client (needs a build with the feature of that name).
    RustSocketio,
}

/// Who emits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Emitting {
    /// So many in each cell, apart from the clients.
    Apart(u32),
    /// The clients themselves: nobody else emits, and nobody only receives.
    Clients,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The run's id.
    pub(crate) run: String,
    pub(crate) scenario: String,
    pub(crate) phases: Vec<Phase>,
    pub(crate) targets: Vec<Target>,
    /// Each target is a counter of its own; else all of them are doors to one.
    pub(crate) independent: bool,
    pub(crate) clients: u32,
    pub(crate) emitting: Emitting,
    /// Worker processes; with one, the lanes run in the process that conducts.
    pub(crate) workers: usize,
    /// Receiving threads per worker process.
    pub(crate) threads: usize,
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) transport: Transport,
    pub(crate) namespace: String,
    /// JSON text that goes with CONNECT.
    pub(crate) auth: Option<String>,
    pub(crate) tls: Tls,
    pub(crate) correlate: Correlate,
    /// Whether emits ask for an acknowledgement.
    pub(crate) ack: bool,
    /// JSON text of the emitted event's name.
    pub(crate) emit: String,
    /// JSON text of the expected event's name.
    pub(crate) expect: String,
    /// JSON text of the emitted argument, with its placeholders.
    pub(crate) payload: Option<String>,
    pub(crate) seed: u64,
    pub(crate) connect_timeout: Nanos,
    pub(crate) ack_timeout: Nanos,
    pub(crate) drain: Nanos,
    /// How long clients that were cut off may take to return.
    pub(crate) return_timeout: Nanos,
    /// Connections that one lane opens at a time.
    pub(crate) concurrency: usize,
    pub(crate) driver: Driver,
    /// What each step of a search has to keep.
    pub(crate) limit: Option<String>,
    /// Whether a client has to hear the expected event before it counts as there.
    pub(crate) greeted: bool,
}

/// One server address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    /// For TLS, its name; `None`: in clear.
    pub(crate) tls_name: Option<String>,
    /// `Host:` header.
    pub(crate) host: String,
    /// Path with query, without the parameters of Engine.IO; ends with `?` or `&`.
    pub(crate) path: String,
    /// Whole header lines, each with its line end.
    pub(crate) headers: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tls {
    pub(crate) insecure: bool,
    /// A PEM file of authorities instead of the system's.
    pub(crate) ca_file: Option<std::path::PathBuf>,
}

impl Plan {
    pub(crate) fn cells(&self) -> usize {
        if self.independent {
            self.targets.len()
        } else {
            1
        }
    }

    /// The targets that the clients of a cell are spread over.
    pub(crate) fn targets_of(&self, cell: usize) -> &[Target] {
        if self.independent {
            &self.targets[cell..=cell]
        } else {
            &self.targets
        }
    }

    /// Of `clients` over all cells, those of this one.
    pub(crate) fn share(&self, clients: u32, cell: usize) -> u32 {
        let cells = self.cells() as u32;
        clients / cells + u32::from((cell as u32) < clients % cells)
    }

    /// When the connection of this index is to be opened, of those that a cell opens from `start` on; `rate`: over all
    /// cells. `None`: as soon as the server takes it.
    pub(crate) fn opens_at(&self, rate: Option<f64>, start: Nanos, index: u32) -> Option<Nanos> {
        let rate = rate? / self.cells() as f64;
        Some(start + (f64::from(index) / rate * 1e9) as Nanos)
    }

    /// How many emit in this cell.
    pub(crate) fn emitters_of(&self, cell: usize) -> u32 {
        match self.emitting {
            Emitting::Apart(emitters) => emitters,
            Emitting::Clients => self.share(self.clients, cell),
        }
    }

    /// How many emit in each cell, apart from the clients.
    pub(crate) fn emitters_apart(&self) -> u32 {
        match self.emitting {
            Emitting::Apart(emitters) => emitters,
            Emitting::Clients => 0,
        }
    }

    pub(crate) fn layout(&self) -> Layout {
        // As many emits as may be on their way when the drain ends; the receivers of a stalled server look far back.
        let waiting = (self.drain + self.ack_timeout) as f64 / 1e9 + 20.0;
        let rates = self
            .phases
            .iter()
            .filter_map(|phase| phase.publish)
            .map(|publish| {
                let guess = if publish.closed {
                    10_000.0
                } else {
                    publish.rate
                };
                (guess * waiting).min(guess * publish.length as f64 / 1e9 * 2.0)
            });
        let emits = rates.fold(1_024.0, f64::max).min(f64::from(1 << 20));
        Layout {
            cells: self.cells(),
            lanes: self.lanes().len(),
            ledger: (emits as usize).next_power_of_two(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn plan(targets: usize, independent: bool, workers: usize, threads: usize) -> Plan {
        let target = Target {
            url: "http://127.0.0.1:3000".into(),
            address: "127.0.0.1:3000".parse().unwrap(),
            tls_name: None,
            host: "127.0.0.1:3000".into(),
            path: "/socket.io/?".into(),
            headers: String::new(),
        };
        Plan {
            run: "test".into(),
            scenario: "broadcast".into(),
            phases: Vec::new(),
            targets: vec![target; targets],
            independent,
            clients: 1_001,
            emitting: Emitting::Apart(1),
            workers,
            threads,
            sources: Vec::new(),
            transport: Transport::Websocket,
            namespace: "/".into(),
            auth: None,
            tls: Tls::default(),
            correlate: Correlate::Value,
            ack: true,
            emit: "\"increment\"".into(),
            expect: "\"countUpdated\"".into(),
            payload: None,
            seed: 0,
            connect_timeout: 1,
            ack_timeout: 1,
            drain: 1,
            return_timeout: 1,
            concurrency: 10,
            driver: Driver::Epoll,
            limit: None,
            greeted: true,
        }
    }
}
