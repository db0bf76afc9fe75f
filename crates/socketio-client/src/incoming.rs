//! One message of the server, kept with the text that it borrows from.

use std::fmt;

use socketio_protocol::{Error, Packet, engine};
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// One message of the server: an event or an acknowledgement of the joined namespace.
#[derive(Clone)]
pub struct Incoming {
    /// The whole frame. Checked: it is an Engine.IO message that holds a Socket.IO packet.
    frame: Utf8Bytes,
}

impl Incoming {
    /// Keeps the frame if it holds a Socket.IO packet.
    pub(crate) fn new(frame: Utf8Bytes) -> Result<Self, Error> {
        decode(&frame)?;
        Ok(Self { frame })
    }

    /// The packet, borrowed from this message; cut out of the text again at each call, without allocation.
    #[must_use]
    #[expect(
        clippy::missing_panics_doc,
        reason = "the constructor has decoded the same text"
    )]
    pub fn packet(&self) -> Packet<'_> {
        decode(&self.frame).expect("checked when it came")
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.packet().fmt(f)
    }
}

fn decode(frame: &str) -> Result<Packet<'_>, Error> {
    match engine::Packet::decode(frame)? {
        engine::Packet::Message(text) => Packet::decode(text),
        _ => Err(Error::Expected {
            expected: "message",
            offset: 0,
        }),
    }
}
