//! The threads of a run: which there are, in which process each runs, and which clients are its own.

use crate::plan::{Emitting, Plan};

/// What one thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Receives for the clients `first`, `first + step`, … of its cell.
    Receive {
        first: u32,
        step: u32,
    },
    Emit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lane {
    pub(crate) index: usize,
    pub(crate) worker: usize,
    pub(crate) cell: usize,
    pub(crate) role: Role,
}

impl Lane {
    pub(crate) fn name(&self) -> String {
        match self.role {
            Role::Receive { .. } => format!("receiver {}", self.index),
            Role::Emit => format!("emitter {}", self.index),
        }
    }
}

impl Plan {
    /// Every thread of the run, the same list in every process. Cells take turns over the workers.
    pub(crate) fn lanes(&self) -> Vec<Lane> {
        let cells = self.cells();
        let turns = if self.emitting == Emitting::Clients {
            0
        } else {
            self.workers.max(cells)
        };
        let receiving: Vec<(usize, usize)> = (0..turns)
            .flat_map(|turn| (0..self.threads).map(move |_| (turn % self.workers, turn % cells)))
            .collect();
        let of_cell =
            |cell: usize| receiving.iter().filter(move |lane| lane.1 == cell).count() as u32;
        let mut taken = vec![0; cells];
        let receivers = receiving.iter().map(|&(worker, cell)| {
            let first = taken[cell];
            taken[cell] += 1;
            (
                worker,
                cell,
                Role::Receive {
                    first,
                    step: of_cell(cell),
                },
            )
        });
        let emitters = (0..cells).map(|cell| (cell % self.workers, cell, Role::Emit));
        let receivers: Vec<_> = receivers.collect();
        let all = receivers
            .into_iter()
            .chain(emitters.filter(|(_, cell, _)| self.emitters_of(*cell) > 0));
        all.enumerate()
            .map(|(index, (worker, cell, role))| Lane {
                index,
                worker,
                cell,
                role,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    #[test]
    fn every_client_of_every_cell_has_exactly_one_lane() {
        for (targets, independent, workers, threads) in [
            (1, false, 1, 1),
            (2, false, 3, 2),
            (2, true, 2, 1),
            (3, true, 2, 2),
            (2, true, 1, 1),
        ] {
            let plan = plan(targets, independent, workers, threads);
            let mut clients = 0;
            for cell in 0..plan.cells() {
                let share = plan.share(plan.clients, cell);
                clients += share;
                let mut seen = vec![0; share as usize];
                for lane in plan.lanes().iter().filter(|lane| lane.cell == cell) {
                    if let Role::Receive { first, step } = lane.role {
                        (first..share)
                            .step_by(step as usize)
                            .for_each(|client| seen[client as usize] += 1);
                    }
                }
                assert!(
                    seen.iter().all(|&times| times == 1),
                    "{targets} {workers} {threads}"
                );
                assert_eq!(
                    plan.lanes()
                        .iter()
                        .filter(|lane| lane.cell == cell && lane.role == Role::Emit)
                        .count(),
                    1
                );
            }
            assert_eq!(clients, plan.clients);
            assert!(plan.lanes().iter().all(|lane| lane.worker < workers));
        }
    }
}
