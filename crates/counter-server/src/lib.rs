//! A live counter over Socket.IO: any client emits `increment`, every client receives
//! `countUpdated <count>`.
//!
//! [`main`] is the whole program; [`run`] is the server on a listener of the caller's.

mod accept;
mod admin;
#[cfg(feature = "bench")]
#[doc(hidden)]
pub mod bench;
mod cli;
mod config;
mod connection;
mod counter;
mod events;
mod failpoint;
mod fanout;
mod frames;
mod http;
mod inbox;
mod metrics;
mod newest;
mod shutdown;
mod store;

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use socketioxide::SocketIo;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use crate::accept::listen;
use crate::admin::Readiness;
pub use crate::cli::Cli;
pub use crate::config::{Admin, Config, LogFormat, Origin};
use crate::events::Events;
use crate::fanout::Fanout;
use crate::http::Site;
use crate::metrics::Metrics;
use crate::newest::Newest;
use crate::store::Health;
pub use crate::store::StoreAddress;

/// Packets that may wait for one client beside the counts: acknowledgements and heartbeats.
const MAX_BUFFER_SIZE: usize = 4_096;

/// The largest packet that a client may send, in bytes. `increment` needs a few hundred.
const MAX_MESSAGE: usize = 64 * 1024;

/// The whole program: logs, signals, listeners, [`run`].
///
/// # Errors
/// What cannot be listened on, read or started, with what to do about it.
pub fn main(config: Config) -> anyhow::Result<()> {
    log_to_stderr(config.log_format);
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let listener = listen(config.address(), "--port")?;
        let admin = match config.admin {
            Admin::Off => None,
            Admin::On(address) => Some(listen(address, "--admin")?),
        };
        let stop = CancellationToken::new();
        tokio::spawn(shutdown::on_signal(stop.clone()).context("cannot watch for signals")?);
        run(config, listener, admin, stop).await
    })
}

fn log_to_stderr(format: LogFormat) {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::filter::LevelFilter;
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .from_env_lossy();
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().init(),
    }
}

/// Serves until `stop`, then drains: not ready, no new connections, everything that waits is
/// committed and answered, connections are closed; all within the grace period.
///
/// Once it accepts, it prints its addresses on stdout.
///
/// # Errors
/// The store cannot be opened, or a directory or file of the configuration not be read.
pub async fn run(
    config: Config,
    listener: TcpListener,
    admin: Option<TcpListener>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::new().context("cannot register the metrics")?);
    let drained = CancellationToken::new();
    // However this function ends: the shards' threads end only by this token.
    let _drained = drained.clone().drop_guard();
    let newest = Newest::default();
    let health = Health::new(metrics.clone());
    let parts = counter::Parts {
        store: store::open(config.store(), &newest, &metrics).await?,
        newest,
        keys_for: config.keys_for,
        health: health.clone(),
        metrics: metrics.clone(),
    };
    let (counter, counting) = counter::counter(parts, drained.clone());
    let fanout = Fanout::new(config.fanout_limits(), counter.newest(), metrics.clone());
    let (socket_io, io) = socket_io();
    let events = Events {
        counter,
        fanout: fanout.clone(),
        metrics: metrics.clone(),
    };
    Arc::new(events).register(&io);
    let site = Site::new(&config, socket_io, fanout.clone())?;
    let limits = config
        .connection_limits()
        .context("cannot read the limit of open files")?;
    accept::configure(&listener, limits).context("cannot set the options of the listener")?;
    metrics.show_settings(limits.connections, config.store.kind());
    let readiness = Readiness::new(health);

    let mut tasks = JoinSet::new();
    tasks.spawn(counting);
    fanout.start(&mut tasks, &drained);
    let lag = metrics::runtime::watch(metrics.runtime_lag.clone());
    let until = drained.clone();
    tasks.spawn(async move {
        until.run_until_cancelled(lag).await;
    });
    announce("server is running on", listener.local_addr()?, "")?;
    if let Some(admin) = admin {
        announce("metrics on", admin.local_addr()?, "/metrics")?;
        let router = admin::router(metrics, readiness.clone());
        let serve =
            axum::serve(admin, router).with_graceful_shutdown(drained.clone().cancelled_owned());
        tasks.spawn(async move {
            if let Err(error) = serve.await {
                warn!(%error, "the admin listener failed");
            }
        });
    }
    readiness.set(true);
    let accept = accept::serve(listener, limits, fanout.clone(), site, stop.clone());
    // A thread of its own: in a storm the kernel drops whoever finds its queue full, and they come
    // again only after a second, so accepting must not wait for its turn among the handshakes.
    let accepting = tokio::task::spawn_blocking(|| Handle::current().block_on(accept));

    stop.cancelled().await;
    readiness.set(false);
    let drain = async {
        // Whoever does not take its answers must not use up the time of all others.
        let _ = tokio::time::timeout(config.grace / 2, fanout.settle()).await;
        io.close().await;
        drained.cancel();
        let _ = accepting.await;
        tasks.join_all().await;
    };
    if tokio::time::timeout(config.grace, drain).await.is_err() {
        warn!(grace = ?config.grace, "not everything ended within the grace period");
    }
    info!("stopped");
    Ok(())
}

fn socket_io() -> (
    socketioxide::service::SocketIoService<engineioxide::service::NotFoundService>,
    SocketIo,
) {
    SocketIo::builder()
        .max_buffer_size(MAX_BUFFER_SIZE)
        .max_payload(MAX_MESSAGE as u64)
        .ws_max_message_size(MAX_MESSAGE)
        .ws_max_frame_size(MAX_MESSAGE)
        .ws_read_buffer_size(512)
        .connect_timeout(Duration::from_secs(45))
        .build_svc()
}

fn announce(what: &str, address: SocketAddr, path: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{what} http://{address}{path}")
        .and_then(|()| stdout.flush())
        .context("cannot print the address on stdout")
}
