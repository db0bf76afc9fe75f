//! loadgen's own client: thousands of connections in one epoll loop per thread. What is special about it is the way
//! of receiving: one read per wake-up into a shared buffer, with the kernel's time of arrival; frames taken apart in
//! place; the expected event found by comparing bytes. Opening and everything rare may be slow.

mod agenda;
mod audience;
mod clients;
mod connection;
mod desk;
mod emitters;
mod endpoint;
mod frame;
mod hall;
mod http;
mod lane;
mod link;
mod poller;
mod polling;
mod probe;
mod queue;
mod receivers;
mod rounds;
mod seat;
mod session;
mod slice;
mod socket;
#[cfg(feature = "rust-socketio")]
mod stock;
mod swarm;
mod text;
mod timer;
mod tls;

pub(crate) use endpoint::Endpoint;
pub(crate) use lane::{LaneRecord, run};
pub(crate) use probe::probe;
pub(crate) use text::{Answer, fill};
