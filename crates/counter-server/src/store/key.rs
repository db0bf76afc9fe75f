//! What names an increment.

use std::sync::Arc;

/// Names one increment, so that it is counted once however often it is sent: 1 to 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(Arc<str>);

impl Key {
    /// The key, if the text has 1 to 128 bytes.
    pub(crate) fn new(text: &str) -> Option<Self> {
        (1..=128).contains(&text.len()).then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
