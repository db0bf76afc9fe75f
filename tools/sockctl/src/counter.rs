//! A connection to a counter: counts that come, increments that go, and what a person can do when they do not.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use socketio_client::{Args, Client, Error, Options, Packet};
use tokio::time::{Instant, timeout};

/// After the broadcast of a count, the acknowledgement of the same increment takes no longer than this.
const AFTER_BROADCAST: Duration = Duration::from_secs(1);

/// A client of a counter.
pub(crate) struct Counter {
    client: Client,
    /// How long a request may take.
    patience: Duration,
    /// The newest count that was broadcast.
    newest: Option<u64>,
    /// When the count grew for the first time after an increment that is not acknowledged yet.
    grew: Option<Instant>,
}

impl Counter {
    pub(crate) async fn connect(options: &Options) -> Result<Self> {
        let client = Client::connect(options).await?;
        Ok(Self {
            client,
            patience: options.ack_timeout,
            newest: None,
            grew: None,
        })
    }

    /// The next count that the server sends.
    pub(crate) async fn count(&mut self) -> Result<u64> {
        loop {
            let incoming = self.client.next().await?;
            if let Packet::Event(event) = incoming.packet()
                && event.name == "countUpdated"
            {
                return count(event.args).with_context(|| {
                    format!(
                        "the server sent countUpdated with {:?} instead of a count",
                        event.args
                    )
                });
            }
        }
    }

    /// The count that a counter sends to whoever connects.
    pub(crate) async fn first_count(&mut self) -> Result<u64> {
        let patience = self.patience;
        let count = timeout(patience, self.count()).await;
        count.unwrap_or_else(|_| {
            bail!("the server sent no countUpdated within {patience:?}; is it a counter?")
        })
    }

    /// Increments, and returns the count that the server acknowledges.
    pub(crate) async fn increment(&mut self, key: Option<&str>) -> Result<u64> {
        let args: &[Value] = &key
            .map(|key| json!({ "key": key }))
            .into_iter()
            .collect::<Vec<_>>();
        let patience = self.patience;
        match timeout(patience, self.acknowledged(args)).await {
            Ok(acknowledged) => acknowledged,
            Err(_) => bail!(
                "the server did not acknowledge the increment within {patience:?}, and may have counted it all the same; \
                 if it never acknowledges, use --no-ack"
            ),
        }
    }

    async fn acknowledged(&mut self, args: &[Value]) -> Result<u64> {
        self.grew = None;
        // Not `call`, which keeps the counts that come meanwhile.
        let id = self.client.emit_with_ack("increment", args).await?;
        loop {
            let incoming = self.client.next().await?;
            match incoming.packet() {
                Packet::Ack(ack) if ack.id == id => return answer(ack.args),
                Packet::Event(event) if event.name == "countUpdated" => {
                    let count = count(event.args);
                    if count > self.newest && self.newest.is_some() {
                        self.grew.get_or_insert_with(Instant::now);
                    }
                    self.newest = count.max(self.newest);
                }
                _ => {}
            }
        }
    }

    /// Whether the last increment has been counted for so long, as far as one can see, that a server which
    /// acknowledges would have done so.
    pub(crate) fn counts_without_answering(&self) -> bool {
        self.grew
            .is_some_and(|grew| grew.elapsed() > AFTER_BROADCAST)
    }

    /// Increments without asking for an acknowledgement, and returns the next count above `last`.
    pub(crate) async fn increment_above(&mut self, last: u64) -> Result<u64> {
        self.client.emit("increment", &[]).await?;
        let patience = self.patience;
        let higher = async {
            loop {
                let count = self.count().await?;
                if count > last {
                    return Ok(count);
                }
            }
        };
        let higher = timeout(patience, higher).await;
        higher.unwrap_or_else(|_| {
            bail!("no count above {last} came within {patience:?} of the increment")
        })
    }

    /// Leaves, and makes sure that the server has read all that was sent.
    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.client.close().await?)
    }

    /// Leaves. What was printed is true whether or not the server confirms that.
    pub(crate) async fn leave(self) {
        let _ = self.client.close().await;
    }
}

/// The count in the arguments of `countUpdated`.
fn count(args: Args<'_>) -> Option<u64> {
    args.get(0).and_then(|count| count.parse().ok())
}

/// Reads the acknowledgement of an increment: a count, or `{"error": …}`.
fn answer(args: Args<'_>) -> Result<u64> {
    let text = args.get(0).unwrap_or_default();
    if let Ok(count) = text.parse() {
        return Ok(count);
    }
    match serde_json::from_str::<Value>(text)
        .ok()
        .as_ref()
        .and_then(|answer| answer.get("error"))
    {
        Some(Value::String(reason)) => bail!("the server refused the increment: {reason}"),
        Some(reason) => bail!("the server refused the increment: {reason}"),
        None => bail!("the server acknowledged the increment with {args:?} instead of a count"),
    }
}

/// What a person can do about a connection that did not come about, ready to follow the error.
pub(crate) fn advice(error: &anyhow::Error) -> &'static str {
    match error.downcast_ref() {
        Some(Error::Connect { .. }) => {
            "; is a server running there? --url or SOCKCTL_URL names another"
        }
        Some(Error::ConnectTimeout { .. }) => {
            "; --timeout allows more, --url or SOCKCTL_URL names another server"
        }
        Some(Error::Http { .. } | Error::Protocol { .. }) => {
            "; is it a Socket.IO server of version 3 or later?"
        }
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(array: &str) -> Result<u64, String> {
        answer(Args::parse(array).unwrap()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn an_acknowledgement_is_a_count_or_says_what_it_is_instead() {
        assert_eq!(read("[7]"), Ok(7));
        let refused = "the server refused the increment: the key is empty";
        assert_eq!(
            read(r#"[{"error":"the key is empty"}]"#),
            Err(refused.into())
        );
        let refused = r#"the server refused the increment: {"code":7}"#;
        assert_eq!(read(r#"[{"error":{"code":7}}]"#), Err(refused.into()));
        for array in ["[]", "[-1]", "[1.5]", r#"["7"]"#, "[null]"] {
            let other =
                format!("the server acknowledged the increment with {array} instead of a count");
            assert_eq!(read(array), Err(other));
        }
    }
}
