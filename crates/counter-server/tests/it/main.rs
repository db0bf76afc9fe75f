//! Tests of the server as a whole, one binary.

mod admin;
mod delivery;
mod raw;
