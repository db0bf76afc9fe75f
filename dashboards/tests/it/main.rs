//! The dashboards, rules and alerts against a real Prometheus that watches real servers.

#![expect(
    clippy::unwrap_used,
    reason = "clippy's own exception for tests leaves out what several tests share"
)]

mod faults;
mod files;
mod load;
mod panels;
mod prometheus;
