//! Durability of the count.

use std::collections::HashMap;

/// Names one increment, so that it is counted once however often it is sent: 1 to 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key(Box<str>);

impl Key {
    /// The key, if the text has 1 to 128 bytes.
    pub(crate) fn new(text: &str) -> Option<Self> {
        (1..=128).contains(&text.len()).then(|| Self(text.into()))
    }
}

/// Why a batch was not stored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {}

/// What a commit answers.
pub(crate) struct Committed {
    /// For each increment, in their order, its count.
    pub(crate) counts: Vec<u64>,
    /// The newest count.
    pub(crate) newest: u64,
}

/// The count in the process, lost at its end.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    count: u64,
    keys: HashMap<Key, u64>,
}

impl Memory {
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn commit<'a>(&mut self, keys: impl Iterator<Item = Option<&'a Key>>) -> Committed {
        let counts = keys.map(|key| self.add(key)).collect();
        Committed {
            counts,
            newest: self.count,
        }
    }

    fn add(&mut self, key: Option<&Key>) -> u64 {
        if let Some(&count) = key.and_then(|key| self.keys.get(key)) {
            return count;
        }
        self.count += 1;
        if let Some(key) = key {
            self.keys.insert(key.clone(), self.count);
        }
        self.count
    }
}
