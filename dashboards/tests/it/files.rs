//! The files by themselves: up to date, well-formed, and pointing at one another.

use std::fs;
use std::process::Command;

use dashboards::folder;

/// Runs promtool on files of `prometheus/`.
fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(folder().join("prometheus"))
        .output()
        .expect("promtool runs; install it with: bash tools/test.sh");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}:\n{said}");
}

#[test]
fn the_dashboards_are_those_of_the_source() {
    for dashboard in dashboards::all() {
        let file = dashboards::file(&dashboard);
        let written = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == dashboard.json(),
            "{} is out of date; write it anew with: cargo run -p dashboards",
            file.display()
        );
    }
}

#[test]
fn the_configuration_and_the_rules_are_sound() {
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["check", "rules", "recording.rules.yml", "alerts.rules.yml"]);
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    promtool(&["test", "rules", "rules.test.yml"]);
}

#[test]
fn every_alert_has_a_test_and_a_page_in_the_runbook() {
    let read = |path: &str| fs::read_to_string(folder().join(path)).unwrap();
    let alerts = read("prometheus/alerts.rules.yml");
    let tests = read("prometheus/rules.test.yml");
    let runbook = read("../docs/runbook.md");
    let after = |text: &str, key: &str| -> Vec<String> {
        let values = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(key));
        values.map(str::to_owned).collect()
    };
    let names = after(&alerts, "- alert: ");
    assert!(names.len() >= 6, "{names:?}");
    for name in &names {
        assert!(
            tests.contains(&format!("alertname: {name}")),
            "{name} is not tested"
        );
    }
    let links = names
        .iter()
        .map(|name| format!("docs/runbook.md#{}", name.to_lowercase()));
    assert_eq!(after(&alerts, "runbook: "), links.collect::<Vec<_>>());
    assert_eq!(
        after(&runbook, "## "),
        names,
        "the runbook has one entry per alert"
    );
}

#[test]
fn titles_are_unique_and_every_panel_explains_itself() {
    for dashboard in dashboards::all() {
        let panels: Vec<_> = dashboard.rows.iter().flat_map(|row| &row.panels).collect();
        for (index, panel) in panels.iter().enumerate() {
            assert!(panel.help.len() > 20, "{}", panel.title);
            let same = panels[..index].iter().find(|it| it.title == panel.title);
            assert!(same.is_none(), "{} is there twice", panel.title);
        }
    }
}
