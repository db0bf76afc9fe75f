//! Tests of the server as a whole, one binary.

#![expect(
    clippy::unwrap_used,
    reason = "clippy's own exception for tests leaves out what several tests share"
)]

mod admin;
mod delivery;
mod metrics;
mod raw;
mod rust_socketio_peer;
mod stopped;
mod store_client;
mod store_crash;
#[cfg(feature = "failpoints")]
mod store_failpoints;
mod store_file;
mod store_keys;
mod store_load;
mod store_nginx;
mod store_node;
mod store_nodes;
mod store_redis;
mod store_tls;
