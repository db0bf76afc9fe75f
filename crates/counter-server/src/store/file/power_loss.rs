//! What a power cut may leave of the file: of everything written since the last fdatasync any part, in
//! any order, with writes torn between sectors. Whatever it is, what was committed is there.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use redb::StorageBackend;

use super::database::{Database, initialize};
use crate::store::Key;
use crate::store::ledger::Remembered;

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

/// Keys that are kept, few enough that pages are freed and used again.
const KEPT: u64 = 100;

/// A disk with a cache that loses its power after so many changes.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// What survives.
    platter: Vec<u8>,
    /// What reads see.
    cache: Vec<u8>,
    /// What the cache has and the platter perhaps not.
    unsynced: Vec<Change>,
    /// Nothing: for ever.
    changes_left: Option<usize>,
}

#[derive(Debug)]
enum Change {
    Length(usize),
    Sector(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(*length, 0),
            Self::Sector(offset, bytes) => {
                let end = offset + bytes.len();
                image.resize(image.len().max(end), 0);
                image[*offset..end].copy_from_slice(bytes);
            }
        }
    }
}

impl Disk {
    fn with(image: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State {
            platter: image.clone(),
            cache: image,
            ..State::default()
        })))
    }

    fn cut_after(&self, changes: usize) {
        self.0.lock().unwrap().changes_left = Some(changes);
    }

    fn change(&self, changes: impl IntoIterator<Item = Change>) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        for change in changes {
            state.spend()?;
            change.apply(&mut state.cache);
            state.unsynced.push(change);
        }
        Ok(())
    }

    /// The platter after the cut: `survives` is asked for each change that was not synced.
    fn after_the_cut(&self, mut survives: impl FnMut() -> bool) -> Vec<u8> {
        let state = self.0.lock().unwrap();
        let mut image = state.platter.clone();
        for change in state.unsynced.iter().filter(|_| survives()) {
            change.apply(&mut image);
        }
        image
    }
}

impl State {
    fn spend(&mut self) -> io::Result<()> {
        let left = self.changes_left.as_mut();
        left.map_or(Ok(()), |left| {
            *left = left
                .checked_sub(1)
                .ok_or_else(|| io::Error::other("no power"))?;
            Ok(())
        })
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().cache.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.0.lock().unwrap().cache[offset..offset + out.len()]);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change([Change::Length(usize::try_from(length).unwrap())])
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.spend()?;
        state.platter = state.cache.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).unwrap();
        let sectors = data.chunks(SECTOR).enumerate();
        self.change(sectors.map(|(n, bytes)| Change::Sector(offset + n * SECTOR, bytes.to_vec())))
    }
}

fn remembered(counts: impl Iterator<Item = u64>) -> Vec<Remembered> {
    counts
        .map(|count| Remembered {
            count,
            key: Key::new(&format!("key {count}")).unwrap(),
        })
        .collect()
}

proptest! {
    // Each is dozens of commits; without optimization they take their time.
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_power_cut_takes_nothing_that_was_committed(
        changes in 0_usize..1_500,
        seed in any::<u64>(),
        share in 0.0..1.0,
    ) {
        let mut random = fastrand::Rng::with_seed(seed);
        let disk = Disk::default();
        let redb = redb::Builder::new().create_with_backend(disk.clone()).unwrap();
        initialize(&redb).unwrap();
        let database = Database { path: PathBuf::new(), redb };
        disk.cut_after(changes);

        let (mut committed, mut tried) = (0, 0);
        while committed == tried {
            tried += random.u64(1..30);
            let added = remembered(committed + 1..=tried);
            let old = |count: u64| (count + 1).saturating_sub(KEPT);
            let gone = remembered(old(committed).max(1)..old(tried));
            let written = database.write(tried, &added, gone.iter());
            if written.is_ok_and(|transaction| transaction.commit().is_ok()) {
                committed = tried;
            }
        }
        drop(database);

        let image = disk.after_the_cut(|| random.f64() < share);
        let redb = redb::Builder::new()
            .set_check_integrity_on_open(true)
            .create_with_backend(Disk::with(image))
            .unwrap();
        let ledger = Database { path: PathBuf::new(), redb }.load(usize::MAX).unwrap();
        let kept = ledger.count();
        prop_assert!(kept == committed || kept == tried, "{committed} became {kept}");
        let first = (kept + 1).saturating_sub(KEPT).max(1);
        prop_assert_eq!(ledger.keys(), remembered(first..=kept));
    }
}
