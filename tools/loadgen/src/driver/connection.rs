//! One client's connection: from the handshake over the namespace to the events. It owns the state, never waits, and
//! tells a [`Listener`] what happened; when to read and what it means is the swarm's and the audience's business.

use std::{borrow::Cow, io, net::IpAddr};

use super::{
    endpoint::Endpoint,
    frame::{self, Frame},
    http::Answer as HttpAnswer,
    link::{Buffer, Link, Received},
    polling::Polling,
    rounds::{Drained, Look},
    socket::Farewell,
    text::{Answer, Expected},
};
use crate::{plan::Transport, time::Nanos};

/// Follows from the key of [`Endpoint`]'s handshake (RFC 6455, section 4.2.2).
const ACCEPT: &str = "B5uZpQz/z9ZLI4hy386PZ8BvcWQ=";

/// What a connection reports while it reads.
pub(crate) trait Listener {
    /// The namespace is joined, over the transport that stays.
    fn joined(&mut self);
    /// The expected event with this number.
    fn expected(&mut self, number: u64);
    fn acked(&mut self, id: u64, answer: Answer);
    fn heartbeat(&mut self);
    fn malformed(&mut self);
}

/// Why there is no connection any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gone(pub(crate) Cow<'static, str>);

impl Gone {
    pub(crate) fn because(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

impl From<io::Error> for Gone {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::because("the server closed the connection"),
            io::ErrorKind::ConnectionRefused => Self::because("connection refused"),
            io::ErrorKind::ConnectionReset => Self::because("connection reset by the server"),
            _ => Self::because(error.to_string()),
        }
    }
}

/// Which of a connection's two links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Web,
    Polling,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waits for the answer to the WebSocket request.
    Upgrading,
    /// Waits for the Engine.IO handshake.
    Opening,
    /// Waits for the answer to a probe: the session began with polling.
    Probing,
    /// Waits for the namespace.
    Joining,
    Joined,
}

pub(crate) struct Connection {
    pub(super) stage: Stage,
    pub(crate) web: Option<Link>,
    pub(crate) polling: Option<Box<Polling>>,
    pub(super) from: Option<IpAddr>,
    /// The unfinished message of several frames.
    fragments: Option<Vec<u8>>,
    /// How long the server may be silent: ping interval and timeout of its handshake.
    pub(super) patience: Nanos,
    heard: Nanos,
}

impl Connection {
    pub(crate) fn open(endpoint: &Endpoint, from: Option<IpAddr>) -> Result<Self, Gone> {
        let link = Link::connect(endpoint, from)?;
        let (web, polling) = match endpoint.transport {
            Transport::Websocket => (Some(link), None),
            Transport::Upgrade => (None, Some(Box::new(Polling::new(link)))),
        };
        let (stage, patience, heard) = (Stage::Upgrading, Nanos::MAX, 0);
        Ok(Self {
            stage,
            web,
            polling,
            from,
            fragments: None,
            patience,
            heard,
        })
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.stage == Stage::Joined
    }

    pub(crate) fn link(&mut self, side: Side) -> Option<&mut Link> {
        match side {
            Side::Web => self.web.as_mut(),
            Side::Polling => self.polling.as_mut().map(|polling| &mut polling.link),
        }
    }

    /// Whether the server missed its own heartbeat.
    pub(crate) fn is_silent(&self, now: Nanos) -> bool {
        self.is_joined() && now.saturating_sub(self.heard) > self.patience
    }

    pub(crate) fn leave(self, farewell: Farewell) {
        self.web
            .into_iter()
            .chain(self.polling.map(|polling| polling.link))
            .for_each(|link| link.leave(farewell));
    }

    /// The socket takes bytes again, or for the first time.
    pub(crate) fn writable(&mut self, side: Side, endpoint: &Endpoint) -> Result<(), Gone> {
        let Some(link) = self.link(side) else {
            return Ok(());
        };
        if link.connected {
            return Ok(link.flush()?);
        }
        link.establish()?;
        match (side, &mut self.polling) {
            (Side::Polling, Some(polling)) => polling.ask(endpoint),
            (_, polling) => {
                let session = polling.as_ref().and_then(|polling| polling.session.clone());
                self.send_web(&endpoint.websocket(session.as_deref()))
            }
        }
    }

    /// Sends one text message over the WebSocket.
    pub(crate) fn send(&mut self, text: &[u8]) -> Result<(), Gone> {
        let mut bytes = Vec::with_capacity(text.len() + 14);
        frame::write(&mut bytes, frame::TEXT, text);
        self.send_web(&bytes)
    }

    /// Sends whole frames.
    pub(crate) fn send_web(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        let link = self
            .web
            .as_mut()
            .ok_or_else(|| Gone::because("no WebSocket"))?;
        Ok(link.send(bytes)?)
    }

    /// Reads once. Follow it with [`Self::parse`] if there was something.
    pub(crate) fn receive(
        &mut self,
        side: Side,
        buffer: &mut Buffer,
        look: Look,
        apart: bool,
    ) -> Result<Option<Received>, Gone> {
        let Some(link) = self.link(side) else {
            return Ok(None);
        };
        let received = link.receive(buffer, apart)?;
        link.drained = match &received {
            Some(received) if received.is_cut => Drained::Before(look.empty),
            _ => Drained::At(look.at),
        };
        self.heard = look.at;
        Ok(received)
    }

    /// Takes everything that is whole out of the buffer.
    pub(crate) fn parse(
        &mut self,
        side: Side,
        endpoint: &Endpoint,
        expected: &Expected,
        bytes: &[u8],
        listener: &mut impl Listener,
    ) -> Result<(), Gone> {
        let used = match side {
            Side::Web => self.frames(endpoint, expected, bytes, listener)?,
            Side::Polling => self.polled(endpoint, expected, bytes, listener)?,
        };
        if let Some(link) = self.link(side) {
            link.keep(&bytes[used..]);
        }
        Ok(())
    }

    fn frames(
        &mut self,
        endpoint: &Endpoint,
        expected: &Expected,
        bytes: &[u8],
        listener: &mut impl Listener,
    ) -> Result<usize, Gone> {
        let mut at = if self.stage == Stage::Upgrading {
            self.upgraded(bytes)?
        } else {
            0
        };
        while self.stage != Stage::Upgrading {
            let Some(frame) =
                Frame::parse(bytes, at).map_err(|broken| Gone::because(broken.reason()))?
            else {
                break;
            };
            at = frame.payload.1;
            let payload = &bytes[frame.payload.0..frame.payload.1];
            let number = if frame.opcode == frame::TEXT && frame.last {
                expected.number(payload)
            } else {
                None
            };
            match number {
                Some(number) => listener.expected(number),
                None => self.frame(frame, payload, endpoint, expected, listener)?,
            }
        }
        Ok(at)
    }

    /// Reads the answer to the WebSocket request: its length, or 0 as long as it is not whole.
    fn upgraded(&mut self, bytes: &[u8]) -> Result<usize, Gone> {
        let Some(answer) = HttpAnswer::parse(bytes).map_err(Gone::because)? else {
            return Ok(0);
        };
        if answer.status != 101 {
            return Err(Gone::because(answer.describe()));
        }
        if answer.header("sec-websocket-accept") != Some(ACCEPT) {
            return Err(Gone::because(
                "the server accepted another WebSocket key (a cache in between?)",
            ));
        }
        let length = answer.length;
        if self.polling.is_some() {
            self.stage = Stage::Probing;
            self.send(b"2probe")?;
        } else {
            self.stage = Stage::Opening;
        }
        Ok(length)
    }

    /// Everything that is not the expected event in one frame.
    #[cold]
    fn frame(
        &mut self,
        frame: Frame,
        payload: &[u8],
        endpoint: &Endpoint,
        expected: &Expected,
        listener: &mut impl Listener,
    ) -> Result<(), Gone> {
        match frame.opcode {
            0 | frame::TEXT | frame::BINARY if !frame.last || frame.opcode == 0 => {
                let fragments = self.fragments.get_or_insert_default();
                fragments.extend_from_slice(payload);
                if !frame.last {
                    return Ok(());
                }
                let whole = self.fragments.take().unwrap_or_default();
                match expected.number(&whole) {
                    Some(number) => listener.expected(number),
                    None => self.text(Side::Web, &whole, endpoint, listener)?,
                }
                Ok(())
            }
            frame::TEXT => self.text(Side::Web, payload, endpoint, listener),
            frame::PING => {
                let mut bytes = Vec::new();
                frame::write(&mut bytes, frame::PONG, payload);
                self.send_web(&bytes)
            }
            frame::CLOSE => {
                let code = payload
                    .get(..2)
                    .map(|code| u16::from_be_bytes([code[0], code[1]]));
                Err(Gone::because(match code {
                    Some(code) => format!("the server closed the WebSocket with code {code}"),
                    None => "the server closed the WebSocket".into(),
                }))
            }
            _ => Ok(()),
        }
    }
}

/// So that one `Connection` stays small: there are tens of thousands.
const _: () = assert!(size_of::<Connection>() <= 192);
