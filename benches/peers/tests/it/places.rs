//! The programs under test, built where they are missing, and short runs against them.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use peers::client::{Options, Report, run};
use peers::compare::{Peer, Places, Server};

/// The programs of this profile; cargo built this package's own for the test.
pub(crate) fn places() -> Places {
    let programs = Path::new(env!("CARGO_BIN_EXE_floor"))
        .parent()
        .unwrap()
        .to_path_buf();
    let ours = programs.join("counter-server");
    Places { programs, ours }
}

/// A server of the comparison.
pub(crate) fn server(name: &str) -> Server {
    static OURS: OnceLock<()> = OnceLock::new();
    if name == "ours" {
        OURS.get_or_init(build_ours);
    }
    Server::start(&mut Peer::named(name).unwrap().command(&places()).unwrap()).unwrap()
}

fn build_ours() {
    let target = places().programs.parent().unwrap().to_path_buf();
    let profile = if cfg!(debug_assertions) {
        "dev"
    } else {
        "release"
    };
    let mut build = Command::new(env!("CARGO"));
    build
        .args([
            "build",
            "--quiet",
            "-p",
            "counter-server",
            "--profile",
            profile,
            "--target-dir",
        ])
        .arg(target);
    assert!(
        build.status().unwrap().success(),
        "counter-server does not build; try: cargo build -p counter-server"
    );
}

/// What the command line would be.
pub(crate) fn options(url: &str, clients: usize, phases: &str) -> Options {
    Options {
        url: url.parse().unwrap(),
        clients,
        in_flight: usize::MAX,
        server_pid: None,
        quiet: Duration::from_secs(1),
        limit: Duration::from_secs(20),
        phases: phases
            .split_whitespace()
            .map(|phase| phase.parse().unwrap())
            .collect(),
    }
}

/// Runs phases against a server of the comparison.
pub(crate) fn measure(server: &Server, clients: usize, phases: &str) -> Report {
    let options = Options {
        server_pid: Some(server.id()),
        ..options(server.url(), clients, phases)
    };
    run(&options).unwrap()
}
