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
mod sending;
mod stream;
mod wire;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use socketioxide::socket::Sid;
use tokio::net::TcpStream;

pub(crate) use self::doors::{Doors, Effects, Outcome, Ready};
pub(crate) use self::sending::Sending;
pub(crate) use self::stream::Stream;
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
    is_websocket: AtomicBool,
    /// What was read last is not all handled.
    reading: AtomicBool,
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
            is_websocket: AtomicBool::new(false),
            reading: AtomicBool::new(false),
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
        self.is_websocket.store(true, Ordering::Relaxed);
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

    /// Writes a run past socketioxide, for whoever waits on [`Self::writable`]: a full socket is
    /// seen by the runtime. Without a run, only the frame that was begun is completed.
    pub(crate) fn write_when_writable(&self, from: Ready, run: Option<&Run>) -> Outcome {
        lock(&self.doors).write_second(from, run, |bytes| self.stream.try_write(bytes))
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
