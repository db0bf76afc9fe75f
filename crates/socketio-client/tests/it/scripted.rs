//! A server for one connection that says exactly what a test wants it to say.

use std::{net::SocketAddr, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use socketio_client::{Client, Options};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

/// No test waits longer than this for something that should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The server, until the test joins it.
pub(crate) struct Scripted {
    pub(crate) url: String,
    task: JoinHandle<()>,
}

impl Scripted {
    /// Runs `script` on the first connection, as it comes from TCP.
    pub(crate) async fn tcp<F>(
        script: impl FnOnce(TcpStream, SocketAddr) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let (stream, peer) = listener.accept().await.unwrap();
            script(stream, peer).await;
        });
        Self { url, task }
    }

    /// Runs `script` after the WebSocket is open.
    pub(crate) async fn websocket<F>(script: impl FnOnce(Peer) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        Self::tcp(|stream, _| async {
            script(Peer {
                ws: accept_async(stream).await.unwrap(),
            })
            .await;
        })
        .await
    }

    /// Runs `script` after the client has joined `/`, with heartbeats that no test lives to see.
    pub(crate) async fn joined<F>(script: impl FnOnce(Peer) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        Self::joined_with_heartbeat(25_000, script).await
    }

    /// As `joined`, with a ping interval in milliseconds; the ping timeout is as long.
    pub(crate) async fn joined_with_heartbeat<F>(
        milliseconds: u64,
        script: impl FnOnce(Peer) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        Self::websocket(move |mut peer| async move {
            peer.handshake(milliseconds).await;
            peer.expect("40").await;
            peer.send(r#"40{"sid":"client"}"#).await;
            script(peer).await;
        })
        .await
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(&self.url).unwrap()
    }

    pub(crate) async fn client(&self) -> Client {
        Client::connect(&self.options()).await.unwrap()
    }

    /// Waits for the end of the script; what failed in there fails the test.
    pub(crate) async fn join(self) {
        timeout(PATIENCE, self.task)
            .await
            .expect("the script ends")
            .unwrap();
    }
}

/// The server's end of an open WebSocket.
pub(crate) struct Peer {
    pub(crate) ws: WebSocketStream<TcpStream>,
}

impl Peer {
    pub(crate) async fn handshake(&mut self, milliseconds: u64) {
        let intervals = format!(r#""pingInterval":{milliseconds},"pingTimeout":{milliseconds}"#);
        self.send(&format!(
            r#"0{{"sid":"session","upgrades":[],{intervals},"maxPayload":1000000}}"#
        ))
        .await;
    }

    pub(crate) async fn send(&mut self, frame: &str) {
        self.ws.send(Message::text(frame)).await.unwrap();
    }

    pub(crate) async fn expect(&mut self, frame: &str) {
        let message = timeout(PATIENCE, self.ws.next())
            .await
            .expect("the client sends something");
        assert_eq!(message.unwrap().unwrap(), Message::text(frame));
    }

    /// Waits until the client has gone, one way or the other.
    pub(crate) async fn gone(&mut self) {
        let end = async { while self.ws.next().await.is_some_and(|message| message.is_ok()) {} };
        timeout(PATIENCE, end).await.expect("the client leaves");
    }
}
