//! Places where a test can cut the power: `FAILPOINTS="NAME=2*off->return"` ends the process, without
//! any clean-up, the third time it comes by. Without the cargo feature `failpoints` nothing is left of
//! them.

/// Reads `FAILPOINTS`; what it returns must live as long as the program.
#[cfg(feature = "failpoints")]
pub(crate) fn from_environment() -> impl Sized {
    fail::FailScenario::setup()
}

#[cfg(not(feature = "failpoints"))]
pub(crate) fn from_environment() -> impl Sized {}

/// Ends the process if a test asked for it.
#[cfg(feature = "failpoints")]
pub(crate) fn reach(name: &str) {
    fail::fail_point!(name, |_| std::process::abort());
}

#[cfg(not(feature = "failpoints"))]
#[inline]
pub(crate) fn reach(_: &str) {}
