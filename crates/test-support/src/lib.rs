//! What the tests of several packages share: servers that run as processes of their own. For tests only.

mod build;
mod server;

pub use server::ServerProcess;
