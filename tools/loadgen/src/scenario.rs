//! Scenarios as data: a list of phases, each an action on all clients, an optional stream of emits, and a length. One
//! engine runs them all; it never asks which scenario it is.

use serde::{Deserialize, Serialize};

use crate::{schedule::Spacing, time::Nanos};

/// What the clients do when a phase begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) enum Action {
    /// Those that are connected stay.
    Hold,
    /// So many clients (over all lanes) are connected at the end, at this rate per second if one is given.
    Open { clients: u32, rate: Option<f64> },
    /// All connections are reset without a close frame, and come back spread over this time.
    Cut { spread: Nanos },
    /// This share of the clients stops reading.
    Stop { share: f64 },
    /// Those that had stopped read again, until they are at the newest event.
    Resume,
}

/// A stream of emits during a phase.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Publish {
    /// Emits per second, over all emitters of a cell.
    pub(crate) rate: f64,
    pub(crate) spacing: Spacing,
    pub(crate) length: Nanos,
    /// Closed loop: the next emit waits for the end of the one before; `rate` means nothing.
    pub(crate) closed: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phase {
    pub(crate) name: String,
    /// Whether the phase counts for the result; else it only prepares.
    pub(crate) measured: bool,
    pub(crate) action: Action,
    pub(crate) publish: Option<Publish>,
    /// How long it lasts at least.
    pub(crate) hold: Nanos,
    /// Steps of a search: the run ends after the first one that fails the limit.
    pub(crate) step: bool,
}

impl Phase {
    pub(crate) fn new(name: &str, action: Action) -> Self {
        Self {
            name: name.to_owned(),
            measured: false,
            action,
            publish: None,
            hold: 0,
            step: false,
        }
    }

    /// Before so much time nobody can be done with it.
    pub(crate) fn least(&self) -> Nanos {
        self.hold
            .max(self.publish.map_or(0, |publish| publish.length))
    }

    pub(crate) fn measured(self) -> Self {
        Self {
            measured: true,
            ..self
        }
    }

    pub(crate) fn hold(self, hold: Nanos) -> Self {
        Self { hold, ..self }
    }

    pub(crate) fn publish(self, publish: Option<Publish>) -> Self {
        Self { publish, ..self }
    }

    fn step(self) -> Self {
        Self { step: true, ..self }
    }
}

/// What all scenarios are made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) clients: u32,
    /// Connections per second while opening; `None`: as fast as the server takes them.
    pub(crate) open_rate: Option<f64>,
    pub(crate) warm_up: Nanos,
    /// `None` where nothing is emitted.
    pub(crate) publish: Option<Publish>,
    pub(crate) length: Nanos,
}

impl Load {
    fn opening(&self) -> Phase {
        Phase::new(
            "open",
            Action::Open {
                clients: self.clients,
                rate: self.open_rate,
            },
        )
    }

    fn warming_up(&self) -> Option<Phase> {
        let publish = self.publish.map(|publish| Publish {
            length: self.warm_up,
            ..publish
        });
        (self.warm_up > 0).then(|| Phase::new("warm-up", Action::Hold).publish(publish))
    }

    fn prepared(&self) -> Vec<Phase> {
        [Some(self.opening()), self.warming_up()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn publishing(&self, name: &str, action: Action) -> Phase {
        Phase::new(name, action).publish(self.publish).measured()
    }
}

pub(crate) fn broadcast(load: &Load) -> Vec<Phase> {
    let mut phases = load.prepared();
    phases.push(load.publishing("broadcast", Action::Hold));
    phases
}

pub(crate) fn ack(load: &Load) -> Vec<Phase> {
    let mut phases = load.prepared();
    phases.push(load.publishing("acknowledgements", Action::Hold));
    phases
}

pub(crate) fn connect(load: &Load) -> Vec<Phase> {
    vec![load.opening().measured()]
}

pub(crate) fn idle(load: &Load) -> Vec<Phase> {
    vec![
        load.opening(),
        Phase::new("idle", Action::Hold)
            .hold(load.length)
            .measured(),
    ]
}

pub(crate) fn storm(load: &Load, spread: Nanos) -> Vec<Phase> {
    let after = Phase::new("after", Action::Hold)
        .publish(load.publish)
        .measured();
    let mut phases = load.prepared();
    phases.push(Phase::new("storm", Action::Cut { spread }).measured());
    phases.extend(load.publish.map(|_| after));
    phases
}

pub(crate) fn slow(load: &Load, share: f64) -> Vec<Phase> {
    let mut phases = load.prepared();
    phases.push(load.publishing("all reading", Action::Hold));
    phases.push(load.publishing("some stopped", Action::Stop { share }));
    phases.push(Phase::new("reading again", Action::Resume).measured());
    phases
}

/// `step` clients more at a time, up to all of them.
pub(crate) fn capacity(load: &Load, step: u32) -> Vec<Phase> {
    let steps =
        (1..=load.clients.div_ceil(step.max(1))).map(|index| (index * step).min(load.clients));
    steps
        .flat_map(|clients| {
            let open = Phase::new(
                &format!("open {clients}"),
                Action::Open {
                    clients,
                    rate: load.open_rate,
                },
            );
            [
                open,
                load.publishing(&format!("{clients} clients"), Action::Hold)
                    .step(),
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    fn load() -> Load {
        let publish = Publish {
            rate: 5.0,
            spacing: Spacing::Even,
            length: 10 * SECOND,
            closed: false,
        };
        Load {
            clients: 250,
            open_rate: None,
            warm_up: SECOND,
            publish: Some(publish),
            length: 10 * SECOND,
        }
    }

    #[test]
    fn the_warm_up_is_not_measured_and_the_broadcast_is() {
        let seen: Vec<_> = broadcast(&load())
            .iter()
            .map(|phase| (phase.name.clone(), phase.measured))
            .collect();
        assert_eq!(
            seen,
            [
                ("open".into(), false),
                ("warm-up".into(), false),
                ("broadcast".into(), true)
            ]
        );
        assert_eq!(
            broadcast(&Load {
                warm_up: 0,
                ..load()
            })
            .len(),
            2
        );
    }

    #[test]
    fn capacity_ends_on_exactly_all_clients() {
        let targets: Vec<_> = capacity(&load(), 100)
            .iter()
            .filter_map(|phase| match phase.action {
                Action::Open { clients, .. } => Some(clients),
                _ => None,
            })
            .collect();
        assert_eq!(targets, [100, 200, 250]);
    }
}
