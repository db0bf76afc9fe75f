//! The tutorial's counter ported to socketioxide as anyone would: the handler broadcasts with `io.emit`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::serve::ListenerExt as _;
use socketioxide::SocketIo;
use socketioxide::extract::SocketRef;
use tokio::net::TcpSocket;

#[tokio::main]
async fn main() -> Result<()> {
    let (layer, io) = SocketIo::new_layer();
    let count = Arc::new(AtomicU64::new(0));
    io.ns("/", async move |socket: SocketRef| {
        // A full queue drops packets: that is what the comparison shows, so failures are not handled here either.
        socket
            .emit("countUpdated", &count.load(Ordering::SeqCst))
            .ok();
        socket.on("increment", async move |io: SocketIo| {
            let count = count.fetch_add(1, Ordering::SeqCst) + 1;
            io.emit("countUpdated", &count).await.ok();
        });
    });

    let port = std::env::var("PORT")
        .unwrap_or_else(|_| "3000".into())
        .parse()
        .context("PORT is no port number")?;
    let socket = TcpSocket::new_v4()?;
    socket
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .with_context(|| format!("cannot listen on port {port}"))?;
    let listener = socket.listen(4096)?;
    println!("server is running on http://{}", listener.local_addr()?);
    // As Node does by default.
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
    axum::serve(listener, Router::new().layer(layer))
        .await
        .context("cannot serve")
}
