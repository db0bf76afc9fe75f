//! Which connections exist, what each was last sent, and writing to them.
//!
//! A connection begins with the announcer, which sends its first count through socketioxide. When
//! that has left, the connection belongs to a shard, which writes every further count past
//! socketioxide. A connection that a shard cannot finish goes to the drain, and comes back.

mod announcer;
mod answers;
mod drain;
mod ring;
mod sender;
mod shard;

use std::sync::Arc;
use std::time::Duration;

use socketioxide::extract::SocketRef;
use socketioxide::socket::Sid;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::announcer::Announcer;
pub(crate) use self::answers::Answers;
use self::shard::{Message, Shard};
use crate::connection::{Connection, Ready};
use crate::inbox::Inbox;
use crate::metrics::Metrics;

/// So many connections in the order of arrival share a shard. Fewer are sent to in the time that it
/// takes to wake another thread and be in its way.
const NEIGHBOURS: usize = 512;

/// What bounds the fan-out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Threads that write.
    pub(crate) shards: usize,
    /// Send by `io_uring` where that is possible.
    pub(crate) io_uring: bool,
    /// Counts that a connection may be behind before it is sent the newest alone.
    pub(crate) max_behind: u64,
    /// How long a peer may take nothing before it is disconnected.
    pub(crate) stall_timeout: Duration,
}

/// The handle: connections join and leave by it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Fanout(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// One per shard, bounded by the connections: each has at most a few messages under way.
    shards: Box<[Inbox<Message>]>,
    /// Connections that a shard could not finish; each is there at most once.
    lagging: Inbox<Lagging>,
    announcer: Announcer,
    newest: watch::Receiver<u64>,
    limits: Limits,
    metrics: Arc<Metrics>,
    /// One connection less.
    room: Notify,
    answers: Answers,
}

/// A joined connection, and the last count sent to it.
#[derive(Debug)]
struct Lagging {
    connection: Arc<Connection>,
    from: Ready,
}

impl Fanout {
    pub(crate) fn new(limits: Limits, newest: watch::Receiver<u64>, metrics: Arc<Metrics>) -> Self {
        let shards = (0..limits.shards).map(|_| Inbox::default()).collect();
        let announcer = Announcer::new(newest.clone(), metrics.clone());
        let lagging = Inbox::default();
        Self(Arc::new(Shared {
            shards,
            lagging,
            announcer,
            newest,
            limits,
            metrics,
            room: Notify::new(),
            answers: Answers::default(),
        }))
    }

    /// Starts the shards, the drain and the announcer; all end with `stop`.
    pub(crate) fn start(&self, tasks: &mut JoinSet<()>, stop: &CancellationToken) {
        for index in 0..self.0.shards.len() {
            let shard = Shard::new(self.clone(), index);
            let stop = stop.clone();
            // A thread of its own rather than a task: a pass is one long computation with system
            // calls in it, and would hold up whatever shares its runtime thread.
            let runtime = Handle::current();
            tasks.spawn_blocking(move || {
                let _ = runtime.block_on(stop.run_until_cancelled(shard.run()));
            });
        }
        let (fanout, stopped) = (self.clone(), stop.clone());
        tasks.spawn(async move {
            stopped.run_until_cancelled(drain::run(fanout)).await;
        });
        let (fanout, stopped) = (self.clone(), stop.clone());
        tasks.spawn(async move {
            stopped.run_until_cancelled(fanout.0.announcer.run()).await;
        });
    }

    /// Connections open now, whatever they carry.
    pub(crate) fn connections(&self) -> usize {
        usize::try_from(self.0.metrics.tcp_connections.get()).unwrap_or(0)
    }

    /// For whoever refuses connections.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Waits until fewer than `limit` are open.
    pub(crate) async fn room(&self, limit: usize) {
        while self.connections() >= limit {
            self.0.room.notified().await;
        }
    }

    /// The increments of all connections that wait for their answer to leave.
    pub(crate) fn answers(&self) -> &Answers {
        &self.0.answers
    }

    /// Reads no more from any connection, and waits until all that was read has been answered, and
    /// the counts have been sent to whoever is not behind.
    pub(crate) async fn settle(&self) {
        self.0.answers.settle().await;
        for shard in &self.0.shards {
            let (settled, sent) = oneshot::channel();
            shard.push(Message::Settle(settled));
            let _ = sent.await;
        }
    }

    /// A connection was accepted.
    pub(crate) fn opened(&self) {
        self.0.metrics.tcp_connections.inc();
    }

    /// Its descriptor is about to be closed.
    pub(crate) fn closed(&self) {
        self.0.metrics.tcp_connections.dec();
        self.0.room.notify_one();
    }

    /// A client entered the namespace: sends its first count, by way of socketioxide.
    pub(crate) fn welcome(&self, socket: SocketRef, connection: Option<Arc<Connection>>) {
        self.0.announcer.welcome(socket, connection);
    }

    /// A session that began with polling upgrades on this connection.
    pub(crate) fn upgrade(&self, session: Sid, connection: &Arc<Connection>) {
        self.0.announcer.upgrade(session, connection);
    }

    /// A session was sent this count in the answer to a poll.
    pub(crate) fn polled(&self, session: Sid, count: u64) {
        self.0.announcer.polled(session, count);
    }

    /// The session of this connection polls no more: sends the count that opens its second door.
    pub(crate) fn probed(&self, connection: &Connection) {
        if let Some(session) = connection.session() {
            self.0.announcer.probed(session);
        }
    }

    /// A client left the namespace, or is gone.
    pub(crate) fn farewell(&self, session: Sid) {
        self.0.announcer.farewell(session);
    }

    /// The connection belongs to its shard from now on.
    pub(crate) fn join(&self, connection: Arc<Connection>, from: Ready) {
        let session = connection.session();
        if session.is_some_and(|session| self.0.announcer.joined(session)) && from.epoch == 1 {
            let handshake = &self.0.metrics.handshake_seconds;
            handshake.observe(connection.age().as_secs_f64());
        }
        self.hand_over(Lagging { connection, from });
    }

    /// The connection that the session upgraded on, if it began with polling.
    pub(crate) fn upgraded(&self, session: Sid) -> Option<Arc<Connection>> {
        self.0.announcer.upgraded(session)
    }

    /// socketioxide, or hyper, dropped the connection.
    pub(crate) fn gone(&self, connection: Arc<Connection>) {
        if let Some(session) = connection.session() {
            self.0.announcer.gone(session, &connection);
        }
        self.leave(connection);
    }

    /// The connection is nobody's any more.
    pub(crate) fn leave(&self, connection: Arc<Connection>) {
        self.inbox(&connection).push(Message::Leave(connection));
    }

    /// Gives a connection to its shard, which need not wake for one that has the newest count: it
    /// looks here first when that moves. Whether it moved is asked last, so that one of both sees it.
    fn hand_over(&self, lagging: Lagging) {
        let inbox = self.inbox(&lagging.connection);
        let last = lagging.from.last;
        inbox.leave(Message::Join(lagging));
        if *self.0.newest.borrow() > last {
            inbox.wake();
        }
    }

    /// Always the same shard for one connection, so that leaving and joining keep their order.
    fn inbox(&self, connection: &Arc<Connection>) -> &Inbox<Message> {
        &self.0.shards[connection.number() / NEIGHBOURS % self.0.shards.len()]
    }
}
