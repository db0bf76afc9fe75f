//! What a comparison ran on: figures without it mean nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

/// The machine, its software and its state.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    date: String,
    kernel: String,
    cpu: String,
    cores: usize,
    memory_gib: u64,
    /// Runnable processes over the last minute, before the comparison began.
    load: f64,
    build: &'static str,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let cpu = file("/proc/cpuinfo");
        let cpu = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
            .map(|(_, name)| name.trim());
        let memory = file("/proc/meminfo");
        let kib = memory.lines().find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .split_whitespace()
                .next()?
                .parse::<u64>()
                .ok()
        });
        Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            kernel: format!(
                "{} {}",
                file("/proc/sys/kernel/ostype"),
                file("/proc/sys/kernel/osrelease")
            ),
            cpu: cpu.unwrap_or("unknown CPU").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: kib.unwrap_or(0).div_ceil(1 << 20),
            load: file("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(0.0),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
        }
    }

    /// In lines for people, with what speaks against quoting the figures.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!(
            "{}; {}; {}, {} cores, {} GiB; {} build; load {} before\n",
            self.date, self.kernel, self.cpu, self.cores, self.memory_gib, self.build, self.load
        );
        if self.load > 0.5 {
            text.push_str(
                "Warning: the machine was busy before this began; do not quote the timings.\n",
            );
        }
        if self.build == "debug" {
            text.push_str("Warning: a debug build; do not quote the figures.\n");
        }
        text
    }
}

fn file(path: &str) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// The first line that a program says about its version.
pub(crate) fn version(program: Result<Command>, arguments: &[&str]) -> String {
    let output = program.and_then(|program| {
        Ok(Command::new(program.get_program())
            .args(arguments)
            .output()?)
    });
    let text = output
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    text.lines().next().unwrap_or("unknown version").to_owned()
}

/// The version of a crate in the workspace's lock file, as it was compiled.
pub(crate) fn crate_version(name: &str) -> String {
    let lock = include_str!("../../../../Cargo.lock");
    let after = lock
        .split(&format!("name = \"{name}\"\nversion = \""))
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    format!("{name} {}", after.unwrap_or("of unknown version"))
}

/// The version of a package that is installed in a folder of this package.
pub(crate) fn npm_version(folder: &str, name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(folder)
        .join("node_modules")
        .join(name)
        .join("package.json");
    let package: Value = fs::read(path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    format!(
        "{name} {}",
        package["version"].as_str().unwrap_or("of unknown version")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_described_by_what_the_kernel_says() {
        let machine = Machine::look();
        assert!(
            machine.kernel.starts_with("Linux ") && machine.cores > 0 && machine.memory_gib > 0,
            "{machine:?}"
        );
        assert!(machine.describe().contains(&machine.kernel));
    }

    #[test]
    fn the_version_of_a_crate_is_the_one_that_is_locked() {
        assert!(crate_version("socketioxide").starts_with("socketioxide 0."));
        assert_eq!(
            crate_version("no-such-crate"),
            "no-such-crate of unknown version"
        );
    }
}
