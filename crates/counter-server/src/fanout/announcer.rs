//! The counts that go through socketioxide: the first one of every session, and the newest for
//! those that poll.
//!
//! All are volatile, so that a session holds at most one, the newest: a polling client finds it in
//! its next answer. What left in those answers is noted, so that after an upgrade its connection
//! goes on with the count after the one that was polled last.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;
use tokio::sync::watch;

use crate::connection::Connection;
use crate::metrics::{Connected, Metrics};

#[derive(Debug)]
pub(super) struct Announcer {
    newest: watch::Receiver<u64>,
    metrics: Arc<Metrics>,
    sessions: Mutex<Sessions>,
}

#[derive(Debug, Default)]
struct Sessions {
    /// In the namespace, and not yet with a shard.
    announced: HashMap<Sid, Announced>,
    /// Began with polling, and opened this WebSocket since.
    upgraded: HashMap<Sid, Weak<Connection>>,
}

#[derive(Debug)]
struct Announced {
    socket: SocketRef,
    /// The last count given to socketioxide.
    last: u64,
    /// The last count that left in the answer to a poll.
    polled: Option<u64>,
}

impl Announcer {
    pub(super) fn new(newest: watch::Receiver<u64>, metrics: Arc<Metrics>) -> Self {
        Self {
            newest,
            metrics,
            sessions: Mutex::default(),
        }
    }

    pub(super) async fn run(&self) {
        let mut newest = self.newest.clone();
        let mut before = *newest.borrow_and_update();
        self.metrics.show_count(before);
        while newest.changed().await.is_ok() {
            let count = *newest.borrow_and_update();
            self.metrics.show_count(count);
            self.metrics.counts.inc_by(count - before);
            before = count;
            self.sessions()
                .announced
                .retain(|_, announced| announced.announce(count));
        }
    }

    pub(super) fn welcome(&self, socket: SocketRef, connection: Option<Arc<Connection>>) {
        let session = socket.id;
        let mut sessions = self.sessions();
        let upgraded = sessions.upgraded.get(&session).and_then(Weak::upgrade);
        for connection in connection.into_iter().chain(upgraded) {
            if !connection.welcome(session, None) {
                return;
            }
        }
        // Read under the lock that `run` takes: what is announced to one session never goes down.
        let last = *self.newest.borrow();
        emit(&socket, last);
        // Else its farewell may have been said already.
        if socket.connected() {
            sessions.announced.insert(
                session,
                Announced {
                    socket,
                    last,
                    polled: None,
                },
            );
        }
    }

    pub(super) fn upgrade(&self, session: Sid, connection: &Arc<Connection>) {
        let mut sessions = self.sessions();
        sessions
            .upgraded
            .insert(session, Arc::downgrade(connection));
        let polled = sessions
            .announced
            .get(&session)
            .and_then(|announced| announced.polled);
        connection.welcome(session, polled);
    }

    pub(super) fn polled(&self, session: Sid, count: u64) {
        let mut sessions = self.sessions();
        let Some(announced) = sessions.announced.get_mut(&session) else {
            return;
        };
        announced.polled = Some(count);
        if let Some(connection) = sessions.upgraded.get(&session).and_then(Weak::upgrade) {
            connection.welcome(session, Some(count));
        }
    }

    pub(super) fn probed(&self, session: Sid) {
        if let Some(announced) = self.sessions().announced.get_mut(&session) {
            announced.last = *self.newest.borrow();
            emit(&announced.socket, announced.last);
        }
    }

    pub(super) fn upgraded(&self, session: Sid) -> Option<Arc<Connection>> {
        self.sessions()
            .upgraded
            .get(&session)
            .and_then(Weak::upgrade)
    }

    pub(super) fn gone(&self, session: Sid, connection: &Arc<Connection>) {
        let mut sessions = self.sessions();
        let Some(upgraded) = sessions.upgraded.get(&session) else {
            sessions.announced.remove(&session);
            return;
        };
        if std::ptr::eq(upgraded.as_ptr(), Arc::as_ptr(connection)) {
            sessions.upgraded.remove(&session);
        }
    }

    /// Whether this is news: a connection that was parked joins once more.
    pub(super) fn joined(&self, session: Sid) -> bool {
        let mut sessions = self.sessions();
        let joined = sessions.announced.remove(&session);
        sessions.shrink();
        drop(sessions);
        if let Some(polled) = joined.as_ref().and_then(Announced::polled_until_now) {
            polled.upgraded();
        }
        joined.is_some()
    }

    pub(super) fn farewell(&self, session: Sid) {
        let mut sessions = self.sessions();
        sessions.announced.remove(&session);
        if let Some(connection) = sessions.upgraded.get(&session).and_then(Weak::upgrade) {
            connection.leave();
        }
        sessions.shrink();
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Announced {
    fn polled_until_now(&self) -> Option<Arc<Connected>> {
        self.socket.extensions.get::<Weak<Connected>>()?.upgrade()
    }

    /// Whether the session is still there.
    fn announce(&mut self, count: u64) -> bool {
        if count > self.last {
            self.last = count;
            emit(&self.socket, count);
        }
        self.socket.connected()
    }
}

impl Sessions {
    /// Gives back the room of a connection storm when it is over.
    fn shrink(&mut self) {
        if self.announced.is_empty() {
            self.announced.shrink_to_fit();
        }
    }
}

/// A volatile packet is kept or replaces the one before; that the client is gone is told elsewhere.
fn emit(socket: &SocketRef, count: u64) {
    let _ = socket.volatile().emit("countUpdated", &count);
}
