//! Everything that can go wrong with a client, told apart as far as its owner would act differently.

use std::{fmt, io, time::Duration};

use tokio_tungstenite::tungstenite;

/// What went wrong. Except for [`Error::AckTimeout`], the client is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The options cannot lead to a connection.
    #[error("cannot use the URL {url:?}: {reason}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// No TCP connection: refused, unreachable, unknown host, or no such source address.
    #[error("cannot connect to {address}")]
    Connect {
        /// Host and port that were tried.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// No TLS session over the TCP connection, as for a certificate that nobody vouches for.
    #[error("no TLS session with {address}")]
    Tls {
        /// Host and port that were tried.
        address: String,
        /// What the TLS library said.
        source: io::Error,
    },
    /// The server did not get through `stage` of connecting in time.
    #[error("{address}: {stage} after {after:?}")]
    ConnectTimeout {
        /// Host and port that were tried.
        address: String,
        /// What was not there yet.
        stage: Stage,
        /// The time that connecting was given as a whole.
        after: Duration,
    },
    /// The server answered the WebSocket request with something else.
    #[error("the server answered HTTP {status} instead of opening a WebSocket: {body}")]
    Http {
        /// The status code.
        status: u16,
        /// The beginning of the answer's body, on one line; "empty body" if there is none.
        body: String,
    },
    /// The server sent what the protocols do not allow.
    #[error("the server does not speak Socket.IO 5 over Engine.IO 4: {reason}")]
    Protocol {
        /// What it sent, and what should have come.
        reason: String,
    },
    /// The server refused the namespace (`CONNECT_ERROR`).
    #[error("the server refused the namespace {namespace}: {payload}")]
    Rejected {
        /// The namespace that was asked for.
        namespace: String,
        /// What the server gave as the reason; a stock server sends `{"message": …}`.
        payload: serde_json::Value,
    },
    /// Nothing came from the server for as long as its own heartbeat allows.
    #[error("heartbeat timeout: nothing from the server for {after:?}")]
    HeartbeatTimeout {
        /// Ping interval and ping timeout of the handshake together.
        after: Duration,
    },
    /// The server did not acknowledge an event in time. The client goes on: a late answer comes from `next`.
    #[error("the server did not acknowledge {event:?} within {after:?}")]
    AckTimeout {
        /// The event that was emitted.
        event: String,
        /// The id that its acknowledgement would have.
        id: u64,
        /// The time that it was given.
        after: Duration,
    },
    /// More messages came during one `call` than are kept for `next`.
    #[error(
        "{kept} messages came before an acknowledgement; read them with next() instead of calling"
    )]
    Overrun {
        /// How many are kept.
        kept: usize,
    },
    /// The connection ended.
    #[error("connection closed: {reason}")]
    Closed {
        /// How it ended.
        reason: CloseReason,
    },
    /// The server did not confirm the end of the connection in time.
    #[error("the server did not confirm the end of the connection within {after:?}")]
    CloseTimeout {
        /// The time that it was given.
        after: Duration,
    },
    /// The connection broke, or the server violated the WebSocket protocol or this client's limits.
    #[error("connection failed")]
    WebSocket(#[source] Box<tungstenite::Error>),
}

/// How far connecting had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Host name and TCP.
    Tcp,
    /// TLS, on `https` and `wss` only.
    Tls,
    /// The HTTP request that opens the WebSocket.
    Upgrade,
    /// The Engine.IO handshake.
    Handshake,
    /// The answer to the namespace's CONNECT.
    Namespace,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "no TCP connection",
            Self::Tls => "no TLS session",
            Self::Upgrade => "no answer to the WebSocket request",
            Self::Handshake => "no Engine.IO handshake",
            Self::Namespace => "no answer to the namespace's CONNECT",
        })
    }
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The server disconnected the client from the namespace.
    Disconnected,
    /// The server ended the Engine.IO session.
    SessionClosed,
    /// The server sent a WebSocket Close frame.
    Frame {
        /// Its code; 1005 if it had none.
        code: u16,
        /// Its text, often empty.
        text: String,
    },
    /// The TCP connection ended without a word.
    Lost,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disconnected => f.write_str("the server disconnected this client"),
            Self::SessionClosed => f.write_str("the server ended the session"),
            Self::Frame { code, text } if text.is_empty() => {
                write!(f, "the server closed it with code {code}")
            }
            Self::Frame { code, text } => {
                write!(f, "the server closed it with code {code}, {text:?}")
            }
            Self::Lost => f.write_str("the server is gone"),
        }
    }
}

impl From<tungstenite::Error> for Error {
    fn from(error: tungstenite::Error) -> Self {
        use tungstenite::{Error as Ws, error::ProtocolError};
        match error {
            Ws::ConnectionClosed
            | Ws::AlreadyClosed
            | Ws::Protocol(
                ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing,
            ) => Self::Closed {
                reason: CloseReason::Lost,
            },
            Ws::Io(error) if is_loss(&error) => Self::Closed {
                reason: CloseReason::Lost,
            },
            other => Self::WebSocket(Box::new(other)),
        }
    }
}

/// Whether the error only says that the other side is gone.
fn is_loss(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof
    )
}
