//! Clients for the store's tests: emitters that retry by key until they are acknowledged, and watchers
//! that check the order of everything they see.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use socketio_client::{Client, Error, Options, Packet};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::store_node::PATIENCE;

/// A client that has received its first count: from then on the server hears it.
pub(crate) async fn connect(url: &str) -> Result<(Client, u64), Error> {
    let mut options = Options::new(url)?;
    options.connect_timeout = PATIENCE;
    options.ack_timeout = PATIENCE;
    let mut client = Client::connect(&options).await?;
    loop {
        if let Some(count) = next_count(&mut client).await? {
            return Ok((client, count));
        }
    }
}

async fn next_count(client: &mut Client) -> Result<Option<u64>, Error> {
    let incoming = client.next().await?;
    Ok(match incoming.packet() {
        Packet::Event(event) if event.name == "countUpdated" => {
            let count = event.args.get(0).and_then(|count| count.parse().ok());
            Some(count.unwrap_or_else(|| panic!("no count in {incoming:?}")))
        }
        _ => None,
    })
}

/// What an increment was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Count(u64),
    Refused(String),
}

/// Emits one increment and waits for its answer.
pub(crate) async fn increment(client: &mut Client, key: Option<&str>) -> Result<Answer, Error> {
    let arguments: Vec<Value> = key.map(|key| json!({ "key": key })).into_iter().collect();
    let answer = client.call("increment", &arguments).await?;
    Ok(match answer.as_slice() {
        [Value::Number(count)] => Answer::Count(count.as_u64().expect("a count is no fraction")),
        [answer] => Answer::Refused(
            answer["error"]
                .as_str()
                .expect("an answer is a count or an error")
                .to_owned(),
        ),
        other => panic!("an acknowledgement with {other:?}"),
    })
}

/// The newest count, as a new client is told.
pub(crate) async fn count(url: &str) -> u64 {
    let (client, count) = connect(url).await.expect("the server accepts");
    // Whether it says goodbye is not the question here.
    let _ = client.close().await;
    count
}

/// Sees every keyed increment through to its count: on another connection, to a server that came back,
/// after an error, always with the same key.
pub(crate) struct Emitter {
    /// Where the server is at the moment.
    url: watch::Receiver<String>,
    client: Option<Client>,
}

impl Emitter {
    pub(crate) fn new(url: watch::Receiver<String>) -> Self {
        Self { url, client: None }
    }

    pub(crate) async fn increment(&mut self, key: &str) -> u64 {
        let counted = async {
            loop {
                match self.attempt(key).await {
                    Ok(Answer::Count(count)) => return count,
                    // The store is away, or the server: time for either to come back.
                    Ok(Answer::Refused(_)) => sleep(Duration::from_millis(50)).await,
                    Err(_) => {
                        self.client = None;
                        sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        };
        timeout(PATIENCE, counted)
            .await
            .unwrap_or_else(|_| panic!("{key} is not counted within {PATIENCE:?}"))
    }

    async fn attempt(&mut self, key: &str) -> Result<Answer, Error> {
        if self.client.is_none() {
            let url = self.url.borrow().clone();
            self.client = Some(connect(&url).await?.0);
        }
        let client = self.client.as_mut().expect("connected above");
        increment(client, Some(key)).await
    }
}

/// A client that receives until it is dropped, and panics in `sequence` if a count repeated or fell.
pub(crate) struct Watcher {
    seen: Arc<Mutex<Vec<u64>>>,
    newest: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

impl Watcher {
    /// Connects, and stays connected: the end of the connection is a failure of the test.
    pub(crate) async fn start(url: &str) -> Self {
        let (mut client, first) = connect(url).await.expect("the server accepts");
        let seen = Arc::new(Mutex::new(vec![first]));
        let (news, newest) = watch::channel(first);
        let kept = seen.clone();
        let task = tokio::spawn(async move {
            // The end of the connection drops `news`, and `reaches` tells.
            while let Ok(count) = next_count(&mut client).await {
                if let Some(count) = count {
                    kept.lock().unwrap().push(count);
                    news.send_replace(count);
                }
            }
        });
        Self { seen, newest, task }
    }

    pub(crate) fn is_connected(&self) -> bool {
        !self.task.is_finished()
    }

    /// Waits until this client has received `count` or more.
    pub(crate) async fn reaches(&mut self, count: u64) {
        let reaching = self.newest.wait_for(|&newest| newest >= count);
        let reached = timeout(PATIENCE, reaching).await.map(|it| it.map(drop));
        match reached {
            Ok(reached) => reached.expect("the watcher stays connected"),
            Err(late) => panic!("{} instead of {count}: {late}", self.newest()),
        }
    }

    pub(crate) fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Everything received so far, which must be strictly increasing.
    pub(crate) fn sequence(&self) -> Vec<u64> {
        let seen = self.seen.lock().unwrap().clone();
        assert!(
            seen.is_sorted_by(|a, b| a < b),
            "a count repeated or fell in {seen:?}"
        );
        seen
    }

    /// As `sequence`, and without a gap.
    pub(crate) fn complete_sequence(&self) -> Vec<u64> {
        let seen = self.sequence();
        let without_gap = seen.windows(2).all(|pair| pair[0] + 1 == pair[1]);
        assert!(without_gap, "a count is missing in {seen:?}");
        seen
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A key that no other test run uses.
pub(crate) fn fresh_key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}", std::process::id())
}
