//! The files that a run leaves: JSON by its schema, the `HdrHistogram` log, the report with plots, and comparisons.

use std::{fs, path::Path};

use hdrhistogram::serialization::{
    Deserializer,
    interval_log::{IntervalLogIterator, LogEntry},
};
use serde_json::{Value, json};
use test_support::ServerProcess;

use crate::program::{count, run};

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/report.schema.json");

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("the file is there")).expect("it is JSON")
}

#[test]
fn the_published_schema_is_that_of_this_version() {
    let printed: Value = serde_json::from_str(&run("schema").stdout).expect("a schema");
    let published = read(Path::new(SCHEMA));
    assert!(
        printed == published,
        "renew it: cargo run -p loadgen -- schema > tools/loadgen/report.schema.json"
    );
}

#[test]
fn every_file_tells_the_same_run() {
    let server = ServerProcess::counter_server(&[]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (json, hlog, html) = (path("run.json"), path("run.hlog"), path("run.html"));
    let run = run(&format!(
        "broadcast -q --url {} --clients 10 --rate 50 --duration 3s --warm-up 0s --threshold lost:count==0 --json {} \
         --hlog {} --html {}",
        server.url(),
        json.display(),
        hlog.display(),
        html.display()
    ));
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);

    let report = read(&json);
    let schema = jsonschema::validator_for(&read(Path::new(SCHEMA))).expect("a valid schema");
    let errors: Vec<String> = schema
        .iter_errors(&report)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let mut broken = report.clone();
    broken["verdict"]["state"] = json!("FINE");
    assert!(!schema.is_valid(&broken), "the schema does say something");

    let moments = report["phases"][1]["series"].as_array().expect("a series");
    let delivered: u64 = moments
        .iter()
        .filter_map(|moment| moment["delivered"].as_u64())
        .sum();
    assert_eq!((delivered, count(&report, "delivered")), (1_500, 1_500));

    assert_eq!(values_of(&fs::read(hlog).expect("a log")), 1_500);

    let page = fs::read_to_string(html).expect("a page");
    assert_eq!(
        page.matches("<svg").count(),
        4,
        "latency, percentiles, delivery, connections"
    );
    for outside in ["<script", "<link", "<img", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

/// How many values a log has in all its intervals.
fn values_of(log: &[u8]) -> u64 {
    let mut deserializer = Deserializer::new();
    let mut values = 0;
    for entry in IntervalLogIterator::new(log) {
        let LogEntry::Interval(interval) = entry.expect("a valid log") else {
            continue;
        };
        let bytes = data_encoding::BASE64
            .decode(interval.encoded_histogram().as_bytes())
            .expect("Base64");
        let histogram: hdrhistogram::Histogram<u64> = deserializer
            .deserialize(&mut &bytes[..])
            .expect("a histogram");
        values += histogram.len();
    }
    values
}

/// The result of a run, with round figures.
fn result(folder: &Path) -> Value {
    let server = ServerProcess::counter_server(&[]);
    let path = folder.join("run.json");
    let run = run(&format!(
        "broadcast -q --url {} --clients 2 --rate 20 --duration 1s --json {}",
        server.url(),
        path.display()
    ));
    assert_eq!(run.code, Some(0), "{}{}", run.stdout, run.stderr);
    let mut report = read(&path);
    for statistic in ["p50", "p90", "p99"] {
        for metric in ["broadcast_latency", "server_latency", "ack_latency"] {
            report["total"]["latencies"][metric][statistic] = json!(10.0);
        }
    }
    report
}

/// Writes a result that is like `report` but for a change.
fn changed(folder: &Path, name: &str, report: &Value, change: impl FnOnce(&mut Value)) -> String {
    let path = folder.join(name);
    let mut report = report.clone();
    change(&mut report);
    fs::write(&path, report.to_string()).expect("the file is written");
    path.display().to_string()
}

#[test]
fn a_comparison_fails_on_what_got_worse_and_on_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let run_before = result(folder.path());
    let result =
        |name: &str, change: fn(&mut Value)| changed(folder.path(), name, &run_before, change);
    let before = result("before.json", |_| {});
    let same = result("same.json", |report| {
        report["total"]["latencies"]["broadcast_latency"]["p99"] = json!(10.9);
        report["total"]["latencies"]["read_delay"]["p99"] = json!(500.0);
    });
    let slower = result("slower.json", |report| {
        report["total"]["latencies"]["broadcast_latency"]["p99"] = json!(11.5);
    });
    let losing = result("losing.json", |report| {
        report["total"]["counts"]["lost"] = json!(1);
    });
    let other = result("other.json", |report| {
        report["setup"]["clients"] = json!(3);
    });
    let compare = |after: &str, more: &str| run(&format!("compare {before} {after} {more}"));
    assert_eq!(
        compare(&same, "").code,
        Some(0),
        "{}",
        compare(&same, "").stdout
    );
    let worse = compare(&slower, "");
    assert_eq!(worse.code, Some(3));
    assert!(
        worse
            .stdout
            .contains("WORSE   broadcast_latency p99: 10.0 ms -> 11.5 ms"),
        "{}",
        worse.stdout
    );
    assert_eq!(compare(&slower, "--tolerance 0.2").code, Some(0));
    assert_eq!(compare(&slower, "--tolerance 0 --margin 2ms").code, Some(0));
    assert_eq!(compare(&losing, "").code, Some(3));
    assert!(compare(&other, "").stdout.contains("not alike"));
    let error = compare("/nonexistent.json", "");
    assert_eq!((error.code, error.stdout.as_str()), (Some(1), ""));
}
