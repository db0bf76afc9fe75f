//! An independent Rust client, `rust_socketio`, against the server in this process.
//!
//! It shares no code with us, so it cannot agree with us on a mistake. Used where it can be relied on: asynchronous,
//! WebSocket only, without reconnection, and joined only once `Event::Connect` has come.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use clap::Parser as _;
use counter_server::Config;
use futures_util::FutureExt as _;
use rust_socketio::asynchronous::{Client, ClientBuilder};
use rust_socketio::{Event, Payload, TransportType};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long anything may take on a machine that compiles meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn clients_of_another_make_count_together() {
    let server = Server::start();
    let mut one = Peer::connect(&server.url).await;
    assert_eq!(one.next_count().await, 0);
    let mut two = Peer::connect(&server.url).await;
    assert_eq!(two.next_count().await, 0);

    one.increment().await;
    assert_eq!(one.next_count().await, 1);
    assert_eq!(two.next_count().await, 1);

    assert_eq!(two.increment_with_ack().await, json!([2]));
    assert_eq!(one.next_count().await, 2);
    assert_eq!(two.next_count().await, 2);

    one.client.disconnect().await.unwrap();
    two.increment().await;
    assert_eq!(two.next_count().await, 3);
}

/// The server on a free port, with its count in memory. Its runtime is its own, so that a test that fails can stop it
/// and wait for its end.
struct Server {
    url: String,
    stop: CancellationToken,
    serving: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Server {
    fn start() -> Self {
        let flags = ["--port", "0", "--store", "memory", "--admin", "off"];
        let config = Config::parse_from(["counter-server"].into_iter().chain(flags));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (listening, listens) = std::sync::mpsc::sync_channel(1);
        let serving = thread::spawn(move || {
            Runtime::new()?.block_on(async {
                let listener = counter_server::listen(config.address(), "--port")?;
                listening.send(listener.local_addr()?)?;
                counter_server::run(config, listener, None, stopped).await
            })
        });
        let address = listens.recv_timeout(PATIENCE).expect("the server listens");
        Self {
            url: format!("http://{address}"),
            stop,
            serving: Some(serving),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        let served = self.serving.take().map(JoinHandle::join);
        if !thread::panicking() {
            assert!(matches!(served, Some(Ok(Ok(())))), "{served:?}");
        }
    }
}

/// A joined client and what it was sent.
struct Peer {
    client: Client,
    counts: mpsc::Receiver<Payload>,
}

impl Peer {
    async fn connect(url: &str) -> Self {
        let (joined, mut joining) = mpsc::channel(1);
        let (sender, counts) = mpsc::channel(16);
        let client = ClientBuilder::new(url)
            .transport_type(TransportType::Websocket)
            .reconnect(false)
            .on(Event::Connect, move |payload, _| {
                deliver(joined.clone(), payload)
            })
            .on("countUpdated", move |payload, _| {
                deliver(sender.clone(), payload)
            })
            .connect();
        let client = timeout(PATIENCE, client).await;
        let client = client.expect("the server answers").unwrap();
        receive(&mut joining).await;
        Self { client, counts }
    }

    async fn increment(&self) {
        self.client
            .emit("increment", Vec::<Value>::new())
            .await
            .unwrap();
    }

    async fn increment_with_ack(&self) -> Value {
        let (sender, mut answer) = mpsc::channel(1);
        let deliver = move |payload, _: Client| deliver(sender.clone(), payload);
        let nothing = Vec::<Value>::new();
        let emitted = self
            .client
            .emit_with_ack("increment", nothing, PATIENCE, deliver);
        emitted.await.unwrap();
        only_value(receive(&mut answer).await)
    }

    async fn next_count(&mut self) -> u64 {
        let value = only_value(receive(&mut self.counts).await);
        value
            .as_u64()
            .unwrap_or_else(|| panic!("a count, not {value}"))
    }
}

/// A callback of `rust_socketio` that hands over what came.
fn deliver(
    to: mpsc::Sender<Payload>,
    payload: Payload,
) -> futures_util::future::BoxFuture<'static, ()> {
    // Fails only when the test is over and nobody receives any more.
    async move { drop(to.send(payload).await) }.boxed()
}

async fn receive(from: &mut mpsc::Receiver<Payload>) -> Payload {
    let payload = timeout(PATIENCE, from.recv()).await;
    payload
        .expect("a packet comes in time")
        .expect("the connection lives")
}

fn only_value(payload: Payload) -> Value {
    match payload {
        Payload::Text(mut values) if values.len() == 1 => values.remove(0),
        other => panic!("one value, not {other:?}"),
    }
}
