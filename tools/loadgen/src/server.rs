//! What the server under test uses: its resident memory and its CPU time, by its process id (`/proc/PID`, proc(5)).

use anyhow::Context as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) struct Server {
    pid: u32,
    page: u64,
    ticks: u64,
}

/// A moment, or what happened between two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Usage {
    /// Resident memory at the end, in bytes.
    pub resident_bytes: u64,
    /// How much more than at the beginning, in bytes.
    pub grown_bytes: i64,
    /// User and system time, in seconds.
    pub cpu_seconds: f64,
}

impl Server {
    pub(crate) fn new(pid: u32) -> anyhow::Result<Self> {
        let page = rustix::param::page_size() as u64;
        let server = Self {
            pid,
            page,
            ticks: rustix::param::clock_ticks_per_second(),
        };
        server
            .read()
            .with_context(|| format!("cannot watch process {pid} (--server-pid)"))?;
        Ok(server)
    }

    /// All zero once the process is gone.
    pub(crate) fn usage(&self) -> Usage {
        self.read().unwrap_or_default()
    }

    fn read(&self) -> anyhow::Result<Usage> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid))?;
        let pages: u64 = statm
            .split(' ')
            .nth(1)
            .context("statm has no second field")?
            .parse()?;
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        // The name in brackets may hold anything; after it, user and system time are the 12th and 13th field.
        let fields = stat.rsplit_once(") ").context("stat has no name")?.1;
        let ticks = fields
            .split(' ')
            .skip(11)
            .take(2)
            .map(str::parse::<u64>)
            .sum::<Result<u64, _>>()?;
        let cpu_seconds = ticks as f64 / self.ticks as f64;
        Ok(Usage {
            resident_bytes: pages * self.page,
            grown_bytes: 0,
            cpu_seconds,
        })
    }
}

impl Usage {
    pub(crate) fn since(&self, before: &Self) -> Self {
        Self {
            resident_bytes: self.resident_bytes,
            grown_bytes: self.resident_bytes.cast_signed() - before.resident_bytes.cast_signed(),
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_memory_and_time_can_be_seen_and_those_of_nobody_cannot() {
        let us = Server::new(std::process::id()).unwrap();
        let before = us.usage();
        let block = vec![1_u8; 64 << 20];
        let used = us.usage().since(&before);
        assert!(
            used.grown_bytes > 32 << 20,
            "{used:?} with {} bytes more",
            block.len()
        );
        assert!(Server::new(u32::MAX).is_err());
    }
}
