//! Many sends in one system call: `io_uring` (`io_uring_enter(2)`), of which each send is one entry.
//!
//! The one module with `unsafe`. What makes it sound: an entry points at a buffer and names a
//! descriptor, both borrowed for the whole of [`Ring::send`], and none outlives that call. It
//! returns when all entries have completed. If the ring itself fails it returns at once, and the
//! ring must be dropped: an entry that the kernel has taken is complete even then, since a send
//! with `MSG_DONTWAIT` is done or fails within the system call that submits it, and one that it
//! has not taken goes with the ring.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsRawFd as _;

use io_uring::{IoUring, Probe, opcode, types};
use rustix::net::SendFlags;

use crate::connection::Sending;

/// A submission queue and its completions.
pub(super) struct Ring(IoUring);

impl Ring {
    /// Room for so many entries.
    ///
    /// # Errors
    /// The kernel has no `io_uring` (before 5.6 none that sends), or does not permit it.
    pub(super) fn new(entries: usize) -> io::Result<Self> {
        let ring = IoUring::new(entries as u32)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::Send::CODE) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Self(ring))
    }

    /// Sends the bytes to each that is still to be sent to, and tells of each what was written.
    /// `flags` must include [`SendFlags::DONTWAIT`].
    ///
    /// # Errors
    /// The ring failed and must be dropped. Who was not told of was not sent to.
    pub(super) fn send(
        &mut self,
        bytes: &[u8],
        flags: SendFlags,
        batch: &mut [Sending<'_>],
        mut ended: impl FnMut(&mut Sending<'_>, io::Result<usize>),
    ) -> io::Result<()> {
        assert!(flags.contains(SendFlags::DONTWAIT), "no send may wait");
        let mut under_way = 0;
        for (at, sending) in batch.iter().enumerate() {
            let Some(socket) = sending.socket() else {
                continue;
            };
            let socket = types::Fd(socket.as_raw_fd());
            let entry = opcode::Send::new(socket, bytes.as_ptr(), bytes.len() as u32)
                .flags(flags.bits().cast_signed())
                .build()
                .user_data(at as u64);
            // SAFETY: buffer and descriptor are borrowed until this function returns; see above.
            unsafe { self.0.submission().push(&entry) }.map_err(io::Error::other)?;
            under_way += 1;
        }
        while under_way > 0 {
            let submitted = self.0.submit_and_wait(under_way);
            for completion in self.0.completion() {
                let result = completion.result();
                let written =
                    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
                ended(&mut batch[completion.user_data() as usize], written);
                under_way -= 1;
            }
            match submitted {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
