//! The second driver: the stock Rust client (`rust_socketio`), to check our own client by another's. It only receives,
//! and only in scenarios where clients come and stay; arrivals are stamped when its callback runs, not by the kernel.
//! Tokio runs the clients; what they hear comes to the lane's thread through a channel.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    time::Duration,
};

use futures_util::FutureExt as _;
use rust_socketio::{
    Event, Payload, TransportType,
    asynchronous::{Client, ClientBuilder},
};
use tokio::{runtime::Runtime, sync::Semaphore, task::JoinSet};

use super::{
    audience::Audience, clients::Clients, connection::Gone, socket::Farewell, text::Expected,
};
use crate::{
    measure::Arrival,
    plan::{Plan, Target},
    time::{ClockReport, Nanos, now},
};

/// News that may wait for the lane; then the clients wait, too, which the read delay cannot show: so it is large.
const MOST_NEWS: usize = 1 << 16;

enum News {
    Joined,
    Expected(u64),
    Gone(String),
}

/// What one client heard, and when.
type Message = (usize, Nanos, News);

pub(crate) struct Stock<'a> {
    plan: &'a Plan,
    targets: &'a [Target],
    runtime: Runtime,
    tasks: JoinSet<()>,
    opening: Arc<Semaphore>,
    sender: SyncSender<Message>,
    inbox: Receiver<Message>,
    seats: Vec<Seat>,
}

struct Seat {
    global: usize,
    planned: Nanos,
    joined: bool,
}

impl<'a> Stock<'a> {
    pub(crate) fn new(plan: &'a Plan, targets: &'a [Target]) -> io::Result<Self> {
        let (sender, inbox) = sync_channel(MOST_NEWS);
        Ok(Self {
            plan,
            targets,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
            tasks: JoinSet::new(),
            opening: Arc::new(Semaphore::new(plan.concurrency)),
            sender,
            inbox,
            seats: Vec::new(),
        })
    }

    fn tell(&mut self, (seat, at, news): Message, audience: &mut impl Audience) {
        let planned = self.seats[seat].planned;
        match news {
            News::Joined => {
                self.seats[seat].joined = true;
                audience.joined(seat, planned);
            }
            News::Expected(number) => {
                audience.expected(
                    seat,
                    planned,
                    number,
                    Arrival {
                        at,
                        since: at,
                        empty: at,
                    },
                );
                audience.read(0, 1, None);
            }
            News::Gone(reason) => {
                let joined = std::mem::take(&mut self.seats[seat].joined);
                audience.gone(seat, joined, &Gone::because(reason));
            }
        }
    }

    fn builder(&self, seat: usize) -> ClientBuilder {
        let target = &self.targets[self.seats[seat].global % self.targets.len()];
        let scheme = if target.tls_name.is_some() {
            "https"
        } else {
            "http"
        };
        let expect: String = serde_json::from_str(&self.plan.expect).unwrap_or_default();
        let tell = move |sender: &SyncSender<Message>, news: News| {
            // The lane is gone at the end of the run: then nobody needs to know.
            let _ = sender.send((seat, now(), news));
        };
        let [joined, expected, closed, failed] = [(); 4].map(|()| self.sender.clone());
        let auth = self
            .plan
            .auth
            .as_deref()
            .and_then(|auth| serde_json::from_str::<serde_json::Value>(auth).ok());
        let builder = ClientBuilder::new(format!(
            "{scheme}://{}{}",
            target.host,
            target.path.trim_end_matches(['?', '&'])
        ))
        .namespace(self.plan.namespace.clone())
        .transport_type(TransportType::Websocket)
        .reconnect(false)
        .on(Event::Connect, move |_: Payload, _: Client| {
            tell(&joined, News::Joined);
            async {}.boxed()
        })
        .on(expect, move |payload: Payload, _: Client| {
            let number = match &payload {
                Payload::Text(values) => values.first().and_then(serde_json::Value::as_u64),
                _ => None,
            };
            if let Some(number) = number {
                tell(&expected, News::Expected(number));
            }
            async {}.boxed()
        })
        .on(Event::Close, move |_: Payload, _: Client| {
            tell(
                &closed,
                News::Gone("the server closed the connection".into()),
            );
            async {}.boxed()
        })
        .on(Event::Error, move |payload: Payload, _: Client| {
            tell(&failed, News::Gone(format!("{payload:?}")));
            async {}.boxed()
        });
        match auth {
            Some(auth) => builder.auth(auth),
            None => builder,
        }
    }
}

impl Clients for Stock<'_> {
    fn add(&mut self, global: usize) -> usize {
        self.seats.push(Seat {
            global,
            planned: 0,
            joined: false,
        });
        self.seats.len() - 1
    }

    fn open(&mut self, seat: usize, at: Option<Nanos>) {
        let at = at.unwrap_or_else(now);
        self.seats[seat].planned = at;
        let (builder, opening, sender) = (
            self.builder(seat),
            Arc::clone(&self.opening),
            self.sender.clone(),
        );
        let delay = Duration::from_nanos(at.saturating_sub(now()));
        let opened = async move {
            tokio::time::sleep(delay).await;
            let turn = opening.acquire().await;
            let connected = builder.connect().await;
            drop(turn);
            match connected {
                // Kept until the run ends: dropped, it would close.
                Ok(client) => {
                    std::future::pending::<()>().await;
                    drop(client);
                }
                Err(error) => {
                    let _ = sender.send((seat, now(), News::Gone(error.to_string())));
                }
            }
        };
        self.tasks.spawn_on(opened, self.runtime.handle());
    }

    fn is_joined(&self, seat: usize) -> bool {
        self.seats[seat].joined
    }

    fn cut(&mut self, _: usize, _: Farewell) {
        unreachable!("the setup refuses scenarios that cut connections with this driver");
    }

    fn set_reading(&mut self, _: usize, _: bool) -> io::Result<()> {
        Err(io::Error::other("the stock client cannot stop reading"))
    }

    fn expect(&mut self, _: Expected) {}

    fn turn(&mut self, timeout: Nanos, audience: &mut impl Audience) -> io::Result<()> {
        match self.inbox.recv_timeout(Duration::from_nanos(timeout)) {
            Ok(first) => {
                self.tell(first, audience);
                // As many as there are now, and no more: the lane has other things to do.
                for _ in 0..MOST_NEWS {
                    let Ok(message) = self.inbox.try_recv() else {
                        break;
                    };
                    self.tell(message, audience);
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the clients are gone"));
            }
        }
        Ok(())
    }

    fn clock(&self) -> ClockReport {
        ClockReport::default()
    }
}
