//! Durability of the count: what a batch of increments is, and the stores that commit one.
//!
//! Knows nothing of sockets, nor of the order in which increments came: the counter decides it.

mod address;
mod error;
mod file;
mod health;
mod key;
mod ledger;
mod memory;
mod redis;

use std::pin::Pin;
use std::time::Duration;

pub use address::StoreAddress;
pub(crate) use error::{Error, OpenError};
pub(crate) use health::Health;
pub(crate) use key::Key;
#[cfg(test)]
pub(crate) use memory::Memory;

use crate::metrics::Metrics;
use crate::newest::Newest;

/// The greatest count: the greatest integer that every JavaScript client reads exactly, 2^53 - 1.
pub(crate) const MAX_COUNT: u64 = (1 << 53) - 1;

/// Where the count lives, and what it remembers.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) address: StoreAddress,
    /// Begins every name in Redis.
    pub(crate) prefix: String,
    /// Keys beyond so many are forgotten, the oldest first.
    pub(crate) max_keys: usize,
}

/// Increments that are committed together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// One entry per increment, in their order: its key, if it has one.
    pub(crate) keys: Vec<Option<Key>>,
    /// Keys counted at this count or before are forgotten.
    pub(crate) forget_until: u64,
    /// A count that clients have seen; a store that has less has lost something, and is raised.
    pub(crate) at_least: u64,
}

/// What a commit answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    /// The count of each increment, in their order; of a repeated key, the count of its first time.
    pub(crate) counts: Vec<u64>,
    /// The count after the batch.
    pub(crate) newest: u64,
    /// The count before the batch.
    pub(crate) stored: u64,
}

/// A commit under way.
pub(crate) type Committing<'a> =
    Pin<Box<dyn Future<Output = Result<Committed, Error>> + Send + 'a>>;

/// Where a count is durable. After an error the next commit begins from what the store then has.
pub(crate) trait Store: Send {
    /// Commits a batch whole or not at all. An empty batch shows whether the store works, and reads
    /// the count.
    fn commit(&mut self, batch: Batch) -> Committing<'_>;

    /// How long the store may go without a commit before an empty one is due; `healthy` says whether
    /// the last one succeeded.
    fn idle(&self, healthy: bool) -> Option<Duration> {
        let _ = healthy;
        None
    }
}

/// Opens the store; `newest` is raised to the count that it has, and to what others add to it.
pub(crate) async fn open(
    settings: Settings,
    newest: &Newest,
    metrics: &Metrics,
) -> Result<Box<dyn Store>, OpenError> {
    Ok(match settings.address {
        StoreAddress::Memory => Box::new(memory::Memory::new(settings.max_keys)),
        StoreAddress::File(path) => {
            Box::new(file::File::open(path, settings.max_keys, newest).await?)
        }
        StoreAddress::Redis(address) => {
            let database = redis::Database::new(address, &settings.prefix)?;
            let reconnects = &metrics.redis_reconnects;
            Box::new(redis::Redis::open(database, settings.max_keys, newest, reconnects).await?)
        }
    })
}

/// The stored count, if there is one.
pub(crate) async fn show(settings: &Settings) -> Result<Option<u64>, OpenError> {
    match &settings.address {
        StoreAddress::Memory => Err(OpenError::Memory),
        StoreAddress::File(path) => file::show(path).await.map(Some),
        StoreAddress::Redis(address) => {
            let database = redis::Database::new(address.clone(), &settings.prefix)?;
            database.show().await
        }
    }
}

/// Sets the count, and forgets the keys that were counted above it.
pub(crate) async fn set(settings: &Settings, count: u64) -> Result<(), OpenError> {
    match &settings.address {
        StoreAddress::Memory => Err(OpenError::Memory),
        StoreAddress::File(path) => file::set(path, count).await,
        StoreAddress::Redis(address) => {
            let database = redis::Database::new(address.clone(), &settings.prefix)?;
            database.set(count).await
        }
    }
}

/// How many old keys at most go with a commit that adds `added`: more than come, so that they cannot
/// pile up, and never so many that one commit takes long.
fn prunable(added: usize) -> usize {
    1_000 + 2 * added
}
