//! loadgen in a process of its own, as load on a server or as what is watched.

use std::process::{Child, Command, ExitStatus, Stdio};

use test_support::loadgen;

/// A running loadgen; killed on drop.
pub(crate) struct Load(Child);

impl Load {
    /// A scenario with its arguments, separated by spaces.
    pub(crate) fn start(url: &str, arguments: &str) -> Self {
        let mut command = Command::new(loadgen());
        command
            .args(arguments.split(' '))
            .args(["--quiet", "--url", url]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("loadgen starts"))
    }

    /// Whether it has ended by itself, and how.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("it is ours")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
