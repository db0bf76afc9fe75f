//! An asynchronous Socket.IO client over WebSocket: connect, emit, acknowledge, receive, close.
//!
//! It has no tasks of its own. Whoever owns a [`Client`] drives it by calling [`Client::next`], which also answers the
//! server's heartbeats; several clients can live in one task. There is no reconnection either: a failed client is
//! dropped, and a new one connected, when and how its owner likes.
//!
//! ```no_run
//! # async fn example() -> Result<(), socketio_client::Error> {
//! use socketio_client::{Client, Options, Packet};
//!
//! let mut client = Client::connect(&Options::new("http://127.0.0.1:3000")?).await?;
//! let answer = client.call("increment", &[]).await?;
//! println!("acknowledged: {answer:?}");
//! loop {
//!     if let Packet::Event(event) = client.next().await?.packet() {
//!         println!("{} {:?}", event.name, event.args);
//!     }
//! }
//! # }
//! ```

mod client;
mod error;
mod heartbeat;
mod incoming;
mod options;
mod socket;
mod stream;
mod upgrade;

pub use client::Client;
pub use error::{CloseReason, Error, Stage};
pub use incoming::Incoming;
pub use options::Options;
pub use socketio_protocol::{Ack, Args, Event, Packet, engine::Handshake};
