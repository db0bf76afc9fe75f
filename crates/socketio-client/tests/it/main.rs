//! The client against servers that misbehave on purpose, and against a real one in the same process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod connecting;
mod ending;
mod exchange;
mod scripted;
mod socketioxide;
mod tls;
