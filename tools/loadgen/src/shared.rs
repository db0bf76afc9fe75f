//! Memory that all worker processes of a run share: an array of atomic words in a `memfd`. The only module with a
//! mapping; what the words mean is `board`'s business.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::AtomicU64,
};

use rustix::{
    fs::{MemfdFlags, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

pub(crate) struct Shared {
    first: NonNull<AtomicU64>,
    words: usize,
    memory: OwnedFd,
}

impl Shared {
    pub(crate) fn create(words: usize) -> io::Result<Self> {
        let memory = memfd_create("loadgen", MemfdFlags::CLOEXEC)?;
        ftruncate(&memory, (words * size_of::<AtomicU64>()) as u64)?;
        Self::map(memory, words)
    }

    /// Opens the memory of another process by the path that its [`Shared::path`] gave.
    pub(crate) fn open(path: &str, words: usize) -> io::Result<Self> {
        let memory = File::options().read(true).write(true).open(path)?;
        if memory.metadata()?.len() != (words * size_of::<AtomicU64>()) as u64 {
            return Err(io::Error::other(format!(
                "{path} is not the memory of this run"
            )));
        }
        Self::map(memory.into(), words)
    }

    /// Valid as long as this process lives.
    pub(crate) fn path(&self) -> String {
        format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            self.memory.as_raw_fd()
        )
    }

    #[allow(unsafe_code)]
    fn map(memory: OwnedFd, words: usize) -> io::Result<Self> {
        let length = words * size_of::<AtomicU64>();
        // SAFETY: a fresh mapping at an address of the kernel's choice touches no memory of ours. The file has the
        // mapped length (both callers see to it) and nobody truncates it, so no access faults.
        let address = unsafe {
            mmap(
                std::ptr::null_mut(),
                length,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                memory.as_fd(),
                0,
            )?
        };
        let first =
            NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mmap gave no address"))?;
        Ok(Self {
            first,
            words,
            memory,
        })
    }

    #[allow(unsafe_code)]
    pub(crate) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, zeroed, `words` long, lives as long as `self`, and is only ever
        // reached through atomics, here and in the other processes.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.words) }
    }
}

impl Drop for Shared {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and every slice of it borrowed `self`. A failure leaves it mapped: harmless.
        let _ = unsafe {
            munmap(
                self.first.as_ptr().cast(),
                self.words * size_of::<AtomicU64>(),
            )
        };
    }
}

#[allow(unsafe_code)]
// SAFETY: nothing but atomics is reachable through it.
unsafe impl Send for Shared {}
#[allow(unsafe_code)]
// SAFETY: as above.
unsafe impl Sync for Shared {}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn two_mappings_see_the_same_words() -> io::Result<()> {
        let one = Shared::create(100)?;
        let two = Shared::open(&one.path(), 100)?;
        one.words()[99].store(7, Relaxed);
        assert_eq!(two.words()[99].load(Relaxed), 7);
        assert!(
            Shared::open(&one.path(), 101).is_err(),
            "another length is another run"
        );
        Ok(())
    }
}
