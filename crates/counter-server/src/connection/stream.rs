//! The half of a connection that hyper and later socketioxide own: the first door, and reading.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use super::doors::Push;
use super::{Connection, Effects, lock};

/// A connection as a stream of bytes.
#[derive(Debug)]
pub(crate) struct Stream(pub(crate) Arc<Connection>);

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let connection = &self.0;
        connection.end_read();
        connection.begin_read();
        let read = connection.poll_fill(context, buffer);
        if let Poll::Ready(Ok(read)) = read {
            buffer.advance(read);
        } else {
            connection.end_read();
        }
        read.map_ok(drop)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let connection = &self.0;
        loop {
            ready!(connection.stream.poll_write_ready(context))?;
            let mut effects = Effects::default();
            let written =
                lock(&connection.doors).write_first(bytes, &mut effects, |bytes, push| {
                    connection.try_send(bytes, push)
                });
            connection.apply(effects);
            match written {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = socket2::SockRef::from(&self.0.stream);
        Poll::Ready(match socket.shutdown(std::net::Shutdown::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            other => other,
        })
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        lock(&self.0.doors).end();
        self.0.end_read();
        self.0.fanout.gone(self.0.clone());
    }
}

impl Connection {
    /// Sends by the first door; a full socket is seen by the runtime.
    fn try_send(&self, bytes: &[u8], push: Push) -> io::Result<usize> {
        let more = match push {
            Push::Now => SendFlags::empty(),
            Push::WithNext => SendFlags::MORE,
        };
        self.stream.try_io(Interest::WRITABLE, || {
            rustix::net::send(&self.stream, bytes, SendFlags::NOSIGNAL | more)
                .map_err(io::Error::from)
        })
    }

    /// Reads. Less than there is room for was all there is: the runtime is told so, which spares
    /// the next read a call that finds nothing.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        let emptied = self.stream.try_io(Interest::READABLE, || {
            (read, _) = rustix::net::recv(&self.stream, &mut *buffer, RecvFlags::empty())?;
            if 0 < read && read < buffer.len() {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        });
        match emptied {
            Err(error) if read == 0 => Err(error),
            _ => Ok(read),
        }
    }

    /// From before bytes are taken from the socket until their reader comes back for more, the
    /// server owes an answer: there may be increments in them that nobody has counted yet.
    fn begin_read(&self) {
        if self.is_websocket.load(Ordering::Relaxed) {
            self.reading.store(true, Ordering::Relaxed);
            self.begin_increment();
        }
    }

    fn end_read(&self) {
        if self.reading.swap(false, Ordering::Relaxed) {
            self.end_increments(1);
        }
    }

    /// Reads, as long as the connection has room for what may come. A connection with too many
    /// unanswered increments is not read: its client is slowed down by TCP itself, and nothing
    /// piles up here.
    fn poll_fill(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        if !self.has_room() {
            *lock(&self.reader) = Some(context.waker().clone());
            if !self.has_room() {
                return Poll::Pending;
            }
        }
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            match self.try_read(buffer.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }
}
