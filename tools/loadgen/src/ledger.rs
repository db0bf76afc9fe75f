//! When each emit was planned and sent, by the number under which its receivers see it. One thread writes (the
//! emitters of a cell), all others read, also in other processes. A ring: old emits make room for new ones.

use std::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
    fence,
};

use crate::time::Nanos;

#[derive(Clone, Copy)]
pub(crate) struct Ledger<'a>(&'a [AtomicU64]);

/// One emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Emit {
    pub(crate) planned: Nanos,
    pub(crate) sent: Nanos,
}

impl<'a> Ledger<'a> {
    /// Per emit: its number plus one, when planned, when sent.
    pub(crate) const WORDS: usize = 3;

    pub(crate) fn new(words: &'a [AtomicU64]) -> Self {
        debug_assert!((words.len() / Self::WORDS).is_power_of_two());
        Self(words)
    }

    pub(crate) fn capacity(&self) -> u64 {
        (self.0.len() / Self::WORDS) as u64
    }

    fn entry(&self, number: u64) -> &'a [AtomicU64] {
        let index = (number & (self.capacity() - 1)) as usize * Self::WORDS;
        &self.0[index..index + Self::WORDS]
    }

    /// A sequence lock: the number is taken out, and put in last, so that no reader takes halves of two emits.
    pub(crate) fn write(&self, number: u64, emit: Emit) {
        let entry = self.entry(number);
        entry[0].store(0, Relaxed);
        fence(Release);
        entry[1].store(emit.planned, Relaxed);
        entry[2].store(emit.sent, Relaxed);
        entry[0].store(number + 1, Release);
    }

    pub(crate) fn read(&self, number: u64) -> Option<Emit> {
        let entry = self.entry(number);
        if entry[0].load(Acquire) != number + 1 {
            return None;
        }
        let emit = Emit {
            planned: entry[1].load(Relaxed),
            sent: entry[2].load(Relaxed),
        };
        fence(Acquire);
        (entry[0].load(Relaxed) == number + 1).then_some(emit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_emits_make_room_and_are_not_mistaken_for_new_ones() {
        let words: Vec<AtomicU64> = (0..4 * Ledger::WORDS)
            .map(|_| AtomicU64::default())
            .collect();
        let ledger = Ledger::new(&words);
        for number in 0..6 {
            ledger.write(
                number,
                Emit {
                    planned: number,
                    sent: number + 1,
                },
            );
        }
        assert_eq!(ledger.read(0), None);
        assert_eq!(
            ledger.read(5),
            Some(Emit {
                planned: 5,
                sent: 6
            })
        );
        assert_eq!(ledger.read(9), None);
    }

    #[test]
    fn a_reader_never_sees_halves_of_two_emits() {
        let words: Vec<AtomicU64> = (0..2 * Ledger::WORDS)
            .map(|_| AtomicU64::default())
            .collect();
        let ledger = Ledger::new(&words);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..200_000 {
                    ledger.write(
                        number,
                        Emit {
                            planned: number,
                            sent: number,
                        },
                    );
                }
            });
            for number in 0..200_000 {
                if let Some(emit) = ledger.read(number) {
                    assert_eq!((emit.planned, emit.sent), (number, number));
                }
            }
        });
    }
}
