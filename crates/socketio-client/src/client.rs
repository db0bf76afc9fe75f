//! One client of one namespace: what goes out, what comes in, and which acknowledgement belongs to what.

use std::{collections::VecDeque, time::Duration};

use serde_json::Value;
use socketio_protocol::{Ack, ArgsBuf, Event, Packet, engine::Handshake};
use tokio::time::timeout;

use crate::{
    CloseReason, Error, Incoming, Options, Stage,
    socket::{Socket, malformed},
};

/// Messages that are kept for `next` while `call` waits for its acknowledgement.
const MAX_BACKLOG: usize = 65_536;

/// A client that has joined its namespace.
///
/// Nothing happens between calls: heartbeats are answered inside [`Client::next`] and [`Client::call`], so that one of
/// them must be called at least once per heartbeat interval of the server.
pub struct Client {
    socket: Socket,
    namespace: String,
    id: Option<String>,
    ack_timeout: Duration,
    /// The id of the next event that wants an acknowledgement.
    next_ack: u64,
    /// What came while `call` waited for something else.
    backlog: VecDeque<Incoming>,
}

impl Client {
    /// Connects, and returns after the server has let the client into the namespace.
    pub async fn connect(options: &Options) -> Result<Self, Error> {
        let mut stage = Stage::Tcp;
        match timeout(options.connect_timeout, Self::join(options, &mut stage)).await {
            Ok(joined) => joined,
            Err(_) => Err(Error::ConnectTimeout {
                address: options.origin.address(),
                stage,
                after: options.connect_timeout,
            }),
        }
    }

    async fn join(options: &Options, stage: &mut Stage) -> Result<Self, Error> {
        let mut socket = Socket::open(options, stage).await?;
        *stage = Stage::Namespace;
        let payload = options.auth.as_ref().map(Value::to_string);
        socket
            .send(frame(&Packet::Connect {
                namespace: &options.namespace,
                payload: payload.as_deref(),
            }))
            .await?;
        let mut client = Self {
            socket,
            namespace: options.namespace.clone(),
            id: None,
            ack_timeout: options.ack_timeout,
            next_ack: 0,
            backlog: VecDeque::new(),
        };
        loop {
            let incoming = client.receive().await?;
            match incoming.packet() {
                Packet::Connect { payload, .. } => {
                    let payload: Option<Value> =
                        payload.and_then(|json| serde_json::from_str(json).ok());
                    client.id =
                        payload.and_then(|payload| Some(payload.get("sid")?.as_str()?.to_owned()));
                    return Ok(client);
                }
                Packet::ConnectError { namespace, payload } => {
                    return Err(Error::Rejected {
                        namespace: namespace.to_owned(),
                        payload: serde_json::from_str(payload).unwrap_or_else(|_| payload.into()),
                    });
                }
                // No server sends an event before its CONNECT; one that did would mean it for us.
                _ => client.keep(incoming)?,
            }
        }
    }

    /// The id that the server gave this client in its namespace; `None` from servers that give none.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What the server said of the session, heartbeat intervals among it.
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        &self.socket.handshake
    }

    /// Emits an event, and returns when the kernel has taken it. If cancelled, it was sent whole or not at all.
    pub async fn emit(&mut self, event: &str, args: &[Value]) -> Result<(), Error> {
        self.send_event(None, event, args).await
    }

    /// Emits an event that wants an acknowledgement; it comes from [`Client::next`] with the id returned here. Ids
    /// begin at 0 and grow by one.
    pub async fn emit_with_ack(&mut self, event: &str, args: &[Value]) -> Result<u64, Error> {
        let id = self.next_ack;
        self.next_ack += 1;
        self.send_event(Some(id), event, args).await?;
        Ok(id)
    }

    /// Emits an event, and waits for what the server answers, for no longer than the options' `ack_timeout`. What else
    /// comes meanwhile is kept for [`Client::next`].
    pub async fn call(&mut self, event: &str, args: &[Value]) -> Result<Vec<Value>, Error> {
        let id = self.emit_with_ack(event, args).await?;
        let after = self.ack_timeout;
        match timeout(after, self.answer(id)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::AckTimeout {
                event: event.to_owned(),
                id,
                after,
            }),
        }
    }

    async fn answer(&mut self, id: u64) -> Result<Vec<Value>, Error> {
        loop {
            let incoming = self.message().await?;
            match incoming.packet() {
                Packet::Ack(ack) if ack.id == id => {
                    return ack.args.values().map_err(|error| Error::Protocol {
                        reason: format!(
                            "the acknowledgement {:?} cannot be read: {error}",
                            ack.args
                        ),
                    });
                }
                _ => self.keep(incoming)?,
            }
        }
    }

    /// Answers an event of the server that came with `id`.
    pub async fn ack(&mut self, id: u64, args: &[Value]) -> Result<(), Error> {
        let args = arguments(args);
        let packet = Packet::Ack(Ack {
            namespace: &self.namespace,
            id,
            args: args.as_args(),
        });
        self.socket.send(frame(&packet)).await
    }

    /// The next event or acknowledgement. Cancel-safe: what a dropped call has begun, the next one goes on with.
    pub async fn next(&mut self) -> Result<Incoming, Error> {
        match self.backlog.pop_front() {
            Some(incoming) => Ok(incoming),
            None => self.message().await,
        }
    }

    /// Leaves the namespace and closes the connection; returns when the server has confirmed.
    pub async fn close(mut self) -> Result<(), Error> {
        let goodbye = frame(&Packet::Disconnect {
            namespace: &self.namespace,
        });
        self.socket.send(goodbye).await?;
        self.socket.close().await
    }

    async fn send_event(
        &mut self,
        id: Option<u64>,
        event: &str,
        args: &[Value],
    ) -> Result<(), Error> {
        let args = arguments(args);
        let event = Event {
            namespace: &self.namespace,
            id,
            name: event.into(),
            args: args.as_args(),
        };
        self.socket.send(frame(&Packet::Event(event))).await
    }

    /// The next event or acknowledgement, past the backlog.
    async fn message(&mut self) -> Result<Incoming, Error> {
        loop {
            let incoming = self.receive().await?;
            match incoming.packet() {
                Packet::Event(_) | Packet::Ack(_) => return Ok(incoming),
                Packet::Disconnect { .. } => {
                    return Err(Error::Closed {
                        reason: CloseReason::Disconnected,
                    });
                }
                Packet::Connect { .. } | Packet::ConnectError { .. } => {}
            }
        }
    }

    /// The next packet of this namespace.
    async fn receive(&mut self) -> Result<Incoming, Error> {
        loop {
            let text = self.socket.message().await?;
            let incoming = Incoming::new(text.clone()).map_err(|error| malformed(&text, &error))?;
            if incoming.packet().namespace() == self.namespace {
                return Ok(incoming);
            }
        }
    }

    fn keep(&mut self, incoming: Incoming) -> Result<(), Error> {
        if self.backlog.len() == MAX_BACKLOG {
            return Err(Error::Overrun { kept: MAX_BACKLOG });
        }
        self.backlog.push_back(incoming);
        Ok(())
    }
}

fn arguments(args: &[Value]) -> ArgsBuf {
    ArgsBuf::new(args).expect("a Value always has a JSON text")
}

fn frame(packet: &Packet<'_>) -> String {
    let mut frame = String::new();
    packet.encode_message(&mut frame);
    frame
}
