//! A non-blocking TCP socket whose reads come with the kernel's receive timestamp (`SO_TIMESTAMPNS`, socket(7)).
//! `socket2` and `rustix` know neither the option nor its control message, hence two calls of libc.

use std::{
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    time::Duration,
};

use socket2::{Domain, Protocol, Type};

use crate::time::{Nanos, SECOND};

/// Resetting means: no close frame, no FIN, and no port in `TIME_WAIT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    Close,
    Reset,
}

pub(crate) struct Socket(socket2::Socket);

impl Socket {
    /// Begins to connect; the socket becomes writable when it is decided.
    pub(crate) fn connect(to: SocketAddr, from: Option<IpAddr>) -> io::Result<Self> {
        let socket = socket2::Socket::new(
            Domain::for_address(to),
            Type::STREAM.nonblocking(),
            Some(Protocol::TCP),
        )?;
        socket.set_tcp_nodelay(true)?;
        let this = Self(socket);
        // A kernel that refuses shows in every read: no stamp. The report says so.
        let _ = this.set(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS);
        if let Some(from) = from {
            // Otherwise bind takes a port that no other destination can share.
            this.set(libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT)?;
            this.0
                .bind(&SocketAddr::new(from, 0).into())
                .map_err(|error| not_ours(from, error))?;
        }
        match this.0.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
            _ => Ok(this),
        }
    }

    /// The error that ended a connection attempt, if one did.
    pub(crate) fn connected(&self) -> io::Result<()> {
        self.0.take_error()?.map_or(Ok(()), Err)
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes)
    }

    pub(crate) fn leave(self, farewell: Farewell) {
        if farewell == Farewell::Reset {
            // Whoever cannot reset closes.
            let _ = self.0.set_linger(Some(Duration::ZERO));
        }
    }

    /// Switches an option on.
    #[allow(unsafe_code)]
    fn set(&self, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
        let on: libc::c_int = 1;
        let length = size_of_val(&on) as libc::socklen_t;
        // SAFETY: the descriptor is open, and the kernel reads `length` bytes from a live integer.
        let result = unsafe {
            libc::setsockopt(
                self.0.as_raw_fd(),
                level,
                option,
                (&raw const on).cast(),
                length,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Reads once: how many bytes (0 at the end of the stream), and when the newest of them reached the kernel, in
    /// wall-clock time.
    #[allow(unsafe_code)]
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<Nanos>)> {
        let mut part = IoSliceMut::new(buffer);
        let mut control = Control::new();
        // SAFETY: all fields of msghdr are integers and pointers, for which zero is a value.
        let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
        message.msg_iov = (&raw mut part).cast();
        message.msg_iovlen = 1;
        message.msg_control = control.0.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control.0) as _;
        // SAFETY: `IoSliceMut` has the layout of iovec (documented by std); it and the control buffer live until the
        // call is over, and both lengths are theirs.
        let read = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, 0) };
        let Ok(read) = usize::try_from(read) else {
            return Err(io::Error::last_os_error());
        };
        Ok((read, control.timestamp(message.msg_controllen)))
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Room for one control message: header (16 bytes) and `timespec` (16 bytes), in words for the alignment.
struct Control([u64; 8]);

impl Control {
    fn new() -> Self {
        Self([0; 8])
    }

    /// We ask for one kind of control message, so the first is it or there is none. Layout: cmsg(3), on 64-bit Linux.
    fn timestamp(&self, length: usize) -> Option<Nanos> {
        let [_, kind, seconds, nanos, ..] = self.0;
        let wanted = u64::from_ne_bytes(pair(libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS));
        (length >= 32 && kind == wanted).then(|| seconds * SECOND + nanos)
    }
}

/// `cmsg_level` and `cmsg_type`, as they stand in memory.
fn pair(level: i32, kind: i32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&level.to_ne_bytes());
    bytes[4..].copy_from_slice(&kind.to_ne_bytes());
    bytes
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("loadgen reads kernel timestamps as 64-bit Linux lays them out");

/// The usual reason why an address cannot be connected from.
fn not_ours(from: IpAddr, error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => {
            io::Error::other(format!("--source {from} is no address of this machine"))
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, net::TcpListener};

    use super::*;
    use crate::time::{MILLISECOND, WallClock, now};

    #[test]
    fn a_late_reader_still_learns_when_the_bytes_arrived() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let socket = Socket::connect(listener.local_addr()?, Some([127, 0, 0, 9].into()))?;
        let (mut server, from) = listener.accept()?;
        assert_eq!(from.ip(), IpAddr::from([127, 0, 0, 9]));
        let mut buffer = [0; 4_096];
        // The kernel begins to stamp a moment after the first socket asked for it.
        let deadline = now() + 5 * SECOND;
        loop {
            server.write_all(b"first")?;
            match socket.receive(&mut buffer) {
                Ok((_, None)) => assert!(now() < deadline, "loopback stamps"),
                Ok((_, Some(_))) => break,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        }
        let clock = WallClock::new();
        let sent = now();
        server.write_all(b"hello")?;
        let written = now();
        // The reader is late by what the loop takes, and nothing else happens meanwhile.
        while now() < written + 60 * MILLISECOND {
            std::hint::spin_loop();
        }
        let (read, stamp) = socket.receive(&mut buffer)?;
        assert!(buffer[..read].ends_with(b"hello"));
        let arrived = clock.monotonic(stamp.expect("loopback stamps"));
        let possible = sent - MILLISECOND..written + MILLISECOND;
        assert!(
            possible.contains(&arrived),
            "{arrived} is not in {possible:?}"
        );
        assert_eq!(
            socket.receive(&mut buffer).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        drop(server);
        Ok(())
    }
}
