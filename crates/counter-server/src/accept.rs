//! Accepting connections and serving HTTP/1.1 on them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::connection::{Connection, Stream};
use crate::fanout::Fanout;
use crate::http::Site;
use crate::metrics::Refused;

/// Connections that the kernel keeps ready for us to accept; a reconnect storm fills it.
const BACKLOG: i32 = 16_384;

/// A request's headers must be complete this long after its first byte.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// After an accept error that is not the peer's (no descriptors, no memory), wait this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Binds the public or the admin listener; `flag` is what the person can change.
///
/// # Errors
/// The address is in use, not ours, or not permitted.
pub fn listen(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    bind().map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("address in use; try {flag} with another port, 0 picks a free one")
            }
            io::ErrorKind::PermissionDenied => {
                format!("permission denied; try {flag} with a port above 1023")
            }
            io::ErrorKind::AddrNotAvailable => "not an address of this machine".to_owned(),
            _ => error.to_string(),
        };
        anyhow::anyhow!("cannot listen on {address}: {hint}")
    })
}

/// Connections come again, in a storm, before the end of their former ones was seen; so whoever
/// comes while there is no room is not refused before there was none for this long.
const ROOM_PATIENCE: Duration = Duration::from_secs(1);

/// What bounds the connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Open at once; whoever comes beyond is told so.
    pub(crate) connections: usize,
    /// The kernel's send buffer of each, in bytes.
    pub(crate) send_buffer: usize,
    /// How long a peer may take nothing.
    pub(crate) stall_timeout: Duration,
}

/// Sets, once, what every accepted socket inherits from its listener.
pub(crate) fn configure(listener: &TcpListener, limits: Limits) -> io::Result<()> {
    let socket = socket2::SockRef::from(listener);
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(limits.send_buffer)?;
    socket.set_tcp_user_timeout(Some(limits.stall_timeout))
}

/// Accepts until `stop`, then waits for the requests that are being answered.
pub(crate) async fn serve(
    listener: TcpListener,
    limits: Limits,
    fanout: Fanout,
    site: Arc<Site>,
    stop: CancellationToken,
) {
    // Not a `JoinSet`: each task that ends would wake this one.
    let connections = TaskTracker::new();
    let mut full = false;
    for number in 0.. {
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            stream = next(&listener) => stream,
        };
        let room = fanout.room(limits.connections);
        let patience = if full { Duration::ZERO } else { ROOM_PATIENCE };
        full = !matches!(
            stop.run_until_cancelled(timeout(patience, room)).await,
            Some(Ok(()))
        );
        if full {
            fanout.metrics().refused(Refused::Limit);
            refuse(&stream);
            continue;
        }
        let connection = Connection::new(stream, number, fanout.clone());
        connections.spawn(serve_connection(connection, site.clone(), stop.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The next accepted stream.
async fn next(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => pause_after(&error).await,
        }
    }
}

async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if !matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    ) {
        warn!(%error, "cannot accept connections for now");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

fn refuse(stream: &TcpStream) {
    debug!("a connection beyond the limit is refused");
    let answer =
        b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 21\r\n\r\n\
        too many connections\n";
    let _ = stream.try_write(answer);
}

async fn serve_connection(connection: Arc<Connection>, site: Arc<Site>, stop: CancellationToken) {
    // hyper takes a buffer of 8 KiB before it reads: not before there is something to read.
    let readable = timeout(HEADER_TIMEOUT, connection.readable());
    if !matches!(stop.run_until_cancelled(readable).await, Some(Ok(Ok(())))) {
        return;
    }
    let stream = TokioIo::new(Stream(connection.clone()));
    let service =
        hyper::service::service_fn(move |request| site.clone().answer(request, connection.clone()));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(stream, service)
        .with_upgrades();
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection failed");
    }
}
