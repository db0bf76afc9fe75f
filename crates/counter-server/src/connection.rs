//! One accepted stream, below HTTP: its two doors, what bounds it, and its end.
//!
//! hyper and later socketioxide own a [`Stream`], the first door; the fan-out holds the
//! [`Connection`] itself, the second. When socketioxide drops its half everything ends here, because
//! tokio-tungstenite never shuts the server's stream down.

mod doors;
#[cfg(test)]
mod model;
#[cfg(test)]
mod properties;
mod wire;

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, SendFlags};
use socketioxide::socket::Sid;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use self::doors::Push;
pub(crate) use self::doors::{Doors, Effects, Outcome, Ready};
use crate::fanout::Fanout;
use crate::frames::Run;

/// Increments of one connection that wait for their answer to leave, at most (and what one read
/// brings more). Below the packets that may wait for a client, so that an answer always finds room.
const MAX_OUTSTANDING: u32 = 2_048;

/// One accepted connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    /// In the order of arrival.
    number: usize,
    accepted: Instant,
    doors: Mutex<Doors>,
    /// Where its shard finds it; touched by that shard alone.
    pub(crate) slot: AtomicU32,
    outstanding: AtomicU32,
    reader: Mutex<Option<Waker>>,
    session: Mutex<Option<Sid>>,
    fanout: Fanout,
}

/// The connection of a WebSocket request, among the request's extensions. Weak, because those live
/// as long as the session, and the descriptor must not.
#[derive(Debug, Clone)]
pub(crate) struct WebSocket(pub(crate) Weak<Connection>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Connection {
    pub(crate) fn new(stream: TcpStream, number: usize, fanout: Fanout) -> Arc<Self> {
        fanout.opened();
        Arc::new(Self {
            stream,
            number,
            accepted: Instant::now(),
            doors: Mutex::default(),
            slot: AtomicU32::new(u32::MAX),
            outstanding: AtomicU32::new(0),
            reader: Mutex::default(),
            session: Mutex::default(),
            fanout,
        })
    }

    /// Its place in the order of arrival.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// How long ago it was accepted.
    pub(crate) fn age(&self) -> Duration {
        self.accepted.elapsed()
    }

    /// The response that follows is the 101 of a WebSocket; `direct` if the session begins with it.
    pub(crate) fn expect_upgrade(&self, direct: bool) {
        lock(&self.doors).expect_upgrade(direct);
    }

    /// This session's first count is on its way to the first door; or it was `polled` already.
    /// Whether the connection still is.
    pub(crate) fn welcome(&self, session: Sid, polled: Option<u64>) -> bool {
        *lock(&self.session) = Some(session);
        lock(&self.doors).welcome(polled)
    }

    /// The client left the namespace.
    pub(crate) fn leave(self: &Arc<Self>) {
        lock(&self.doors).leave();
        self.fanout.leave(self.clone());
    }

    pub(crate) fn session(&self) -> Option<Sid> {
        *lock(&self.session)
    }

    /// Writes a run past socketioxide; never waits.
    pub(crate) fn write_direct(&self, from: Ready, run: &Run) -> Outcome {
        let send = |bytes: &[u8]| {
            let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
            rustix::net::send(&self.stream, bytes, flags).map_err(io::Error::from)
        };
        lock(&self.doors).write_second(from, Some(run), send)
    }

    /// The same for whoever waits on [`Self::writable`]: a full socket is seen by the runtime.
    /// Without a run, only the frame that was begun is completed.
    pub(crate) fn write_when_writable(&self, from: Ready, run: Option<&Run>) -> Outcome {
        lock(&self.doors).write_second(from, run, |bytes| self.stream.try_write(bytes))
    }

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

    /// Waits until there is something to read.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Waits until the socket may take bytes.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.stream.writable().await
    }

    /// Ends a connection whose peer takes nothing: what waits in the kernel is thrown away, and
    /// both halves of the stream wake with an error.
    pub(crate) fn abort(&self) {
        lock(&self.doors).end();
        let socket = socket2::SockRef::from(&self.stream);
        let _ = socket.set_linger(Some(Duration::ZERO));
        let _ = socket.shutdown(std::net::Shutdown::Both);
    }

    /// One more increment waits for its answer.
    pub(crate) fn begin_increment(&self) {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        self.fanout.answers().begin();
    }

    /// These answers left, or were never asked for.
    pub(crate) fn end_increments(&self, answered: u32) {
        // Saturating: an increment that came by polling may be answered after the upgrade.
        let after = |before: u32| before.saturating_sub(answered);
        let before = self
            .outstanding
            .update(Ordering::SeqCst, Ordering::SeqCst, after);
        self.fanout.answers().end(before - after(before));
        if before >= MAX_OUTSTANDING && after(before) < MAX_OUTSTANDING {
            self.wake_reader();
        }
    }

    fn wake_reader(&self) {
        if let Some(waker) = lock(&self.reader).take() {
            waker.wake();
        }
    }

    fn has_room(&self) -> bool {
        self.outstanding.load(Ordering::SeqCst) < MAX_OUTSTANDING
            && !self.fanout.answers().is_settling()
    }

    fn apply(self: &Arc<Self>, effects: Effects) {
        if effects.acknowledged > 0 {
            self.end_increments(effects.acknowledged);
        }
        if effects.probed {
            self.fanout.probed(self);
        }
        if let Some(ready) = effects.ready {
            self.fanout.join(self.clone(), ready);
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.fanout.answers().end(*self.outstanding.get_mut());
        self.fanout.closed();
    }
}

/// The half that hyper and socketioxide own: the first door, and reading.
#[derive(Debug)]
pub(crate) struct Stream(pub(crate) Arc<Connection>);

impl AsyncRead for Stream {
    /// A connection with too many unanswered increments is not read: its client is slowed down by
    /// TCP itself, and nothing piles up here.
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let connection = &self.0;
        if !connection.has_room() {
            *lock(&connection.reader) = Some(context.waker().clone());
            if !connection.has_room() {
                return Poll::Pending;
            }
        }
        loop {
            ready!(connection.stream.poll_read_ready(context))?;
            match connection.try_read(buffer.initialize_unfilled()) {
                Ok(read) => {
                    buffer.advance(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
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
        self.0.fanout.gone(self.0.clone());
    }
}
