//! The Grafana dashboards as Rust values: [`all`] of them, the files that [`write()`] makes of them, and
//! the metrics that are on no panel on purpose ([`not_shown`]).
//!
//! Generated rather than kept as JSON: of a panel only what differs from the others is written down, and
//! the tests read the same queries that Grafana runs.

mod dashboard;
mod layout;
mod links;
mod load_test;
mod query;
mod server;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

pub use dashboard::{Dashboard, Panel, Row};
pub use links::links;
pub use query::{Query, metric_names};

/// All dashboards.
#[must_use]
pub fn all() -> Vec<Dashboard> {
    vec![server::dashboard(), load_test::dashboard()]
}

/// Metrics that are exposed and on no panel, each with the reason.
#[must_use]
pub fn not_shown() -> &'static [(&'static str, &'static str)] {
    &[(
        "process_start_time_seconds",
        "for alerts on restarts; on a graph it is a line without meaning",
    )]
}

/// This package's folder, which has the files for Grafana and Prometheus.
#[must_use]
pub fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the file of a dashboard lies.
#[must_use]
pub fn file(dashboard: &Dashboard) -> PathBuf {
    folder().join(format!("grafana/{}.json", dashboard.uid))
}

/// Writes the file of each dashboard.
///
/// # Errors
/// A file cannot be written.
pub fn write() -> anyhow::Result<()> {
    for dashboard in all() {
        let file = file(&dashboard);
        fs::write(&file, dashboard.json())
            .with_context(|| format!("cannot write {}", file.display()))?;
        println!("{}", file.display());
    }
    Ok(())
}
