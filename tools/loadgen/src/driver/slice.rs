//! Short turns on the CPU for whoever has a plan to keep.

use std::io;

use rustix::process::getpriority_process;

use crate::time::Nanos;

/// The least that the kernel grants.
const SHORT: Nanos = 100_000;

/// Asks the scheduler to let this thread run only so shortly at a time, and therefore sooner after it wakes: on a machine
/// that is shared with the server, it sends with two thirds of the lag. It needs no privilege, and a kernel before
/// Linux 6.12 takes no notice (see `sched_setattr(2)`).
#[allow(unsafe_code)]
pub(super) fn ask_for_short_turns() -> io::Result<()> {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER as u32,
        sched_flags: 0,
        sched_nice: getpriority_process(None)?,
        sched_priority: 0,
        sched_runtime: SHORT,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads as many bytes as `size` says, and only before the call returns. 0: this thread.
    let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheduler_takes_the_wish_and_leaves_the_niceness() -> io::Result<()> {
        let before = getpriority_process(None)?;
        ask_for_short_turns()?;
        assert_eq!(getpriority_process(None)?, before);
        Ok(())
    }
}
