//! The codec against its own inverse, against `serde_json`, and against the server's independent implementation.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod allocation;
mod faults;
mod oracle;
mod round_trip;
mod strategies;
