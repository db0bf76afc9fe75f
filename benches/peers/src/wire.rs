//! Bytes on the wire, as little of them as a counter needs: WebSocket frames, the upgrade, and four kinds of packet.

pub mod frame;
pub mod packet;
pub mod upgrade;
