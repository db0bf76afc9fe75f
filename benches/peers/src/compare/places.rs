//! Where the programs of the comparison are, and the command that makes one that is missing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Places {
    /// The directory of `raw-client`, `floor` and `plain-socketioxide`.
    pub programs: PathBuf,
    /// The product's server.
    pub ours: PathBuf,
}

/// The folder of this package, with the servers in JavaScript.
const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

impl Places {
    /// Beside the program that runs, where cargo puts them all.
    pub fn beside_this_program() -> Result<Self> {
        let program = std::env::current_exe().context("cannot find out where this program is")?;
        let programs = program
            .parent()
            .context("this program is in no directory")?
            .to_path_buf();
        let ours = programs.join("counter-server");
        Ok(Self { programs, ours })
    }

    /// A program of this package.
    pub(crate) fn own(&self, name: &str) -> Result<Command> {
        program(&self.programs.join(name), "cargo build --release -p peers")
    }

    /// The product's server.
    pub(crate) fn ours(&self) -> Result<Command> {
        program(&self.ours, "cargo build --release -p counter-server")
    }

    /// `server.mjs` in a folder of this package, on Node.
    pub(crate) fn on_node() -> Result<Command> {
        script("node", Path::new("node"))
    }

    /// `server.mjs` in a folder of this package, on the Bun that the folder's packages bring.
    pub(crate) fn on_bun() -> Result<Command> {
        script("bun", &Path::new(PACKAGE).join("bun/node_modules/.bin/bun"))
    }
}

fn program(path: &Path, make: &str) -> Result<Command> {
    ensure!(
        path.is_file(),
        "{} is missing; make it with: {make}",
        path.display()
    );
    Ok(Command::new(path))
}

fn script(folder: &str, interpreter: &Path) -> Result<Command> {
    let folder = Path::new(PACKAGE).join(folder);
    ensure!(
        folder.join("node_modules/socket.io/package.json").is_file(),
        "the packages of {0} are missing; install them with: npm ci --prefix {0}",
        folder.display()
    );
    let mut command = Command::new(interpreter);
    command.arg("server.mjs").current_dir(folder);
    Ok(command)
}
