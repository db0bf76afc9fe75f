//! Runs the program and reads what it says.

use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

/// What a run of loadgen left.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("loadgen writes text");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

pub(crate) fn command(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(arguments.split_whitespace());
    command
}

/// A loadgen that runs, and whose output can be read meanwhile.
pub(crate) fn spawn(arguments: &str) -> Child {
    command(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("loadgen starts")
}

pub(crate) fn run(arguments: &str) -> Run {
    command(arguments).output().expect("loadgen starts").into()
}

/// Runs a scenario and gives its JSON.
pub(crate) fn report(arguments: &str) -> Value {
    let run = run(&format!("{arguments} --quiet --json -"));
    serde_json::from_str(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", run.stdout, run.stderr))
}

/// A count of all measured phases.
pub(crate) fn count(report: &Value, name: &str) -> u64 {
    report["total"]["counts"][name]
        .as_u64()
        .unwrap_or_else(|| panic!("no count {name}"))
}

pub(crate) fn assert_counts(report: &Value, expected: &[(&str, u64)]) {
    for (name, expected) in expected {
        assert_eq!(
            count(report, name),
            *expected,
            "{name} in {}",
            report["total"]["counts"]
        );
    }
}

pub(crate) fn latency(report: &Value, metric: &str, statistic: &str) -> f64 {
    let value = &report["total"]["latencies"][metric][statistic];
    value.as_f64().unwrap_or_else(|| {
        panic!(
            "no {metric} {statistic} in {}",
            report["total"]["latencies"]
        )
    })
}

/// The reasons of the verdict, in one line.
pub(crate) fn reasons(report: &Value) -> String {
    report["verdict"]["reasons"].to_string()
}

/// Whether it measured what was asked for, as far as the machine let it.
pub(crate) fn assert_measured(report: &Value) {
    let reasons = report["verdict"]["reasons"].as_array().expect("reasons");
    let invalid = reasons.iter().filter(|reason| reason["state"] == "INVALID");
    // Tests run beside other tests: a late schedule is the machine's.
    let ours: Vec<_> = invalid
        .filter(|reason| !reason["text"].to_string().contains("sent so late"))
        .collect();
    assert!(ours.is_empty(), "{ours:?}");
}
