//! The Socket.IO handlers: decode, call the counter, acknowledge.
//!
//! socketioxide spawns the future of a handler but calls the handler itself in the order of the
//! packets of one connection; so all the work is done in the call, and the future is empty.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Weak};

use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};
use socketioxide::SocketIo;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::{ConnectHandler, FromMessageParts};
use socketioxide::socket::{DisconnectReason, Sid, Socket};
use socketioxide_core::Value;
use tracing::debug;

use crate::connection::{Connection, WebSocket};
use crate::counter::{Counter, Increment};
use crate::fanout::Fanout;
use crate::metrics::{Connected, Dropped, Metrics};
use crate::store::{self, Key};

/// What the handlers of every socket share.
pub(crate) struct Events {
    pub(crate) counter: Counter,
    pub(crate) fanout: Fanout,
    pub(crate) metrics: Arc<Metrics>,
}

impl Events {
    /// Registers the namespace `/`. The handlers of a socket are in place before its CONNECT is
    /// answered: an event that comes right after finds them.
    pub(crate) fn register(self: Arc<Self>, io: &SocketIo) {
        let events = self.clone();
        let listen = move |socket: SocketRef| {
            Session::new(&events, &socket).listen(&socket);
            ready(Ok::<(), Infallible>(()))
        };
        io.ns(
            "/",
            (move |socket: SocketRef| self.welcome(socket)).with(listen),
        );
    }

    fn welcome(&self, socket: SocketRef) -> Ready<()> {
        let connection = websocket(&socket).and_then(Weak::upgrade);
        self.fanout.welcome(socket, connection);
        ready(())
    }
}

/// The connection of a session that began with WebSocket.
fn websocket(socket: &SocketRef) -> Option<&Weak<Connection>> {
    socket
        .req_parts()
        .extensions
        .get::<WebSocket>()
        .map(|WebSocket(connection)| connection)
}

/// One client in the namespace; lives as long as its handlers.
struct Session {
    events: Arc<Events>,
    id: Sid,
    websocket: Option<Weak<Connection>>,
    _connected: Arc<Connected>,
}

impl Session {
    fn new(events: &Arc<Events>, socket: &SocketRef) -> Arc<Self> {
        debug!(transport = ?socket.transport_type(), "connected");
        let websocket = websocket(socket).cloned();
        let connected = Arc::new(Connected::new(&events.metrics, socket));
        if websocket.is_none() {
            // For whoever sees the upgrade.
            socket.extensions.insert(Arc::downgrade(&connected));
        }
        Arc::new(Self {
            events: events.clone(),
            id: socket.id,
            websocket,
            _connected: connected,
        })
    }

    fn listen(self: Arc<Self>, socket: &SocketRef) {
        let this = self.clone();
        socket.on("increment", move |request, ack| {
            this.increment(request, ack)
        });
        let this = self.clone();
        socket.on_fallback(move || this.unknown());
        socket.on_disconnect(move |reason| self.disconnected(reason));
    }

    fn disconnected(&self, reason: DisconnectReason) -> Ready<()> {
        debug!(%reason, "disconnected");
        self.events.metrics.closed(reason);
        if let Some(connection) = self.websocket.as_ref().and_then(Weak::upgrade) {
            connection.leave();
        }
        self.events.fanout.farewell(self.id);
        ready(())
    }

    fn unknown(&self) -> Ready<()> {
        self.events.metrics.unknown_events.inc();
        ready(())
    }

    fn increment(&self, request: Request, ack: AckSender) -> Ready<()> {
        let waiting = Waiting {
            connection: self.connection(),
            ack: request.wants_answer.then_some(ack),
            metrics: self.events.metrics.clone(),
        };
        waiting.begin();
        match request.key {
            Ok(key) => {
                let reply = Box::new(move |result: Result<u64, Arc<store::Error>>| {
                    waiting.end(&match result {
                        Ok(count) => json!(count),
                        Err(error) => json!({ "error": error.to_string() }),
                    });
                });
                self.events.counter.increment(Increment {
                    key,
                    reply: Some(reply),
                });
            }
            Err(malformed) => {
                self.events.metrics.malformed_increment();
                waiting.end(&json!({ "error": malformed }));
            }
        }
        ready(())
    }

    /// Where this client's packets leave now, unless it polls.
    fn connection(&self) -> Option<Arc<Connection>> {
        match &self.websocket {
            Some(connection) => connection.upgrade(),
            None => self.events.fanout.upgraded(self.id),
        }
    }
}

/// An increment between its arrival and its answer.
struct Waiting {
    connection: Option<Arc<Connection>>,
    ack: Option<AckSender>,
    metrics: Arc<Metrics>,
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
                    self.metrics.dropped(Dropped::Unanswered);
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
