//! One client: connects, upgrades, joins `/`, answers heartbeats, and takes counts in.
//!
//! Packets are accepted in any order: some servers ping before they answer the CONNECT, or send the count before it.

use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::epoll::EventFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send, sockopt};

use super::tally::Tally;
use super::watch::Watch;
use crate::wire::frame::{self, Frame};
use crate::wire::packet::{self, Packet};
use crate::wire::upgrade;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Upgrading,
    Open,
}

/// A connection and what it received.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: OwnedFd,
    stage: Stage,
    /// The beginning of a frame whose end has not come.
    unread: Vec<u8>,
    /// What a full socket did not take.
    unsent: Vec<u8>,
    /// What epoll was last told to watch for.
    pub(crate) registered: EventFlags,
    pub(crate) tally: Tally,
}

impl Connection {
    /// A connection that was just begun.
    pub(crate) fn begun(socket: OwnedFd) -> Self {
        Self {
            socket,
            stage: Stage::Connecting,
            unread: Vec::new(),
            unsent: Vec::new(),
            registered: EventFlags::empty(),
            tally: Tally::default(),
        }
    }

    /// A WebSocket that is open and joined already.
    pub(crate) fn open(socket: OwnedFd, tally: Tally) -> Self {
        Self {
            stage: Stage::Open,
            tally,
            ..Self::begun(socket)
        }
    }

    /// What epoll has to watch for.
    pub(crate) fn interest(&self) -> EventFlags {
        match self.stage {
            Stage::Connecting => EventFlags::OUT,
            _ if self.unsent.is_empty() => EventFlags::IN,
            _ => EventFlags::IN | EventFlags::OUT,
        }
    }

    /// Deals with what epoll says. An error ends the connection.
    pub(crate) fn attend(
        &mut self,
        flags: EventFlags,
        host: &str,
        buffer: &mut [u8],
        watch: &mut Watch,
    ) -> Result<()> {
        if self.stage == Stage::Connecting {
            sockopt::socket_error(&self.socket)?.context("cannot connect")?;
            self.stage = Stage::Upgrading;
            return self.send(upgrade::request(host, None).as_bytes());
        }
        if flags.contains(EventFlags::OUT) {
            let unsent = std::mem::take(&mut self.unsent);
            self.send(&unsent)?;
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            self.read(buffer, watch)?;
        }
        Ok(())
    }

    /// Sends, and keeps what the socket does not take for later.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let taken = if self.unsent.is_empty() {
            match send(&self.socket, bytes, SendFlags::NOSIGNAL) {
                Err(Errno::AGAIN) => 0,
                taken => taken.context("cannot send")?,
            }
        } else {
            0
        };
        self.unsent.extend_from_slice(&bytes[taken..]);
        Ok(())
    }

    /// One `recv` into the buffer that all connections share, and every whole frame in it. What a longer read would
    /// bring, epoll announces again.
    fn read(&mut self, buffer: &mut [u8], watch: &mut Watch) -> Result<()> {
        let kept = self.unread.len();
        ensure!(
            kept < buffer.len(),
            "a frame longer than {} bytes came",
            buffer.len()
        );
        buffer[..kept].copy_from_slice(&self.unread);
        self.unread.clear();
        let (came, _) = match recv(&self.socket, &mut buffer[kept..], RecvFlags::empty()) {
            Err(Errno::AGAIN) => (0, 1),
            came => {
                let came = came.context("cannot receive")?;
                ensure!(came.0 > 0, "the server closed the connection");
                came
            }
        };
        self.take(&buffer[..kept + came], watch)
    }

    /// Takes in all whole frames of `bytes`, and keeps the rest.
    pub(crate) fn take(&mut self, mut bytes: &[u8], watch: &mut Watch) -> Result<()> {
        if self.stage == Stage::Upgrading {
            let Some(head) = upgrade::head_length(bytes) else {
                self.unread.extend_from_slice(bytes);
                return Ok(());
            };
            upgrade::check(&bytes[..head])?;
            bytes = &bytes[head..];
            self.stage = Stage::Open;
        }
        let now = Instant::now();
        while let Some(frame) = frame::first(bytes)? {
            self.obey(&frame, now, watch)?;
            bytes = &bytes[frame.size..];
        }
        self.unread.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn obey(&mut self, frame: &Frame, now: Instant, watch: &mut Watch) -> Result<()> {
        match frame.opcode {
            frame::TEXT => {}
            frame::PING => return self.send_frame(frame::PONG, frame.payload),
            frame::PONG => return Ok(()),
            frame::CLOSE => bail!("the server sent a close frame"),
            other => bail!("a frame of opcode {other} came"),
        }
        match packet::read(frame.payload) {
            Packet::Count(count) => watch.arrived(count, self.tally.receive(count), now),
            Packet::Open(_) => self.send_frame(frame::TEXT, packet::CONNECT)?,
            Packet::Ping => self.send_frame(frame::TEXT, packet::PONG)?,
            Packet::Refused(reason) => bail!(
                "the namespace was refused: {}",
                String::from_utf8_lossy(reason)
            ),
            Packet::Closed => bail!("the server ended the session"),
            Packet::Connected | Packet::Other => {}
        }
        Ok(())
    }

    fn send_frame(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        let mut bytes = Vec::with_capacity(payload.len() + 8);
        frame::from_client(&mut bytes, opcode, payload);
        self.send(&bytes)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
