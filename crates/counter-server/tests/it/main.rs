//! Tests of the server as a whole, one binary.

#![expect(
    clippy::unwrap_used,
    reason = "clippy's own exception for tests leaves out what several tests share"
)]

mod admin;
mod delivery;
mod raw;
mod rust_socketio_peer;
mod store_client;
mod store_file;
mod store_keys;
mod store_node;
mod store_redis_server;
mod store_crash;
mod store_load;
mod store_redis;
