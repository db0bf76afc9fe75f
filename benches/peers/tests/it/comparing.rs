//! The programs as a person starts them.

use std::process::{Command, Output};

use serde_json::Value;

fn compare(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(arguments)
        .output()
        .unwrap()
}

/// Exit code, stdout, stderr.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn two_servers_are_compared_in_interleaved_rounds_and_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures.json");
    let phases = "idle:50ms steady:50/s,200ms burst:10x1";
    let output = compare(&[
        "--only",
        "floor,plain-socketioxide",
        "--clients",
        "10",
        "--rounds",
        "2",
        "--phases",
        phases,
        "--json",
        json.to_str().unwrap(),
    ]);
    let (code, table, progress) = said(&output);
    assert_eq!(code, Some(0), "{progress}");
    let order: Vec<&str> = progress
        .lines()
        .filter_map(|line| line.rsplit(' ').next())
        .collect();
    assert_eq!(
        order,
        ["floor", "plain-socketioxide", "plain-socketioxide", "floor"]
    );

    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    let [head, _, floor, plain] = &rows[..] else {
        panic!("{table}")
    };
    assert_eq!((floor[1], plain[1]), ("floor", "plain-socketioxide"));
    let column = |title: &str| {
        head.iter()
            .position(|cell| *cell == title)
            .unwrap_or_else(|| panic!("no {title} in {table}"))
    };
    assert_eq!(
        (floor[column("lost")], floor[column("p99 / floor")]),
        ("0", "1.00")
    );
    assert!(plain[column("KiB / connection")].parse::<f64>().unwrap() > 1.0);
    assert!(
        !head.contains(&"continued s"),
        "a column without a figure is shown: {table}"
    );
    assert!(
        table.contains("Linux ") && table.contains("socketioxide 0.") && table.contains(phases),
        "{table}"
    );

    let figures: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let outcomes = figures[0]["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), 4);
    assert_eq!(outcomes[0]["report"]["totals"]["delivered"], 200);
}

#[test]
fn what_cannot_be_compared_is_one_line_that_says_what_to_do() {
    for (arguments, expected) in [
        (
            &["--only", "ours", "--ours", "/nowhere/counter-server"][..],
            "cargo build --release -p counter-server",
        ),
        (
            &["--only", "erlang"],
            "there are ours, floor, plain-socketioxide, node, bun",
        ),
        (&["--scenario", "calm"], "there are steady-1k, "),
        (
            &["--only", "floor", "--phases", "rest:1s"],
            "no phase is called 'rest'",
        ),
        (
            &["--only", "floor", "--clients", "900000000"],
            "ask for at most",
        ),
        (&["--only", "floor", "--rounds", "0"], "at least one round"),
    ] {
        let (code, stdout, stderr) = said(&compare(arguments));
        assert_eq!(
            (code, stdout.as_str(), stderr.lines().count()),
            (Some(1), "", 1),
            "{stderr}"
        );
        assert!(
            stderr.starts_with("error: ") && stderr.contains(expected),
            "{stderr}"
        );
    }
}

#[test]
fn a_raw_client_without_a_server_fails_with_one_line_and_wrong_usage_is_2() {
    let raw_client = |arguments: &[&str]| {
        said(
            &Command::new(env!("CARGO_BIN_EXE_raw-client"))
                .args(arguments)
                .output()
                .unwrap(),
        )
    };
    // Port 1 of an address that nobody listens on.
    let (code, _, stderr) = raw_client(&[
        "--url",
        "http://127.255.255.1:1",
        "--clients",
        "2",
        "idle:1s",
    ]);
    assert_eq!((code, stderr.lines().count()), (Some(1), 1), "{stderr}");
    assert!(stderr.contains("Connection refused"), "{stderr}");
    for wrong in [
        &["--url", "http://192.0.2.1:80", "idle:1s"][..],
        &["--url", "http://127.0.0.1:1"],
        &["idle:1s"],
    ] {
        assert_eq!(raw_client(wrong).0, Some(2), "{wrong:?}");
    }
}
