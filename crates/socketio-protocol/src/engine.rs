//! Engine.IO 4: the packets under Socket.IO, as text frames of a WebSocket, and the handshake.
//!
//! Reference: <https://socket.io/docs/v4/engine-io-protocol/>.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;

/// One Engine.IO packet: a type digit, then its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The server's first packet: the JSON text of a [`Handshake`].
    Open(&'a str),
    /// The other side ends the session.
    Close,
    /// Heartbeat question; its data ("probe" during an upgrade) comes back in the pong.
    Ping(&'a str),
    /// Heartbeat answer.
    Pong(&'a str),
    /// What Engine.IO carries: here, a Socket.IO packet.
    Message(&'a str),
    /// The client has moved to this transport.
    Upgrade,
    /// Nothing; it ends a poll that waits.
    Noop,
}

/// The type digit of [`Packet::Message`].
pub(crate) const MESSAGE: char = '4';

impl<'a> Packet<'a> {
    /// Reads one text frame.
    pub fn decode(text: &'a str) -> Result<Self, Error> {
        let found = text.chars().next().ok_or(Error::Empty { offset: 0 })?;
        let data = &text[found.len_utf8()..];
        let packet = match found {
            '0' => Self::Open(data),
            '1' => Self::Close,
            '2' => Self::Ping(data),
            '3' => Self::Pong(data),
            MESSAGE => Self::Message(data),
            '5' => Self::Upgrade,
            '6' => Self::Noop,
            _ => return Err(Error::UnknownType { found, offset: 0 }),
        };
        if matches!(packet, Self::Close | Self::Upgrade | Self::Noop) && !data.is_empty() {
            return Err(Error::Expected {
                expected: "end of packet",
                offset: 1,
            });
        }
        Ok(packet)
    }

    /// Appends the text frame to `out`.
    pub fn encode(&self, out: &mut String) {
        let (digit, data) = match *self {
            Self::Open(json) => ('0', json),
            Self::Close => ('1', ""),
            Self::Ping(data) => ('2', data),
            Self::Pong(data) => ('3', data),
            Self::Message(text) => (MESSAGE, text),
            Self::Upgrade => ('5', ""),
            Self::Noop => ('6', ""),
        };
        out.push(digit);
        out.push_str(data);
    }
}

/// What the server says of the session in its first packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// The id of the Engine.IO session.
    pub sid: String,
    /// The transports that the client may move to.
    #[serde(default)]
    pub upgrades: Vec<String>,
    /// From one ping of the server to the next.
    #[serde(with = "milliseconds")]
    pub ping_interval: Duration,
    /// How long either side waits for the other's part of a heartbeat.
    #[serde(with = "milliseconds")]
    pub ping_timeout: Duration,
    /// Bytes that one polling answer may hold; `None` from servers that do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_payload: Option<u64>,
}

impl Handshake {
    /// Reads the data of [`Packet::Open`]. Offsets in errors count from the start of `json`.
    pub fn decode(json: &str) -> Result<Self, Error> {
        serde_json::from_str(json).map_err(|error| {
            // The handshake is one line of ASCII from every known server, so the column is the offset.
            Error::Content {
                reason: error.to_string(),
                offset: error.column().saturating_sub(1),
            }
        })
    }
}

/// Durations are whole milliseconds on the wire.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_millis() as u64)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
