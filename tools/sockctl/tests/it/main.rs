//! The program as a person uses it, against our own server and against the tutorial's.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod cutting;
mod faults;
mod retrying;
mod running;
mod watching;
