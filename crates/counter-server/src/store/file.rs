//! The count in a file: one transaction, and so one fdatasync, per batch.
//!
//! Whatever fails, the next batch opens the file anew and reads the count and the keys from it: what a
//! failed commit left is there or it is not, and nobody has to guess.

mod database;
#[cfg(test)]
mod power_loss;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::spawn_blocking;

use self::database::Database;
use super::ledger::Ledger;
use super::{Batch, Committed, Committing, Error, OpenError, Store};
use crate::failpoint;
use crate::newest::Newest;

/// After a failure the file is tried so often; each time all of it is read.
const RETRY: Duration = Duration::from_secs(1);

/// The count in a file.
pub(crate) struct File(Arc<Mutex<State>>);

struct State {
    path: PathBuf,
    max_keys: usize,
    /// Nothing after a failure.
    open: Option<Open>,
}

struct Open {
    database: Database,
    ledger: Ledger,
}

impl File {
    /// Opens the file, and makes it if there is none.
    pub(crate) async fn open(
        path: PathBuf,
        max_keys: usize,
        newest: &Newest,
    ) -> Result<Self, OpenError> {
        let open = with(&path, move |path| {
            Open::new(Database::open_or_create(path)?, max_keys)
        })
        .await?;
        newest.raise(open.ledger.count());
        Ok(Self(Arc::new(Mutex::new(State {
            path,
            max_keys,
            open: Some(open),
        }))))
    }
}

/// The count in the file, which must be there.
pub(crate) async fn show(path: &Path) -> Result<u64, OpenError> {
    with(path, |path| {
        Ok(Open::new(Database::open(path)?, 0)?.ledger.count())
    })
    .await
}

/// Sets the count in the file, which is made if there is none.
pub(crate) async fn set(path: &Path, count: u64) -> Result<(), OpenError> {
    with(path, move |path| {
        Open::new(Database::open_or_create(path)?, 0)?
            .database
            .set(count)
    })
    .await
}

/// Does what blocks on a thread that may.
async fn with<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let owned = path.to_owned();
    spawn_blocking(move || work(&owned))
        .await
        .unwrap_or_else(|panic| {
            Err(OpenError::Damaged {
                path: path.into(),
                reason: panic.to_string(),
            })
        })
}

impl Open {
    fn new(database: Database, max_keys: usize) -> Result<Self, OpenError> {
        let ledger = database.load(max_keys)?;
        Ok(Self { database, ledger })
    }
}

impl State {
    fn commit(&mut self, batch: &Batch) -> Result<Committed, Error> {
        // Only a commit that succeeds puts it back.
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Database::open(&self.path)
                .and_then(|database| Open::new(database, self.max_keys))
                .map_err(|error| Error::Unavailable(error.into()))?,
        };
        let plan = open.ledger.plan(batch);
        let transaction = open
            .database
            .write(
                plan.committed.newest,
                &plan.added,
                open.ledger.forgotten(&plan),
            )
            .map_err(|error| Error::Unavailable(error.into()))?;
        failpoint::reach("file-before-commit");
        transaction
            .commit()
            .map_err(|error| Error::Unconfirmed(redb::Error::from(error).into()))?;
        failpoint::reach("file-after-commit");
        let committed = open.ledger.apply(plan);
        self.open = Some(open);
        Ok(committed)
    }
}

impl Store for File {
    fn commit(&mut self, batch: Batch) -> Committing<'_> {
        let state = self.0.clone();
        let commit = spawn_blocking(move || {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            state.commit(&batch)
        });
        Box::pin(async {
            commit
                .await
                .unwrap_or_else(|panic| Err(Error::Unconfirmed(panic.into())))
        })
    }

    fn idle(&self, healthy: bool) -> Option<Duration> {
        (!healthy).then_some(RETRY)
    }
}
