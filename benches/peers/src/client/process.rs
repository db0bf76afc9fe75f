//! What the kernel says about a process: CPU time, resident memory, open files (proc(5)).

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::report::ServerUse;

/// A process that is watched from outside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process(u32);

/// CPU and memory at one instant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Use {
    /// User and system time of all threads, those that ended included. The kernel tells it in steps of 10 ms.
    pub(crate) cpu: Duration,
    /// Resident memory in KiB.
    pub(crate) resident_kib: u64,
}

impl Use {
    /// What was used since, for so many counts delivered.
    pub(crate) fn since(self, before: Self, delivered: u64) -> ServerUse {
        let cpu_seconds = self.cpu.saturating_sub(before.cpu).as_secs_f64();
        ServerUse {
            cpu_seconds,
            cpu_us_per_message: (delivered > 0).then(|| cpu_seconds * 1e6 / delivered as f64),
            kib_before: before.resident_kib,
            kib_after: self.resident_kib,
        }
    }
}

impl Process {
    /// The process with this id, which must be running.
    pub(crate) fn with_id(id: u32) -> Result<Self> {
        let process = Self(id);
        process.sample()?;
        Ok(process)
    }

    /// This process itself.
    pub(crate) fn this() -> Self {
        Self(std::process::id())
    }

    /// Reads both figures.
    pub(crate) fn sample(self) -> Result<Use> {
        Ok(Use {
            cpu: self.cpu()?,
            resident_kib: self.resident_kib()?,
        })
    }

    /// User and system time so far.
    pub(crate) fn cpu(self) -> Result<Duration> {
        let stat = self.read("stat")?;
        // The command name is in parentheses and may itself hold spaces and parentheses; fields 14 and 15 count from it.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let ticks: u64 = fields
            .iter()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<u64>().ok())
            .sum();
        ensure!(fields.len() > 13, "cannot read /proc/{}/stat", self.0);
        Ok(Duration::from_secs_f64(
            ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
        ))
    }

    /// Exact, where `statm` is only as exact as its per-CPU counters.
    fn resident_kib(self) -> Result<u64> {
        let rollup = self.read("smaps_rollup")?;
        let field = rollup
            .lines()
            .find_map(|line| line.strip_prefix("Rss:")?.strip_suffix("kB"));
        field
            .and_then(|kib| kib.trim().parse().ok())
            .with_context(|| format!("cannot read /proc/{}/smaps_rollup", self.0))
    }

    fn read(self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.0);
        fs::read_to_string(&path)
            .with_context(|| format!("cannot read {path}; is the server still running, and yours?"))
    }
}

/// Raises the limit of open files as far as it goes, for this process and those that it starts. Fails unless that allows
/// so many sockets, and a few files beside them.
pub fn allow_open_files(sockets: usize) -> Result<()> {
    const BESIDE: u64 = 32;
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )
    .context("cannot raise the limit of open files to the hard limit")?;
    let limit = limit.maximum.unwrap_or(u64::MAX);
    ensure!(
        sockets as u64 + BESIDE <= limit,
        "cannot open {sockets} connections: this process may have {limit} open files; ask for at most {}, or raise the limit with \
         `ulimit -Hn` as root",
        limit.saturating_sub(BESIDE)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_work_of_a_process_shows_in_its_cpu_time_and_memory() {
        let before = Process::this().sample().unwrap();
        let memory = std::hint::black_box(vec![1_u8; 32 << 20]);
        let start = Instant::now();
        while Process::this().cpu().unwrap() < before.cpu + Duration::from_millis(30) {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "the CPU time does not move"
            );
        }
        let after = Process::this().sample().unwrap();
        assert!(
            after.resident_kib > before.resident_kib + 30 * 1024,
            "{before:?} {after:?}"
        );
        drop(memory);
    }

    #[test]
    fn too_many_connections_are_refused_with_the_number_that_works() {
        let error = allow_open_files(usize::MAX >> 1).unwrap_err().to_string();
        assert!(error.contains("ask for at most"), "{error}");
    }
}
