//! Who is connected and who reads: connecting, cutting, stopping, continuing, taking in.

use std::collections::VecDeque;
use std::time::Instant;

use anyhow::{Result, ensure};
use rustix::event::epoll::{self, EventData};
use rustix::fd::OwnedFd;
use rustix::net::sockopt;

use super::{Client, Fleet};
use crate::client::connection::Connection;
use crate::client::report::{Connected, Continued};
use crate::client::tally::Tally;
use crate::client::totals::Totals;
use crate::client::watch::Watch;

/// Connections begun between two looks at what came.
const AT_ONCE: usize = 64;
/// A connection that fails before its first count is begun so often.
const ATTEMPTS: usize = 10;

impl Fleet {
    /// Connects all clients and waits for their first counts, at most until `deadline`.
    pub(crate) fn connect(&mut self, deadline: Instant) -> Result<Connected> {
        let start = Instant::now();
        self.watch = Watch::idle(self.watch.newest())?;
        let mut waiting: VecDeque<usize> = (0..self.clients.len()).collect();
        let (mut begun, mut retries) = (0, 0);
        while self.watch.ready < self.clients.len() && Instant::now() < deadline {
            let room = self.in_flight.saturating_sub(begun - self.watch.ready);
            for index in waiting
                .drain(..room.min(AT_ONCE).min(waiting.len()))
                .collect::<Vec<_>>()
            {
                self.begin(index)?;
                begun += 1;
            }
            let more = !waiting.is_empty() && begun - self.watch.ready < self.in_flight;
            self.turn(if more { Instant::now() } else { deadline })?;
            for index in std::mem::take(&mut self.failed) {
                begun -= 1;
                if self.clients[index].attempts < ATTEMPTS {
                    waiting.push_back(index);
                    retries += 1;
                }
            }
            if waiting.is_empty() && begun == self.watch.ready {
                break;
            }
        }
        let seconds = (self.watch.last_arrival - start).as_secs_f64();
        let clients = self.watch.ready;
        Ok(Connected {
            clients,
            seconds,
            per_second: clients as f64 / seconds,
            retries,
        })
    }

    fn begin(&mut self, index: usize) -> Result<()> {
        let socket = self.target.begin(index, index >= self.narrow_from)?;
        self.clients[index].attempts += 1;
        self.place(index, Connection::begun(socket))
    }

    fn place(&mut self, index: usize, mut connection: Connection) -> Result<()> {
        connection.registered = connection.interest();
        epoll::add(
            &self.epoll,
            &connection,
            EventData::new_u64(index as u64),
            connection.registered,
        )?;
        self.clients[index].connection = Some(connection);
        Ok(())
    }

    /// Resets every connection. What each received stays counted.
    pub(crate) fn cut(&mut self) {
        for client in &mut self.clients {
            if let Some(connection) = client.connection.take() {
                self.ended += Totals::of(&connection.tally);
            }
            client.attempts = 0;
        }
    }

    /// Takes in a client that is connected already, with bytes that came and were not looked at.
    pub(crate) fn adopt(&mut self, socket: OwnedFd, unread: &[u8], tally: Tally) -> Result<()> {
        let at_newest = tally.highest() >= Some(self.watch.newest());
        let mut connection = Connection::open(socket, tally);
        self.receivers += 1;
        self.watch.at_newest += usize::from(at_newest);
        connection.take(unread, &mut self.watch)?;
        self.clients.push(Client::default());
        self.place(self.clients.len() - 1, connection)
    }

    /// The last so many clients read nothing more.
    pub(crate) fn stop(&mut self, clients: usize) -> Result<()> {
        ensure!(
            clients < self.clients.len(),
            "cannot stop {clients} of {} clients: the first one emits",
            self.clients.len()
        );
        let from = self.clients.len() - clients;
        for client in &mut self.clients[from..] {
            client.stopped = true;
            client.ever_stopped = true;
            if let Some(connection) = &client.connection {
                epoll::delete(&self.epoll, connection)?;
            }
        }
        Ok(())
    }

    /// Those that stopped read again, and have to reach the newest count.
    pub(crate) fn resume(&mut self) -> Result<()> {
        let newest = self.newest();
        for (index, client) in self
            .clients
            .iter_mut()
            .enumerate()
            .filter(|(_, client)| client.stopped)
        {
            client.stopped = false;
            if let Some(connection) = &client.connection {
                // As large as that of others: the small one was there to fill, not to be slow.
                sockopt::set_socket_recv_buffer_size(connection, 128 * 1024)?;
                epoll::add(
                    &self.epoll,
                    connection,
                    EventData::new_u64(index as u64),
                    connection.registered,
                )?;
            }
        }
        self.expect(Watch::idle(newest)?);
        Ok(())
    }

    /// Where those that stopped are now.
    pub(crate) fn continued(&self) -> Continued {
        let newest = self.watch.newest();
        let mut continued = Continued {
            seconds: 0.0,
            within_a_second: 0,
            at_newest: 0,
            complete: 0,
            jumped: 0,
            gone: 0,
        };
        for client in self.clients.iter().filter(|client| client.ever_stopped) {
            let Some(Connection { tally, .. }) = &client.connection else {
                continued.gone += 1;
                continue;
            };
            let at_newest = !tally.stale(newest);
            continued.at_newest += usize::from(at_newest);
            continued.complete += usize::from(at_newest && tally.missing() == 0);
            continued.jumped += usize::from(at_newest && tally.missing() > 0);
        }
        continued
    }
}
