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

use crate::connection::{Connection, WebSocket};
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
        socket.on("increment", move |socket, request, ack| {
            this.increment(&socket, request, ack)
        });
        let this = self.clone();
        socket.on_fallback(move || this.unknown());
        let this = self.clone();
        socket.on_disconnect(move |socket, reason| this.disconnected(&socket, reason));
        let connection = direct(&socket);
        self.fanout.welcome(socket, connection);
        ready(())
    }

    fn disconnected(&self, socket: &SocketRef, reason: DisconnectReason) -> Ready<()> {
        debug!(%reason, "disconnected");
        self.metrics.connections.dec();
        if let Some(connection) = direct(socket) {
            connection.leave();
        }
        self.fanout.farewell(socket.id);
        ready(())
    }

    fn unknown(&self) -> Ready<()> {
        self.metrics.unknown_events.inc();
        ready(())
    }

    fn increment(&self, socket: &SocketRef, request: Request, ack: AckSender) -> Ready<()> {
        let waiting = Waiting {
            connection: direct(socket).or_else(|| self.fanout.upgraded(socket.id)),
            ack: request.wants_answer.then_some(ack),
        };
        waiting.begin();
        match request.key {
            Ok(key) => {
                let metrics = self.metrics.clone();
                let reply = Box::new(move |result: Result<u64, Arc<store::Error>>| {
                    metrics.increments.inc();
                    waiting.end(&match result {
                        Ok(count) => json!(count),
                        Err(error) => json!({ "error": error.to_string() }),
                    });
                });
                self.counter.increment(Increment {
                    key,
                    reply: Some(reply),
                });
            }
            Err(malformed) => waiting.end(&json!({ "error": malformed })),
        }
        ready(())
    }
}

/// The connection of a session that began with WebSocket.
fn direct(socket: &SocketRef) -> Option<Arc<Connection>> {
    socket
        .req_parts()
        .extensions
        .get::<WebSocket>()
        .and_then(|WebSocket(weak)| weak.upgrade())
}

/// An increment between its arrival and its answer.
struct Waiting {
    connection: Option<Arc<Connection>>,
    ack: Option<AckSender>,
}

impl Waiting {
    fn begin(&self) {
        if let Some(connection) = &self.connection {
            connection.begin_increment();
        }
    }

    /// An answer that finds no room ends its connection: it is never silently lost.
    fn end(self, answer: &Json) {
        match (self.ack, self.connection) {
            (None, Some(connection)) => connection.end_increments(1),
            (None, None) => {}
            (Some(ack), connection) => {
                let Err(error) = ack.send(answer) else { return };
                debug!(%error, "an acknowledgement found no way to its client");
                if let Some(connection) = connection {
                    connection.abort();
                }
            }
        }
    }
}

/// What an `increment` asks for.
struct Request {
    key: Result<Option<Key>, &'static str>,
    wants_answer: bool,
}

impl FromMessageParts<LocalAdapter> for Request {
    type Error = Infallible;

    fn from_message_parts(
        _: &Arc<Socket>,
        data: &mut Value,
        ack: &Option<i64>,
    ) -> Result<Self, Infallible> {
        let key = match data {
            Value::Str(text, _) => requested_key(text.as_str()),
            Value::Bytes(_) => Ok(None),
        };
        Ok(Self {
            key,
            wants_answer: ack.is_some(),
        })
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
