//! Engine.IO 4 and Socket.IO 5 packets in the text transport: both ways, without I/O.
//!
//! Decoding borrows its input and allocates nothing for an event or an acknowledgement; encoding appends to a `String`
//! that the caller may reuse. The JSON of a packet is checked and cut into arguments, and left to the caller to
//! deserialize. Binary packets are recognised and refused.
//!
//! References: <https://socket.io/docs/v4/engine-io-protocol/>, <https://socket.io/docs/v4/socket-io-protocol/>.
//!
//! ```
//! use socketio_protocol::{Packet, engine};
//!
//! let engine::Packet::Message(text) = engine::Packet::decode(r#"42["countUpdated",7]"#)? else { panic!() };
//! let Packet::Event(event) = Packet::decode(text)? else { panic!() };
//! assert_eq!((event.namespace, &*event.name, event.args.get(0)), ("/", "countUpdated", Some("7")));
//! # Ok::<(), socketio_protocol::Error>(())
//! ```

mod args;
pub mod engine;
mod error;
mod json;
mod packet;

pub use args::{Args, ArgsBuf};
pub use error::Error;
pub use packet::{Ack, Event, Packet};
