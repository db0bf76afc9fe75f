//! The servers that counter-server is compared with, and the raw client that measures them all.
//!
//! Nothing here is shared with the product: a fault in its protocol code cannot hide in the code that judges it.
//! `client` opens, counts and times; `floor` is the
//! cheapest server there can be; `wire` is what these two have in common.

pub mod client;
pub mod compare;
pub mod floor;
pub mod wire;
