//! One client's place in a swarm: the connection that it has at present, if any, and what the poller knows of it.

use std::{io, net::IpAddr};

use super::{
    connection::{Connection, Gone, Side},
    endpoint::Endpoint,
    poller::{Interest, Poller, Ready},
};
use crate::{plan::Plan, time::Nanos};

/// How a swarm opens its connections.
pub(crate) struct Manner {
    pub(crate) sources: Vec<IpAddr>,
    pub(crate) timeout: Nanos,
    /// Connections on their way at a time.
    pub(crate) concurrency: usize,
}

impl Manner {
    pub(crate) fn of(plan: &Plan) -> Self {
        Self {
            sources: plan.sources.clone(),
            timeout: plan.connect_timeout,
            concurrency: plan.concurrency,
        }
    }
}

pub(super) struct Seat {
    pub(super) connection: Option<Connection>,
    /// Among all clients: decides over target and source address.
    global: usize,
    /// When the connection was to be opened.
    pub(super) planned: Nanos,
    pub(super) reading: bool,
}

impl Seat {
    pub(super) fn new(global: usize) -> Self {
        Self {
            connection: None,
            global,
            planned: 0,
            reading: true,
        }
    }

    pub(super) fn is_joined(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_joined)
    }

    /// Of several endpoints, this client's own.
    pub(super) fn endpoint<'e>(&self, endpoints: &'e [Endpoint]) -> &'e Endpoint {
        &endpoints[self.global % endpoints.len()]
    }

    /// Begins to connect, as planned for `at`.
    pub(super) fn open(
        &mut self,
        at: Nanos,
        endpoints: &[Endpoint],
        manner: &Manner,
    ) -> Result<(), Gone> {
        let sources = &manner.sources;
        let source = (!sources.is_empty()).then(|| sources[self.global % sources.len()]);
        (self.planned, self.reading) = (at, true);
        self.connection = Some(Connection::open(self.endpoint(endpoints), source)?);
        Ok(())
    }

    /// Has the poller watch for what the connection waits for; `index`: of this seat.
    pub(super) fn watch(&mut self, index: usize, poller: &Poller) -> io::Result<()> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        for side in [Side::Web, Side::Polling] {
            let Some(link) = connection.link(side) else {
                continue;
            };
            let wanted = if self.reading {
                link.interest()
            } else {
                Interest::Nothing
            };
            match link.watched {
                Some(watched) if watched == wanted => continue,
                Some(_) => poller.change(&*link, key(index, side), wanted)?,
                None => poller.add(&*link, key(index, side), wanted)?,
            }
            link.watched = Some(wanted);
        }
        Ok(())
    }

    /// Why it is to be ended, if it takes too long to open or missed its heartbeat.
    pub(super) fn overdue(&self, now: Nanos, manner: &Manner) -> Option<Gone> {
        let connection = self.connection.as_ref()?;
        if !connection.is_joined() && now > self.planned + manner.timeout {
            Some(Gone::because("not joined within --connect-timeout"))
        } else if self.reading && connection.is_silent(now) {
            Some(Gone::because("no heartbeat of the server"))
        } else {
            None
        }
    }
}

/// Under which the poller knows a link.
fn key(index: usize, side: Side) -> u64 {
    (index as u64) << 1 | u64::from(side == Side::Polling)
}

/// The seat and the link of it that are ready.
pub(super) fn of(ready: Ready) -> (usize, Side) {
    let side = if ready.key & 1 == 0 {
        Side::Web
    } else {
        Side::Polling
    };
    ((ready.key >> 1) as usize, side)
}
