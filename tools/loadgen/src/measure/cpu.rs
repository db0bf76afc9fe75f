//! How busy a lane is: the CPU time of its thread, and how long it waited for a core (proc(5), `schedstat`).

use std::{fs::File, os::unix::fs::FileExt};

use super::record::LaneUse;
use crate::time::Nanos;

/// What the scheduler says of the thread that opened it.
struct Schedule(Option<File>);

impl Schedule {
    fn of_this_thread() -> Self {
        Self(File::open("/proc/thread-self/schedstat").ok())
    }

    /// Time on a core, and time ready to run without one; `None`: this kernel does not say.
    fn read(&self) -> Option<[Nanos; 2]> {
        let mut text = [0; 64];
        let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
        let mut words = text[..length].split(u8::is_ascii_whitespace);
        let mut word = || std::str::from_utf8(words.next()?).ok()?.parse().ok();
        Some([word()?, word()?])
    }
}

/// How long the calling thread was ready to run and had no core.
pub(crate) struct RunDelay {
    schedule: Schedule,
    before: Nanos,
}

impl RunDelay {
    pub(crate) fn of_this_thread() -> Self {
        let mut delay = Self {
            schedule: Schedule::of_this_thread(),
            before: 0,
        };
        delay.since_last();
        delay
    }

    /// Since the last call; `None`: this kernel does not say.
    pub(crate) fn since_last(&mut self) -> Option<Nanos> {
        let [_, waiting] = self.schedule.read()?;
        Some(waiting - std::mem::replace(&mut self.before, waiting))
    }
}

/// CPU time of the calling thread, and its time in the run queue.
pub(super) struct Usage {
    at: Nanos,
    running: Nanos,
    waiting: Nanos,
}

impl Usage {
    pub(super) fn now() -> Self {
        let [running, waiting] = Schedule::of_this_thread().read().unwrap_or_default();
        Self {
            at: crate::time::now(),
            running,
            waiting,
        }
    }

    pub(super) fn since(&self, lane: &str, now: Nanos) -> LaneUse {
        let end = Self::now();
        let wall = now.saturating_sub(self.at).max(1) as f64;
        LaneUse {
            name: lane.to_owned(),
            cpu: (end.running - self.running) as f64 / wall,
            waiting: (end.waiting - self.waiting) as f64 / wall,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_the_time_on_a_core() {
        let schedule = Schedule::of_this_thread();
        let before = schedule.read().expect("a kernel that tells");
        let begin = crate::time::now();
        while crate::time::now() < begin + 20 * crate::time::MILLISECOND {
            std::hint::spin_loop();
        }
        let after = schedule.read().expect("a kernel that tells");
        assert!(after[0] > before[0]);
    }
}
