//! The lanes of one process. Usually it is the only one; a worker process takes its [`Order`] from stdin and gives its
//! records back on stdout, and meanwhile shares the board.

use std::{
    io::{self, Read as _, Write as _},
    process::{Child, Command, Stdio},
    sync::mpsc::SyncSender,
};

use anyhow::{Context as _, bail};
use rustix::process::{Signal, set_parent_process_death_signal};
use serde::{Deserialize, Serialize};

use crate::{
    board::Board,
    driver::{self, Endpoint, LaneRecord},
    plan::Plan,
};

/// What a worker process has to know.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) plan: Plan,
    pub(crate) board: String,
    pub(crate) worker: usize,
}

/// Why a lane ended: what it brings, or what went wrong.
pub(crate) type Ended = anyhow::Result<LaneRecord>;

/// Runs the lanes of `worker` until the board says that it is over. Each one is reported as it ends.
pub(crate) fn run_lanes(
    plan: &Plan,
    board: &Board,
    worker: usize,
    ended: &SyncSender<Ended>,
) -> anyhow::Result<()> {
    let endpoints = (0..plan.cells())
        .map(|cell| {
            plan.targets_of(cell)
                .iter()
                .map(|target| Endpoint::new(plan, target))
                .collect()
        })
        .collect::<anyhow::Result<Vec<Vec<Endpoint>>>>()?;
    std::thread::scope(|scope| {
        for lane in plan
            .lanes()
            .into_iter()
            .filter(|lane| lane.worker == worker)
        {
            let (endpoints, ended) = (&endpoints[lane.cell], ended.clone());
            std::thread::Builder::new()
                .name(lane.name())
                .spawn_scoped(scope, move || {
                    let record = driver::run(plan, board, endpoints, lane);
                    // Nobody listens any more: then nobody misses the record either.
                    let _ = ended.send(record.with_context(|| format!("{} failed", lane.name())));
                })?;
        }
        Ok(())
    })
}

/// The whole life of a worker process.
pub(crate) fn serve() -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .context("cannot tie the worker to its parent")?;
    // An interrupt at the terminal reaches the whole group; what it means is up to the process that conducts.
    signal_hook::flag::register(signal_hook::consts::SIGINT, std::sync::Arc::default())?;
    let order: Order = serde_json::from_reader(io::stdin()).context("the worker got no order")?;
    crate::limits::raise_open_files().context("cannot raise the limit of open files")?;
    let board =
        Board::open(&order.board, order.plan.layout()).context("cannot open the shared board")?;
    let lanes = order.plan.lanes().len();
    let (sender, receiver) = std::sync::mpsc::sync_channel(lanes);
    run_lanes(&order.plan, &board, order.worker, &sender)?;
    drop(sender);
    let records = receiver
        .into_iter()
        .collect::<anyhow::Result<Vec<LaneRecord>>>()?;
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &records)?;
    out.flush()?;
    Ok(())
}

/// Starts a worker process and gives it its order.
pub(crate) fn start(plan: &Plan, board: &Board, worker: usize) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("cannot find loadgen's own program")?;
    let mut child = Command::new(program)
        .arg("worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start a worker process")?;
    let order = serde_json::to_vec(&Order {
        plan: plan.clone(),
        board: board.path(),
        worker,
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin
            .write_all(&order)
            .context("cannot give a worker its order")?;
    }
    Ok(child)
}

/// Waits for a worker process, and passes its records on.
pub(crate) fn collect(
    mut child: Child,
    worker: usize,
    sender: &SyncSender<Ended>,
) -> anyhow::Result<()> {
    let mut text = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout
            .read_to_string(&mut text)
            .context("cannot read from a worker")?;
    }
    let status = child.wait().context("cannot wait for a worker")?;
    if !status.success() {
        bail!("worker process {worker} failed ({status})");
    }
    let records: Vec<_> = serde_json::from_str(&text).context("a worker's records are broken")?;
    for record in records {
        let _ = sender.send(Ok(record));
    }
    Ok(())
}
