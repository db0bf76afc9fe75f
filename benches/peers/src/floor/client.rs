//! One connection of the floor server.

use anyhow::{Context as _, Result, bail, ensure};
use rustix::event::epoll::EventFlags;
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::wire::{frame, packet, upgrade};

/// A client that is behind gets at most about so many bytes at one time.
const PIECE: usize = 64 * 1024;
const HANDSHAKE: &str =
    r#""upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

#[derive(PartialEq, Eq)]
enum Stage {
    Http,
    Open,
    /// Joined, with the last count of which at least a part was sent.
    Joined(u64),
}

pub(super) struct Client {
    pub(super) socket: OwnedFd,
    /// What epoll watches for at present.
    pub(super) watched: EventFlags,
    stage: Stage,
    /// The beginning of something whose end has not come.
    unread: Vec<u8>,
    /// The end of something that the socket took a part of.
    unsent: Vec<u8>,
    /// Has not got all counts.
    behind: bool,
}

impl Client {
    pub(super) fn new(socket: OwnedFd) -> Self {
        let (unread, unsent) = (Vec::new(), Vec::new());
        Self {
            socket,
            watched: EventFlags::IN,
            stage: Stage::Http,
            unread,
            unsent,
            behind: false,
        }
    }

    /// What epoll has to watch for.
    pub(super) fn interest(&self) -> EventFlags {
        if self.behind || !self.unsent.is_empty() {
            EventFlags::IN | EventFlags::OUT
        } else {
            EventFlags::IN
        }
    }

    /// The hot path: one `send` of the frame of the newest count.
    pub(super) fn count(&mut self, frame: &[u8], count: u64) -> Result<()> {
        let Stage::Joined(last) = &mut self.stage else {
            return Ok(());
        };
        if self.behind || !self.unsent.is_empty() {
            self.behind = true;
            return Ok(());
        }
        let taken = taken(&self.socket, frame)?;
        if taken == 0 {
            self.behind = true;
        } else {
            *last = count;
            self.unsent.extend_from_slice(&frame[taken..]);
        }
        Ok(())
    }

    /// A heartbeat, unless the client is behind.
    pub(super) fn ping(&mut self, frame: &[u8]) -> Result<()> {
        if self.stage == Stage::Http || self.behind || !self.unsent.is_empty() {
            Ok(())
        } else {
            self.send(frame)
        }
    }

    /// Deals with what epoll says; answers the increments that came. An error ends the connection.
    pub(super) fn attend(
        &mut self,
        flags: EventFlags,
        newest: u64,
        buffer: &mut [u8],
    ) -> Result<usize> {
        if flags.contains(EventFlags::OUT) {
            self.catch_up(newest)?;
        }
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return Ok(0);
        }
        let kept = self.unread.len();
        ensure!(kept < buffer.len(), "the client sends something too long");
        buffer[..kept].copy_from_slice(&self.unread);
        let (came, _) = match recv(&self.socket, &mut buffer[kept..], RecvFlags::empty()) {
            Err(Errno::AGAIN) => return Ok(0),
            came => came.context("cannot receive")?,
        };
        ensure!(came > 0, "the client left");
        self.unread.clear();
        self.take(&buffer[..kept + came], newest)
    }

    fn take(&mut self, mut bytes: &[u8], newest: u64) -> Result<usize> {
        let mut increments = 0;
        if self.stage == Stage::Http {
            let Some(head) = upgrade::head_length(bytes) else {
                self.unread.extend_from_slice(bytes);
                return Ok(0);
            };
            self.open(&bytes[..head])?;
            bytes = &bytes[head..];
        }
        while let Some(frame) = frame::first(bytes)? {
            bytes = &bytes[frame.size..];
            let payload = frame.unmasked();
            match frame.opcode {
                frame::TEXT if payload == packet::INCREMENT => increments += 1,
                frame::TEXT if payload.starts_with(packet::CONNECT) => self.join(newest)?,
                frame::TEXT if payload.starts_with(b"1") || payload.starts_with(b"41") => {
                    bail!("the client leaves")
                }
                frame::CLOSE => bail!("the client closes"),
                _ => {}
            }
        }
        self.unread.extend_from_slice(bytes);
        Ok(increments)
    }

    fn open(&mut self, head: &[u8]) -> Result<()> {
        let head = std::str::from_utf8(head).context("the request is no text")?;
        let Some(key) = upgrade::header(head, "sec-websocket-key") else {
            self.send(
                b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            )?;
            bail!("not a WebSocket request");
        };
        let mut bytes = upgrade::accept(key).into_bytes();
        let handshake = format!("0{{\"sid\":\"{}\",{HANDSHAKE}", self.id());
        frame::from_server(&mut bytes, frame::TEXT, handshake.as_bytes());
        self.stage = Stage::Open;
        self.send(&bytes)
    }

    fn join(&mut self, newest: u64) -> Result<()> {
        let mut bytes = Vec::new();
        frame::from_server(
            &mut bytes,
            frame::TEXT,
            format!("40{{\"sid\":\"{}\"}}", self.id()).as_bytes(),
        );
        count_frame(&mut bytes, newest);
        self.stage = Stage::Joined(newest);
        self.send(&bytes)
    }

    fn id(&self) -> String {
        use rustix::fd::AsRawFd as _;
        format!("floor-{}", self.socket.as_raw_fd())
    }

    /// Sends what is left, then the counts that were missed, piece by piece until the socket is full again.
    fn catch_up(&mut self, newest: u64) -> Result<()> {
        loop {
            let bytes = std::mem::take(&mut self.unsent);
            let sent = taken(&self.socket, &bytes)?;
            self.unsent.extend_from_slice(&bytes[sent..]);
            if !self.unsent.is_empty() || !self.behind {
                return Ok(());
            }
            let Stage::Joined(last) = &mut self.stage else {
                return Ok(());
            };
            while *last < newest && self.unsent.len() < PIECE {
                *last += 1;
                count_frame(&mut self.unsent, *last);
            }
            self.behind = *last < newest;
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        if self.unsent.is_empty() {
            let taken = taken(&self.socket, bytes)?;
            self.unsent.extend_from_slice(&bytes[taken..]);
        } else {
            self.unsent.extend_from_slice(bytes);
        }
        Ok(())
    }
}

/// Appends the frame of a count.
pub(super) fn count_frame(out: &mut Vec<u8>, count: u64) {
    let mut text = Vec::with_capacity(40);
    packet::count(&mut text, count);
    frame::from_server(out, frame::TEXT, &text);
}

/// Bytes that the socket takes now.
fn taken(socket: &OwnedFd, bytes: &[u8]) -> Result<usize> {
    match send(socket, bytes, SendFlags::NOSIGNAL) {
        Err(Errno::AGAIN) => Ok(0),
        taken => taken.context("cannot send"),
    }
}
