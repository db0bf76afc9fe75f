//! What can go wrong with a store.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

/// Why a batch was not acknowledged. The text goes to the clients, so it names no address; the source
/// is for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nothing of the batch was counted.
    #[error("the count cannot be stored at the moment; nothing was counted, try again")]
    Unavailable(#[source] Source),
    /// The store may have taken the batch before it failed.
    #[error(
        "the store did not confirm; this may have been counted or not, \
         only with the same key it is safe to try again"
    )]
    Unconfirmed(#[source] Source),
}

type Source = Box<dyn StdError + Send + Sync>;

impl Error {
    /// Whether a disk or a quota takes no more.
    pub(crate) fn is_for_want_of_room(&self) -> bool {
        let (Self::Unavailable(source) | Self::Unconfirmed(source)) = self;
        // redb's errors have no `source`.
        let cause = match source.downcast_ref() {
            Some(redb::Error::Io(cause)) => Some(cause),
            _ => match source.downcast_ref() {
                Some(OpenError::Io { source, .. }) => Some(source),
                _ => None,
            },
        };
        cause.is_some_and(|cause| {
            use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
            matches!(cause.kind(), FileTooLarge | QuotaExceeded | StorageFull)
        })
    }
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// There is nothing to open.
    #[error("the store `memory` lives in its server only; give --store a file or a Redis")]
    Memory,
    /// Another process uses the file.
    #[error(
        "cannot open {}: another process has it open; stop that one, or give --store another file",
        .0.display()
    )]
    InUse(PathBuf),
    /// The file is not what was written.
    #[error(
        "cannot use {}: it is damaged ({reason}); nothing was written to it; \
         bring back a copy, or move it away to begin at 0",
        path.display()
    )]
    Damaged { path: PathBuf, reason: String },
    /// The file belongs to something else.
    #[error(
        "cannot use {}: it is no counter file; nothing was written to it; give --store another file",
        .0.display()
    )]
    Foreign(PathBuf),
    /// The file is of a later version of this program.
    #[error(
        "cannot use {}: its format is {found}, this program knows {known}; use a newer counter-server",
        path.display()
    )]
    Newer {
        path: PathBuf,
        found: u64,
        known: u64,
    },
    /// The system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Redis is not there, keeps silent, or does not let us in.
    #[error("cannot use {address}: {reason}")]
    Redis { address: String, reason: String },
}
