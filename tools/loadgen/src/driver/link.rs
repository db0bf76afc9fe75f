//! One TCP connection, in clear or with TLS: bytes in, bytes out, and what could not be finished yet. Of what came in,
//! only an unfinished rest is kept; everything else lives in a [`Buffer`] that all links of a thread share.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd},
};

use super::{
    endpoint::Endpoint,
    poller::Interest,
    rounds::Drained,
    socket::{Farewell, Socket},
    tls::Session,
};
use crate::time::{Nanos, now};

/// Read at most so much at a time.
const ROOM: usize = 64 << 10;

pub(crate) struct Link {
    socket: Socket,
    tls: Option<Box<Session>>,
    rest: Vec<u8>,
    out: Vec<u8>,
    /// Whether the TCP connection stands.
    pub(crate) connected: bool,
    /// What the poller watches for; `None`: it does not know the link yet.
    pub(crate) watched: Option<Interest>,
    pub(super) drained: Drained,
}

#[derive(Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
    plain: Vec<u8>,
}

impl Buffer {
    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    fn reserve(&mut self, length: usize) {
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
    }
}

/// A read: bytes from the network, and the kernel's stamps of the first and the last of them in wall-clock time.
pub(crate) struct Received {
    pub(crate) bytes: usize,
    pub(crate) first: Option<Nanos>,
    pub(crate) last: Option<Nanos>,
    /// Whether the socket had more than was asked for.
    pub(crate) is_cut: bool,
}

impl Link {
    pub(crate) fn connect(endpoint: &Endpoint, from: Option<IpAddr>) -> io::Result<Self> {
        let socket = Socket::connect(endpoint.address, from)?;
        let session = endpoint
            .tls
            .as_ref()
            .map(|(config, name)| Session::new(config, name));
        Ok(Self {
            socket,
            tls: session.transpose()?.map(Box::new),
            rest: Vec::new(),
            out: Vec::new(),
            connected: false,
            watched: None,
            drained: Drained::At(now()),
        })
    }

    /// Call when the socket became writable for the first time, then send.
    pub(crate) fn establish(&mut self) -> io::Result<()> {
        self.socket.connected()?;
        self.connected = true;
        Ok(())
    }

    /// Sends now what the socket takes, and keeps the rest.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.seal(bytes)?;
            return self.flush();
        }
        let sent = if self.out.is_empty() {
            self.try_send(bytes)?
        } else {
            0
        };
        self.out.extend_from_slice(&bytes[sent..]);
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            tls.flush_into(&mut self.out)?;
        }
        let sent = self.try_send(&self.out)?;
        self.out.drain(..sent);
        if self.out.is_empty() {
            self.out = Vec::new();
        }
        Ok(())
    }

    fn try_send(&self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        match self.socket.send(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            sent => sent,
        }
    }

    /// Whether the socket did not take everything.
    pub(crate) fn is_behind(&self) -> bool {
        !self.out.is_empty()
    }

    pub(crate) fn interest(&self) -> Interest {
        if self.connected && self.out.is_empty() {
            Interest::Read
        } else {
            Interest::ReadWrite
        }
    }

    /// Reads once; afterwards `buffer` holds the rest of the last read and what came now. `None`: there was nothing.
    /// With `apart` the first byte is read by itself: a read has one stamp, and it is that of its newest byte.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut Buffer,
        apart: bool,
    ) -> io::Result<Option<Received>> {
        let kept = self.rest.len();
        buffer.reserve(kept + ROOM);
        let room = &mut buffer.bytes[kept..kept + ROOM];
        let most = if apart { 1 } else { ROOM };
        let Some((head, first)) = some(self.socket.receive(&mut room[..most]))? else {
            return Ok(None);
        };
        let more = if apart && head > 0 {
            some(self.socket.receive(&mut room[head..]))?
        } else {
            None
        };
        let is_cut = head + more.map_or(0, |more| more.0) == ROOM;
        // An end of the stream right behind the first byte shows again in the next read.
        let (tail, last) = more.filter(|more| more.0 > 0).unwrap_or((0, first));
        let bytes = head + tail;
        if bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        buffer.filled = kept + bytes;
        if let Some(tls) = &mut self.tls {
            buffer.plain.clear();
            tls.open(&buffer.bytes[kept..kept + bytes], &mut buffer.plain)?;
            buffer.filled = kept + buffer.plain.len();
            buffer.reserve(buffer.filled);
            buffer.bytes[kept..buffer.filled].copy_from_slice(&buffer.plain);
            self.flush()?;
        }
        buffer.bytes[..kept].copy_from_slice(&self.rest);
        Ok(Some(Received {
            bytes,
            first,
            last,
            is_cut,
        }))
    }

    /// What of the buffer has to wait for more.
    pub(crate) fn keep(&mut self, rest: &[u8]) {
        self.rest.clear();
        self.rest.extend_from_slice(rest);
    }

    pub(crate) fn leave(self, farewell: Farewell) {
        self.socket.leave(farewell);
    }
}

/// Nothing to read is no error.
fn some<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        read => read.map(Some),
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
