//! What the tests of several packages share: servers that run as processes of their own. For tests only.

mod build;
mod redis;
mod server;

pub use build::loadgen;
pub use redis::{RedisServer, free_port};
pub use server::ServerProcess;
