//! The Socket.IO handlers: decode, call the counter, acknowledge.
//!
//! socketioxide spawns the future of a handler but calls the handler itself in the order of the
//! packets of one connection; so all the work is done in the call, and the future is empty.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;

use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};
use socketioxide::SocketIo;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::FromMessageParts;
use socketioxide::socket::{DisconnectReason, Socket};
use socketioxide_core::Value;
use tracing::debug;

use crate::counter::{Counter, Increment};
use crate::fanout::Fanout;
use crate::metrics::Metrics;
use crate::store::{self, Key};

/// What the handlers of every socket share.
pub(crate) struct Events {
    pub(crate) counter: Counter,
    pub(crate) fanout: Fanout,
    pub(crate) metrics: Arc<Metrics>,
}

impl Events {
    /// Registers the namespace `/`.
    pub(crate) fn register(self: Arc<Self>, io: &SocketIo) {
        io.ns("/", move |socket: SocketRef| self.connected(socket));
    }

    fn connected(self: &Arc<Self>, socket: SocketRef) -> Ready<()> {
        debug!(transport = ?socket.transport_type(), "connected");
        self.metrics.connections.inc();
        let this = self.clone();
        socket.on("increment", move |key, ack| this.increment(key, ack));
        let this = self.clone();
        socket.on_fallback(move || this.unknown());
        let this = self.clone();
        socket.on_disconnect(move |reason| this.disconnected(reason));
        self.fanout.join(socket);
        ready(())
    }

    fn disconnected(&self, reason: DisconnectReason) -> Ready<()> {
        debug!(%reason, "disconnected");
        self.metrics.connections.dec();
        ready(())
    }

    fn unknown(&self) -> Ready<()> {
        self.metrics.unknown_events.inc();
        ready(())
    }

    fn increment(&self, RequestedKey(key): RequestedKey, ack: AckSender) -> Ready<()> {
        match key {
            Ok(key) => {
                let metrics = self.metrics.clone();
                let reply = Box::new(move |result: Result<u64, Arc<store::Error>>| {
                    metrics.increments.inc();
                    match result {
                        Ok(count) => acknowledge(ack, &json!(count)),
                        Err(error) => acknowledge(ack, &json!({ "error": error.to_string() })),
                    }
                });
                self.counter.increment(Increment {
                    key,
                    reply: Some(reply),
                });
            }
            Err(malformed) => acknowledge(ack, &json!({ "error": malformed })),
        }
        ready(())
    }
}

fn acknowledge(ack: AckSender, answer: &Json) {
    if let Err(error) = ack.send(answer) {
        debug!(%error, "an acknowledgement found its connection closed");
    }
}

/// The key that an `increment` asks for, if any; or what is wrong with it.
struct RequestedKey(Result<Option<Key>, &'static str>);

impl FromMessageParts<LocalAdapter> for RequestedKey {
    type Error = Infallible;

    fn from_message_parts(
        _: &Arc<Socket>,
        data: &mut Value,
        _: &Option<i64>,
    ) -> Result<Self, Infallible> {
        Ok(Self(match data {
            Value::Str(text, _) => requested_key(text.as_str()),
            Value::Bytes(_) => Ok(None),
        }))
    }
}

/// Reads `["increment", …]`. The tutorial counts every `increment` whatever its arguments, and so
/// do we, except that an object's `key` must be usable.
fn requested_key(packet: &str) -> Result<Option<Key>, &'static str> {
    if packet == r#"["increment"]"# {
        return Ok(None);
    }
    let arguments: Vec<&RawValue> =
        serde_json::from_str(packet).map_err(|_| "the packet is not valid JSON")?;
    let Some(Ok(options)) = arguments
        .get(1)
        .map(|first| serde_json::from_str(first.get()))
    else {
        return Ok(None);
    };
    let options: Map<String, Json> = options;
    match options.get("key") {
        None => Ok(None),
        Some(key) => {
            let key = key.as_str().and_then(Key::new);
            key.map(Some)
                .ok_or("key must be a string of 1 to 128 bytes")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_increment_counts_whatever_its_arguments() {
        for packet in [
            r#"["increment"]"#,
            r#"["increment",1,"two",[3]]"#,
            r#"["increment",{}]"#,
            r#"["increment",null]"#,
            r#"["increment",{"other":1}]"#,
            r#"["increment","text",{"key":5}]"#,
        ] {
            assert_eq!(requested_key(packet), Ok(None), "{packet}");
        }
    }

    #[test]
    fn a_key_is_a_string_of_1_to_128_bytes() {
        let with = |key: &str| requested_key(&format!(r#"["increment",{{"key":{key}}}]"#));
        assert_eq!(with(r#""a""#), Ok(Key::new("a")));
        assert!(with(&format!("{:?}", "x".repeat(128))).is_ok());
        assert!(with(&format!("{:?}", "x".repeat(129))).is_err());
        for malformed in [r#""""#, "5", "null", "{}", "[]", "true"] {
            assert!(with(malformed).is_err(), "{malformed}");
        }
    }
}
