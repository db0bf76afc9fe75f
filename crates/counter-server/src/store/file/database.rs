//! The file: a redb database with a format version, the count, and the keys in the order of their
//! counts.
//!
//! redb writes a commit with one fdatasync. After a crash it falls back to the commit before a torn
//! one; damage to a file that was closed is always found, because opening checks every page.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::super::ledger::{Ledger, Remembered};
use super::super::{Key, OpenError};

const FORMAT: u64 = 1;
/// `format` and `count`.
const COUNTER: TableDefinition<&str, u64> = TableDefinition::new("counter");
/// From the count of an increment to its key.
const KEYS: TableDefinition<u64, &str> = TableDefinition::new("keys");

/// Bytes of pages that redb keeps in memory. New keys go to the end and old ones leave at the
/// beginning, so few pages are ever in use.
const CACHE: usize = 16 << 20;

/// An open counter file, which no other process can open meanwhile.
pub(super) struct Database {
    pub(super) path: PathBuf,
    pub(super) redb: redb::Database,
}

impl Database {
    /// Opens the file, and makes it if there is none.
    pub(super) fn open_or_create(path: &Path) -> Result<Self, OpenError> {
        if !fs::exists(path).map_err(refused("open", path))? {
            create(path)?;
        }
        Self::open(path)
    }

    /// Opens a file that is there.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        if fs::metadata(path).map_err(refused("open", path))?.len() == 0 {
            return Err(damaged(path, "it is empty"));
        }
        let redb = redb::Builder::new()
            .set_cache_size(CACHE)
            .set_check_integrity_on_open(true)
            .open(path)
            .map_err(|error| unusable(path, error.into()))?;
        let path = path.into();
        Ok(Self { path, redb })
    }

    /// The count and the keys.
    pub(super) fn load(&self, max_keys: usize) -> Result<Ledger, OpenError> {
        let path = &self.path;
        match self.entry("format")? {
            Some(FORMAT) => {}
            None => return Err(OpenError::Foreign(path.clone())),
            Some(found) => {
                return Err(OpenError::Newer {
                    path: path.clone(),
                    found,
                    known: FORMAT,
                });
            }
        }
        let count = self.entry("count")?;
        let count = count.ok_or_else(|| damaged(path, "it has no count"))?;
        let keys = self.keys().map_err(|error| unusable(path, error))?;
        let keys = keys.ok_or_else(|| damaged(path, "a key has no or too many bytes"))?;
        if keys.last().is_some_and(|newest| newest.count > count) {
            return Err(damaged(path, "a key is newer than the count"));
        }
        Ok(Ledger::new(count, max_keys, keys))
    }

    fn entry(&self, name: &str) -> Result<Option<u64>, OpenError> {
        let read = || {
            let counter = self.redb.begin_read()?.open_table(COUNTER)?;
            let value = counter.get(name)?.map(|value| value.value());
            Ok::<_, redb::Error>(value)
        };
        read().map_err(|error| unusable(&self.path, error))
    }

    /// Nothing if one of them cannot be a key.
    fn keys(&self) -> Result<Option<Vec<Remembered>>, redb::Error> {
        let table = self.redb.begin_read()?.open_table(KEYS)?;
        let mut keys = Vec::new();
        for entry in table.iter()? {
            let (count, key) = entry?;
            let Some(key) = Key::new(key.value()) else {
                return Ok(None);
            };
            let count = count.value();
            keys.push(Remembered { count, key });
        }
        Ok(Some(keys))
    }

    /// A transaction that has the new count and the changed keys, to be committed.
    pub(super) fn write<'a>(
        &self,
        count: u64,
        added: &[Remembered],
        forgotten: impl Iterator<Item = &'a Remembered>,
    ) -> Result<WriteTransaction, redb::Error> {
        let transaction = self.redb.begin_write()?;
        transaction.open_table(COUNTER)?.insert("count", count)?;
        {
            let mut keys = transaction.open_table(KEYS)?;
            for gone in forgotten {
                keys.remove(gone.count)?;
            }
            for new in added {
                keys.insert(new.count, new.key.as_str())?;
            }
        }
        Ok(transaction)
    }

    /// Sets the count, and forgets the keys that were counted above it.
    pub(super) fn set(&self, count: u64) -> Result<(), OpenError> {
        let write = || {
            let transaction = self.redb.begin_write()?;
            transaction.open_table(COUNTER)?.insert("count", count)?;
            transaction
                .open_table(KEYS)?
                .retain_in(count + 1.., |_, _| false)?;
            Ok::<_, redb::Error>(transaction.commit()?)
        };
        write().map_err(|error| unusable(&self.path, error))
    }
}

/// Makes the file complete under another name first: whoever finds it finds a whole one.
fn create(path: &Path) -> Result<(), OpenError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let refused = refused("create", path);
    fs::metadata(directory).map_err(&refused)?;
    let new = tempfile::Builder::new()
        .prefix(".counter-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
        .map_err(&refused)?
        .into_temp_path();
    redb::Database::create(&new)
        .map_err(redb::Error::from)
        .and_then(|redb| {
            initialize(&redb)?;
            Ok(redb.close()?)
        })
        .map_err(|error| unusable(path, error))?;
    match new.persist_noclobber(path) {
        Ok(()) => fs::File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(refused),
        // Another process was faster; its file is as good.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(refused(error.error)),
    }
}

/// Writes what every counter file has.
pub(super) fn initialize(redb: &redb::Database) -> Result<(), redb::Error> {
    let transaction = redb.begin_write()?;
    transaction.open_table(KEYS)?;
    {
        let mut counter = transaction.open_table(COUNTER)?;
        counter.insert("format", FORMAT)?;
        counter.insert("count", 0)?;
    }
    Ok(transaction.commit()?)
}

fn unusable(path: &Path, error: redb::Error) -> OpenError {
    use redb::Error as Redb;
    match error {
        Redb::DatabaseAlreadyOpen | Redb::LockProtocolMismatch => OpenError::InUse(path.into()),
        Redb::Io(error) if error.kind() != io::ErrorKind::InvalidData => {
            refused("use", path)(error)
        }
        Redb::Io(_)
        | Redb::TableDoesNotExist(_)
        | Redb::TableIsMultimap(_)
        | Redb::TableTypeMismatch { .. } => OpenError::Foreign(path.into()),
        error => damaged(path, &error.to_string()),
    }
}

fn damaged(path: &Path, reason: &str) -> OpenError {
    OpenError::Damaged {
        path: path.into(),
        reason: reason.to_owned(),
    }
}

fn refused(action: &'static str, path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |source| OpenError::Io {
        action,
        path: path.into(),
        source,
    }
}
