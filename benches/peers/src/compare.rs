//! The comparison: scenarios, the servers that take part, rounds, and one table.

mod arguments;
mod machine;
mod peer;
mod places;
mod round;
mod scenario;
mod server;
mod table;

pub use arguments::{Arguments, run};
pub use peer::Peer;
pub use places::Places;
pub use server::Server;
