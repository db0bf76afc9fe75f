//! What the system says of this process, under the names that all Prometheus clients use
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>).

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::{Counter, IntGauge};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::register::Register;

/// Figures that are read when somebody asks for them.
#[derive(Debug)]
pub(super) struct Process {
    /// A counter can only be added to, so whoever adds what is new must be alone.
    cpu: Mutex<Counter>,
    resident: IntGauge,
    open_fds: IntGauge,
    max_fds: IntGauge,
}

impl Process {
    pub(super) fn new(register: &Register) -> Result<Self, prometheus::Error> {
        let start = register.gauge(
            "process_start_time_seconds",
            "When this process started, in seconds since 1970.",
        )?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        start.set(now.map_or(0, |now| now.as_secs().cast_signed()));
        Ok(Self {
            cpu: Mutex::new(register.fractional_counter(
                "process_cpu_seconds_total",
                "CPU time that this process has used, its own and the kernel's for it.",
            )?),
            resident: register.gauge(
                "process_resident_memory_bytes",
                "Memory of this process that is in RAM; the kernel's socket buffers are not in it.",
            )?,
            open_fds: register.gauge(
                "process_open_fds",
                "File descriptors open now; every connection is one.",
            )?,
            max_fds: register.gauge(
                "process_max_fds",
                "How many file descriptors may be open (ulimit -n, raised to the hard limit at the start).",
            )?,
        })
    }

    /// Reads everything anew; what cannot be read keeps its value.
    pub(super) fn look(&self) {
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        let spent = spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9;
        let cpu = self.cpu.lock().unwrap_or_else(PoisonError::into_inner);
        cpu.inc_by((spent - cpu.get()).max(0.0));
        drop(cpu);
        if let Some(bytes) = resident_bytes() {
            self.resident.set(bytes);
        }
        if let Some(descriptors) = open_descriptors() {
            self.open_fds.set(descriptors);
        }
        let limit = getrlimit(Resource::Nofile).current;
        self.max_fds
            .set(limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX)));
    }
}

fn resident_bytes() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Since Linux 6.2 the size of the directory is the number of its entries; before, it is 0, and they
/// have to be counted.
fn open_descriptors() -> Option<i64> {
    const DESCRIPTORS: &str = "/proc/self/fd";
    match fs::metadata(DESCRIPTORS).ok()?.len() {
        0 => Some(fs::read_dir(DESCRIPTORS).ok()?.count().cast_signed() as i64 - 1),
        descriptors => i64::try_from(descriptors).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_are_those_of_this_process() {
        let before = open_descriptors().unwrap();
        let files: Vec<_> = (0..50)
            .map(|_| fs::File::open("/dev/null").unwrap())
            .collect();
        // Other tests of this process open and close a few meanwhile.
        let more = open_descriptors().unwrap() - before;
        assert!((30..=70).contains(&more), "{more} more");
        drop(files);

        let resident = resident_bytes().unwrap();
        assert!((1 << 20..1 << 34).contains(&resident), "{resident} bytes");

        let register = Register::default();
        let process = Process::new(&register).unwrap();
        process.look();
        let first = process.cpu.lock().unwrap().get();
        process.look();
        let second = process.cpu.lock().unwrap().get();
        assert!(0.0 < first && first <= second && second < first + 60.0);
    }
}
