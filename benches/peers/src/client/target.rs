//! The server that is measured, and the local addresses that connections to it come from.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, ensure};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, bind, connect, ipproto, socket_with, sockopt,
};
use socket2::SockRef;

/// Connections from one source address. A pair of addresses has 28,000 ports by default, and the kernel finds a free
/// one ever more slowly as they fill.
const PER_SOURCE: usize = 4000;

/// A server on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Target(SocketAddrV4);

impl FromStr for Target {
    type Err = Error;

    fn from_str(url: &str) -> Result<Self> {
        let address = url
            .trim()
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'));
        let address = address.with_context(|| format!("'{url}' does not begin with http://"))?;
        let address: SocketAddrV4 = address
            .parse()
            .with_context(|| format!("'{url}' is not of the form http://127.0.0.1:PORT"))?;
        ensure!(
            address.ip().is_loopback(),
            "{url} is not on this machine; load goes only to 127.0.0.0/8"
        );
        Ok(Self(address))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.0)
    }
}

impl Target {
    /// Host and port, as the `Host` header wants them.
    pub(crate) fn host(self) -> String {
        self.0.to_string()
    }

    /// The address to connect to.
    pub(crate) fn address(self) -> SocketAddrV4 {
        self.0
    }

    /// Begins to connect, without waiting. `narrow` gives the connection a small receive buffer, so that the server soon
    /// feels that a client stopped reading. It needs the segments of a real network with it: the 64 KiB of loopback do
    /// not fit, and TCP would wait for its persist timer between them.
    pub(crate) fn begin(self, client: usize, narrow: bool) -> Result<OwnedFd> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            flags,
            Some(ipproto::TCP),
        )
        .context("cannot open a socket")?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        // A reset on close: no TIME_WAIT, so ports do not run out over many rounds, and a cut is a cut.
        sockopt::set_socket_linger(&socket, Some(Duration::ZERO))?;
        if narrow {
            sockopt::set_socket_recv_buffer_size(&socket, 4096)?;
            SockRef::from(&socket).set_tcp_mss(1448)?;
        }
        if let Some(source) = source(client) {
            sockopt::set_socket_reuseaddr(&socket, true)?;
            bind(&socket, &SocketAddrV4::new(source, 0))
                .with_context(|| format!("cannot connect from {source}"))?;
        }
        match connect(&socket, &self.0) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
            Err(error) => Err(error).with_context(|| format!("cannot connect to {}", self.0)),
        }
    }
}

/// Every 4,000 clients come from an address of their own; the first ones from the usual one.
fn source(client: usize) -> Option<Ipv4Addr> {
    let block = u8::try_from(client / PER_SOURCE).unwrap_or(u8::MAX);
    (block > 0).then(|| Ipv4Addr::new(127, 0, 0, block.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_a_target() {
        assert_eq!(
            "http://127.0.0.1:3000/"
                .parse::<Target>()
                .unwrap()
                .to_string(),
            "http://127.0.0.1:3000"
        );
        for url in [
            "http://192.0.2.1:3000",
            "http://localhost:3000",
            "https://127.0.0.1:1",
            "127.0.0.1:1",
        ] {
            assert!(url.parse::<Target>().is_err(), "{url}");
        }
    }

    #[test]
    fn many_clients_come_from_several_addresses() {
        assert_eq!(source(3999), None);
        assert_eq!(source(4000), Some(Ipv4Addr::new(127, 0, 0, 2)));
        assert_eq!(source(19_499), Some(Ipv4Addr::new(127, 0, 0, 5)));
    }
}
