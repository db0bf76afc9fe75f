//! The floor: what the broadcast of a count costs at the least, by plain means.
//!
//! One thread, one epoll loop, one frame encoded once per count, and exactly one `send` per client and count. There is no
//! HTTP but the upgrade, no polling, no namespace but `/`, no acknowledgement. What a full socket does not take is
//! rebuilt from the last count sent when the socket has room again, so it is complete, and a slow client costs no memory.

mod client;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsRawFd as _, OwnedFd};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with, sockopt};
use rustix::time::Timespec;

use self::client::Client;
use crate::wire::{frame, packet};

const EVENTS: usize = 256;
const PING_INTERVAL: Duration = Duration::from_secs(25);

struct Floor {
    listener: OwnedFd,
    epoll: OwnedFd,
    /// By descriptor, which the kernel keeps small and dense.
    clients: Vec<Option<Client>>,
    count: u64,
    frame: Vec<u8>,
    buffer: Vec<u8>,
}

/// Serves until it fails. The listener must be non-blocking.
pub fn serve(listener: OwnedFd) -> Result<()> {
    let epoll = epoll::create(CreateFlags::CLOEXEC).context("cannot create an epoll instance")?;
    let listening = listener.as_raw_fd();
    epoll::add(
        &epoll,
        &listener,
        EventData::new_u64(listening as u64),
        EventFlags::IN,
    )?;
    let mut floor = Floor {
        listener,
        epoll,
        clients: Vec::new(),
        count: 0,
        frame: Vec::new(),
        buffer: vec![0; 64 * 1024],
    };
    let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
    let mut ping = Instant::now() + PING_INTERVAL;
    loop {
        let wait = ping.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: wait.as_secs().cast_signed(),
            tv_nsec: wait.subsec_nanos().into(),
        };
        events.clear();
        match epoll::wait(&floor.epoll, spare_capacity(&mut events), Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for events"),
        }
        for event in &events {
            let descriptor = event.data.u64() as usize;
            if descriptor == listening as usize {
                floor.accept()?;
            } else {
                floor.attend(descriptor, event.flags)?;
            }
        }
        if Instant::now() >= ping {
            ping += PING_INTERVAL;
            floor.ping();
        }
    }
}

impl Floor {
    fn accept(&mut self) -> Result<()> {
        loop {
            let socket =
                match accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                    Ok(socket) => socket,
                    // Out of descriptors: epoll announces those that wait again, after the ones that leave are closed.
                    Err(Errno::AGAIN | Errno::MFILE | Errno::NFILE) => return Ok(()),
                    Err(Errno::CONNABORTED | Errno::INTR) => continue,
                    Err(error) => return Err(error).context("cannot accept"),
                };
            sockopt::set_tcp_nodelay(&socket, true)?;
            let descriptor = socket.as_raw_fd() as usize;
            epoll::add(
                &self.epoll,
                &socket,
                EventData::new_u64(descriptor as u64),
                EventFlags::IN,
            )?;
            if self.clients.len() <= descriptor {
                self.clients.resize_with(descriptor + 1, || None);
            }
            self.clients[descriptor] = Some(Client::new(socket));
        }
    }

    fn attend(&mut self, descriptor: usize, flags: EventFlags) -> Result<()> {
        let Some(client) = self.clients[descriptor].as_mut() else {
            return Ok(());
        };
        let outcome = client.attend(flags, self.count, &mut self.buffer);
        watch(&self.epoll, client)?;
        let Ok(increments) = outcome else {
            self.clients[descriptor] = None;
            return Ok(());
        };
        (0..increments).try_for_each(|_| self.increment())
    }

    fn increment(&mut self) -> Result<()> {
        self.count += 1;
        self.frame.clear();
        client::count_frame(&mut self.frame, self.count);
        for place in &mut self.clients {
            let Some(client) = place else { continue };
            if client.count(&self.frame, self.count).is_err() {
                *place = None;
            } else if client.watched != client.interest() {
                watch(&self.epoll, client)?;
            }
        }
        Ok(())
    }

    fn ping(&mut self) {
        let mut bytes = Vec::new();
        frame::from_server(&mut bytes, frame::TEXT, packet::PING);
        for place in &mut self.clients {
            // One that is behind takes nothing anyhow; it is asked the next time.
            if place
                .as_mut()
                .is_some_and(|client| client.ping(&bytes).is_err())
            {
                *place = None;
            }
        }
    }
}

/// Tells epoll what a client waits for, when that changed.
fn watch(epoll: &OwnedFd, client: &mut Client) -> Result<()> {
    let interest = client.interest();
    if client.watched != interest {
        let data = EventData::new_u64(client.socket.as_raw_fd() as u64);
        epoll::modify(epoll, &client.socket, data, interest).context("cannot watch a client")?;
        client.watched = interest;
    }
    Ok(())
}
