//! What the machine allows, checked before the run begins: open files, local ports, pending connections. What can be
//! raised is raised; otherwise the error names the command that helps.

use std::{fs, net::IpAddr};

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};

use crate::{
    lane::Role,
    plan::{Plan, Transport},
};

/// Files that a process has open apart from connections: standard streams, epoll sets, timers, libraries.
const OTHERS: u64 = 64;

/// The limit as it is now.
pub(crate) fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Raises the soft limit to the hard one: the limit from now on.
pub(crate) fn raise_open_files() -> std::io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if limit.current.is_some_and(|current| current < most) {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        )?;
    }
    Ok(most)
}

/// Changes the niceness of this thread, and so of every thread and process that it starts.
pub(crate) fn be_nice(niceness: i32) -> anyhow::Result<()> {
    setpriority_process(None, niceness).with_context(|| {
        format!("cannot change the niceness to {niceness}; run loadgen as root, or without --nice")
    })
}

/// Fails if the run cannot go well on this machine; gives what may go wrong.
pub(crate) fn check(plan: &Plan) -> anyhow::Result<Vec<String>> {
    let files = raise_open_files()?;
    check_files(plan, files)?;
    let ports = numbers("/proc/sys/net/ipv4/ip_local_port_range");
    if let [low, high, ..] = ports[..] {
        check_ports(plan, high.saturating_sub(low) + 1)?;
    }
    let backlog = numbers("/proc/sys/net/core/somaxconn")
        .first()
        .copied()
        .unwrap_or(u64::MAX);
    Ok(backlog_warning(plan, backlog).into_iter().collect())
}

fn numbers(path: &str) -> Vec<u64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// Connections of the worker that has most of them.
fn connections(plan: &Plan) -> u64 {
    let lanes = plan.lanes();
    let of = |worker: usize| {
        let here = lanes.iter().filter(|lane| lane.worker == worker);
        here.map(|lane| match lane.role {
            Role::Receive { first, step } => {
                let clients = plan.share(plan.clients, lane.cell);
                let mine = u64::from(clients.saturating_sub(first).div_ceil(step));
                // While a client moves from polling to its WebSocket it has two connections.
                mine + if plan.transport == Transport::Upgrade {
                    mine.min(plan.concurrency as u64)
                } else {
                    0
                }
            }
            Role::Emit => {
                u64::from(plan.emitters_of(lane.cell))
                    * if plan.transport == Transport::Upgrade {
                        2
                    } else {
                        1
                    }
            }
        })
        .sum()
    };
    (0..plan.workers).map(of).max().unwrap_or(0)
}

fn check_files(plan: &Plan, limit: u64) -> anyhow::Result<()> {
    let needed = connections(plan) + OTHERS;
    if needed <= limit {
        return Ok(());
    }
    let workers =
        (connections(plan) * plan.workers as u64).div_ceil(limit.saturating_sub(OTHERS).max(1));
    anyhow::bail!(
        "{} connections in one process need {needed} open files, and the limit is {limit}; \
         run `ulimit -n {needed}` first (as root), or spread them: --workers {workers}",
        connections(plan)
    )
}

/// Each pair of source and target address has its own ports.
fn check_ports(plan: &Plan, ports: u64) -> anyhow::Result<()> {
    let targets = plan
        .targets
        .iter()
        .map(|target| target.address)
        .collect::<std::collections::BTreeSet<_>>();
    let sources = plan
        .sources
        .iter()
        .collect::<std::collections::BTreeSet<_>>()
        .len()
        .max(1) as u64;
    let emitters = u64::from(plan.emitters_apart()) * plan.cells() as u64;
    let needed = u64::from(plan.clients) + emitters;
    let available = ports * sources * targets.len() as u64;
    if needed <= available {
        return Ok(());
    }
    let missing = needed.div_ceil(ports * targets.len() as u64);
    let loopback = targets.iter().all(|target| target.ip().is_loopback());
    let range =
        (1..=missing).map(|host| IpAddr::from([127, 0, (host >> 8) as u8, host as u8]).to_string());
    let example = if loopback {
        range.collect::<Vec<_>>().join(",")
    } else {
        "ADDRESS,ADDRESS,…".into()
    };
    anyhow::bail!(
        "{needed} connections need more local ports than the {available} there are; \
         use {missing} source addresses: --source {example}, or run \
         `sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"` (as root)"
    )
}

fn backlog_warning(plan: &Plan, backlog: u64) -> Option<String> {
    let at_once = plan.lanes().len() as u64 * plan.concurrency as u64;
    (at_once > backlog && plan.targets.iter().any(|target| target.address.ip().is_loopback())).then(|| {
        format!(
            "{at_once} connections may be opened at once, but this machine keeps at most {backlog} waiting for a \
             server; run `sysctl -w net.core.somaxconn={at_once}` (as root) or lower --connect-concurrency"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    #[test]
    fn too_few_files_are_an_error_with_the_commands_that_help() {
        let mut plan = plan(1, false, 1, 2);
        plan.clients = 30_000;
        assert_eq!(connections(&plan), 30_001);
        assert!(check_files(&plan, 40_000).is_ok());
        let error = check_files(&plan, 20_000).unwrap_err().to_string();
        assert!(
            error.contains("ulimit -n 30065") && error.contains("--workers 2"),
            "{error}"
        );
        plan.workers = 2;
        assert!(check_files(&plan, 20_000).is_ok());
    }

    #[test]
    fn too_few_ports_are_an_error_that_names_enough_source_addresses() {
        let mut plan = plan(1, false, 1, 1);
        plan.clients = 70_000;
        let error = check_ports(&plan, 28_000).unwrap_err().to_string();
        assert!(
            error.contains("--source 127.0.0.1,127.0.0.2,127.0.0.3,"),
            "{error}"
        );
        plan.sources = (1..=3)
            .map(|host| IpAddr::from([127, 0, 0, host]))
            .collect();
        assert!(check_ports(&plan, 28_000).is_ok());
    }

    #[test]
    fn a_crowd_at_the_door_is_warned_of() {
        let mut plan = plan(1, false, 1, 1);
        plan.concurrency = 5_000;
        assert!(backlog_warning(&plan, 4_096).is_some_and(|text| text.contains("somaxconn=10000")));
        plan.concurrency = 200;
        assert_eq!(backlog_warning(&plan, 4_096), None);
    }
}
