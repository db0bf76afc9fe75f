//! What is right by itself on the command line, but does not go together.

use anyhow::ensure;

use crate::{
    cli::{Command, Common},
    plan::{Correlate, Driver, Transport},
    threshold::Threshold,
};

/// The command line means nothing that loadgen can do: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub(crate) struct WrongUsage(pub(crate) anyhow::Error);

pub(crate) fn check(
    command: &Command,
    common: &Common,
    correlate: Correlate,
) -> anyhow::Result<()> {
    let (load, machine) = (&common.load, &common.machine);
    let (workers, urls) = (machine.workers as usize, common.target.url.len());
    ensure!(
        !load.closed || correlate != Correlate::Position || load.emitters == 1,
        "a closed loop of several emitters needs acknowledgements: use --correlate value"
    );
    if common.target.independent {
        ensure!(
            workers <= urls || workers.is_multiple_of(urls),
            "--workers has to be a multiple of the {urls} URLs"
        );
    }
    ensure!(
        !matches!(command, Command::Ack(_))
            || machine.threads == 1 && (workers == 1 || common.target.independent),
        "the clients of `ack` emit, and those of one counter share a thread: it knows no --threads, and --workers only \
         with several --independent URLs"
    );
    if machine.driver == Driver::RustSocketio {
        ensure!(
            cfg!(feature = "rust-socketio"),
            "this loadgen was built without the second driver; build it with \
             `cargo build --release -p loadgen --features rust-socketio`"
        );
        let able = matches!(
            command,
            Command::Broadcast(_) | Command::Connect(_) | Command::Idle(_)
        );
        ensure!(
            able && correlate != Correlate::Payload
                && common.target.transport == Transport::Websocket,
            "--driver rust-socketio knows broadcast, connect and idle, by value or position, over WebSocket"
        );
        ensure!(
            machine.source.is_empty()
                && common.target.header.is_empty()
                && common.target.ca_file.is_none(),
            "--driver rust-socketio has no --source, --header and --ca-file"
        );
    }
    ensure!(
        !common.output.abort_on_fail || common.output.threshold.iter().any(Threshold::is_live),
        "--abort-on-fail looks at percentiles of broadcast_latency, as in --threshold 'broadcast_latency:p(99)<50ms', and \
         there is none"
    );
    Ok(())
}
