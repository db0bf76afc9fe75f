//! One Engine.IO session over one WebSocket: handshake, heartbeats, messages, close.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use socketio_protocol::engine::{Handshake, Packet};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, Utf8Bytes, protocol::WebSocketConfig},
};

use crate::{
    CloseReason, Error, Options, Stage,
    heartbeat::Heartbeat,
    stream::{self, ByteStream},
    upgrade::upgrade,
};

/// Bytes; tungstenite's own 128 KiB are allocated eagerly, for each connection.
const READ_BUFFER: usize = 1 << 10;
/// How long a server may take to confirm a Close frame.
const CLOSE_PATIENCE: Duration = Duration::from_secs(2);

type WebSocket = WebSocketStream<Box<dyn ByteStream>>;

/// An open session.
pub(crate) struct Socket {
    ws: WebSocket,
    pub(crate) handshake: Handshake,
    heartbeat: Heartbeat,
    /// The answer to the last ping, until the WebSocket takes it.
    pong: Option<String>,
    /// Whether the WebSocket holds bytes that the kernel has not taken.
    unflushed: bool,
}

impl Socket {
    /// Connects and reads the handshake; `stage` tells whoever gives up how far it has come.
    pub(crate) async fn open(options: &Options, stage: &mut Stage) -> Result<Self, Error> {
        *stage = Stage::Tcp;
        let tcp = stream::tcp(options).await?;
        let stream: Box<dyn ByteStream> = if options.origin.secure {
            *stage = Stage::Tls;
            Box::new(stream::tls(options, tcp).await?)
        } else {
            Box::new(tcp)
        };
        *stage = Stage::Upgrade;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(options.max_message))
            .max_frame_size(Some(options.max_message));
        let mut ws = upgrade(options, stream, config).await?;
        *stage = Stage::Handshake;
        let handshake = handshake(&mut ws).await?;
        let heartbeat = Heartbeat::new(&handshake);
        Ok(Self {
            ws,
            handshake,
            heartbeat,
            pong: None,
            unflushed: false,
        })
    }

    /// Sends a text frame, and returns when the kernel has all of it; if cancelled, the rest goes out with the next call. A server that takes nothing for as long as its
    /// heartbeat allows is as dead as a silent one.
    pub(crate) async fn send(&mut self, frame: String) -> Result<(), Error> {
        let after = self.heartbeat.patience;
        let sending = async {
            self.ws.feed(Message::text(frame)).await?;
            self.unflushed = true;
            self.ws.flush().await?;
            self.unflushed = false;
            Ok(())
        };
        timeout(after, sending)
            .await
            .map_err(|_| Error::HeartbeatTimeout { after })?
    }

    /// The next frame that holds a message. Cancel-safe: what is half done is kept in `self`.
    pub(crate) async fn message(&mut self) -> Result<Utf8Bytes, Error> {
        poll_fn(|cx| self.poll_message(cx)).await
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Utf8Bytes, Error>> {
        loop {
            self.poll_write(cx);
            match self.ws.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(message))) => {
                    self.heartbeat.alive();
                    if let Some(frame) = self.handle(message)? {
                        return Poll::Ready(Ok(frame));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error.into())),
                Poll::Ready(None) => {
                    return Poll::Ready(Err(Error::Closed {
                        reason: CloseReason::Lost,
                    }));
                }
                // Only now is it certain that no ping is waiting to be read.
                Poll::Pending => {
                    let after = self.heartbeat.patience;
                    return self
                        .heartbeat
                        .poll_silence(cx)
                        .map(|()| Err(Error::HeartbeatTimeout { after }));
                }
            }
        }
    }

    /// Moves the pong and whatever is unflushed as far as the kernel takes it. A failure is not reported here: reading
    /// reports it too, and after all that the server has still said.
    fn poll_write(&mut self, cx: &mut Context<'_>) {
        if self.pong.is_some() && self.ws.poll_ready_unpin(cx).is_ready() {
            let pong = self.pong.take().unwrap_or_default();
            self.unflushed = self.ws.start_send_unpin(Message::text(pong)).is_ok();
        }
        if self.unflushed {
            self.unflushed = Pin::new(&mut self.ws).poll_flush_unpin(cx).is_pending();
        }
    }

    /// Takes care of everything but messages, which it gives back.
    fn handle(&mut self, message: Message) -> Result<Option<Utf8Bytes>, Error> {
        let Some(frame) = text(message)? else {
            return Ok(None);
        };
        match Packet::decode(&frame).map_err(|error| malformed(&frame, &error))? {
            Packet::Message(_) => return Ok(Some(frame)),
            Packet::Ping(data) => {
                let mut pong = String::new();
                Packet::Pong(data).encode(&mut pong);
                self.pong = Some(pong);
            }
            Packet::Close => {
                return Err(Error::Closed {
                    reason: CloseReason::SessionClosed,
                });
            }
            // None of them is for a client whose only transport is open; none does harm.
            Packet::Open(_) | Packet::Pong(_) | Packet::Upgrade | Packet::Noop => {}
        }
        Ok(None)
    }

    /// Says goodbye, and reads on until the server has confirmed: unread bytes would turn the end of the TCP connection
    /// into a reset, which can destroy what the server has not read yet.
    pub(crate) async fn close(mut self) -> Result<(), Error> {
        let closing = async {
            self.ws.close(None).await?;
            while let Some(message) = self.ws.next().await {
                message?;
            }
            Ok::<_, tokio_tungstenite::tungstenite::Error>(())
        };
        match timeout(CLOSE_PATIENCE, closing)
            .await
            .map(|closed| closed.map_err(Error::from))
        {
            Ok(Ok(()) | Err(Error::Closed { .. })) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::CloseTimeout {
                after: CLOSE_PATIENCE,
            }),
        }
    }
}

async fn handshake(ws: &mut WebSocket) -> Result<Handshake, Error> {
    loop {
        let message = ws.next().await.ok_or(Error::Closed {
            reason: CloseReason::Lost,
        })??;
        let Some(frame) = text(message)? else {
            continue;
        };
        return match Packet::decode(&frame).map_err(|error| malformed(&frame, &error))? {
            Packet::Open(json) => {
                Handshake::decode(json).map_err(|error| malformed(&frame, &error))
            }
            _ => Err(Error::Protocol {
                reason: format!("handshake expected, got {}", excerpt(&frame)),
            }),
        };
    }
}

/// The text of a text frame; nothing for the WebSocket's own pings and pongs, which tungstenite answers.
fn text(message: Message) -> Result<Option<Utf8Bytes>, Error> {
    match message {
        Message::Text(text) => Ok(Some(text)),
        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(None),
        Message::Binary(_) => Err(Error::Protocol {
            reason: "it sent a binary frame, which is not supported".to_owned(),
        }),
        Message::Close(frame) => {
            let (code, text) = frame.map_or((1005, String::new()), |f| {
                (f.code.into(), f.reason.to_string())
            });
            Err(Error::Closed {
                reason: CloseReason::Frame { code, text },
            })
        }
    }
}

/// The error for a frame that is none of the protocol's.
pub(crate) fn malformed(frame: &str, error: &socketio_protocol::Error) -> Error {
    Error::Protocol {
        reason: format!("{error} in {}", excerpt(frame)),
    }
}

/// At most 80 characters of what the server sent, quoted.
fn excerpt(frame: &str) -> String {
    match frame.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &frame[..end]),
        None => format!("{frame:?}"),
    }
}
