//! The raw client against servers whose faults are known, the servers of the comparison against the raw client, and the
//! comparison itself.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the failure")]

mod comparing;
mod counting;
mod places;
mod scripted;
mod serving;
