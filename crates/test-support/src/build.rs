//! Finds the programs that tests run: built by cargo when they are the workspace's, installed when they are not.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// The workspace's counter-server; the environment's `COUNTER_SERVER` names another binary.
pub(crate) fn counter_server() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        std::env::var_os("COUNTER_SERVER").map_or_else(|| built("counter-server"), Into::into)
    })
}

/// The workspace's loadgen, built if need be.
///
/// # Panics
/// If it cannot be built.
pub fn loadgen() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| built("loadgen"))
}

/// A binary of the workspace, built for the profile and target directory of the test that asks. Cargo gives a package
/// only its own binaries, hence the call; once per test process, and quick when nothing has changed.
fn built(package: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its executable");
    // TARGET_DIR/PROFILE/deps/TEST
    let profile = test
        .ancestors()
        .nth(2)
        .expect("cargo puts tests two levels deep");
    let mut cargo = Command::new(env!("CARGO"));
    // What cargo tells this test about its own package would look like a change to build scripts
    // that watch it (ring's does), and half the tree would be built anew each time.
    for (name, _) in std::env::vars_os() {
        let known = name.to_string_lossy();
        if known.starts_with("CARGO_PKG_") || known.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(&name);
        }
    }
    cargo.args(["build", "--quiet", "--package", package, "--target-dir"]);
    cargo.arg(
        profile
            .parent()
            .expect("a profile lies in the target directory"),
    );
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    let output = cargo
        .current_dir(workspace())
        .stdin(Stdio::null())
        .output()
        .expect("cargo starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "cannot build {package}, which this test runs:\n{stderr}"
    );
    profile.join(package)
}

/// The script that serves the tutorial on stock socket.io.
pub(crate) fn tutorial() -> PathBuf {
    let script = workspace().join("tests/interop/tutorial-server.mjs");
    let modules = workspace().join("tests/interop/node_modules");
    assert!(
        modules.is_dir(),
        "npm packages are missing in {}; install them with: bash tools/test.sh",
        modules.display()
    );
    script
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this package lies two levels deep")
}
