//! What all threads and processes of a run share while it runs: the phase that everybody is in, the numbers each cell
//! of clients agrees on, the ledger of emits, and one slot of live figures per lane. All of it words in shared memory;
//! only this file knows where each stands.

use std::{
    io,
    sync::atomic::{
        AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use serde::{Deserialize, Serialize};

use crate::{ledger::Ledger, shared::Shared, slot::Slot, time::Nanos};

const HEADER: usize = 8;
const CELL: usize = 8;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Layout {
    pub(crate) cells: usize,
    pub(crate) lanes: usize,
    /// Emits that the ledger of one cell remembers: a power of two.
    pub(crate) ledger: usize,
}

impl Layout {
    fn cell_words(self) -> usize {
        CELL + self.ledger * Ledger::WORDS
    }

    fn words(self) -> usize {
        HEADER + self.cells * self.cell_words() + self.lanes * Slot::WORDS
    }
}

pub(crate) struct Board {
    shared: Shared,
    layout: Layout,
}

/// Where everybody is: phases are counted from 1; 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) phase: u64,
    pub(crate) start: Nanos,
}

/// Stands for "leave", in place of a phase.
pub(crate) const LEAVE: u64 = u64::MAX;

impl Board {
    pub(crate) fn create(layout: Layout) -> io::Result<Self> {
        Ok(Self {
            shared: Shared::create(layout.words())?,
            layout,
        })
    }

    pub(crate) fn open(path: &str, layout: Layout) -> io::Result<Self> {
        Ok(Self {
            shared: Shared::open(path, layout.words())?,
            layout,
        })
    }

    pub(crate) fn path(&self) -> String {
        self.shared.path()
    }

    /// The phase word is written last and read first, so that whoever sees the phase sees its start.
    pub(crate) fn enter(&self, place: Place) {
        self.shared.words()[1].store(place.start, Relaxed);
        self.shared.words()[0].store(place.phase, Release);
    }

    pub(crate) fn place(&self) -> Place {
        let phase = self.shared.words()[0].load(Acquire);
        Place {
            phase,
            start: self.shared.words()[1].load(Relaxed),
        }
    }

    /// Tells everybody to end the present phase now.
    pub(crate) fn cut_short(&self, phase: u64) {
        self.shared.words()[2].store(phase, Relaxed);
    }

    pub(crate) fn is_cut_short(&self, phase: u64) -> bool {
        self.shared.words()[2].load(Relaxed) >= phase
    }

    pub(crate) fn cell(&self, index: usize) -> Cell<'_> {
        let start = HEADER + index * self.layout.cell_words();
        let words = &self.shared.words()[start..start + self.layout.cell_words()];
        let (own, ledger) = words.split_at(CELL);
        Cell {
            own,
            ledger: Ledger::new(ledger),
        }
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = Cell<'_>> {
        (0..self.layout.cells).map(|cell| self.cell(cell))
    }

    pub(crate) fn slot(&self, lane: usize) -> Slot<'_> {
        let start = HEADER + self.layout.cells * self.layout.cell_words() + lane * Slot::WORDS;
        Slot::new(&self.shared.words()[start..start + Slot::WORDS])
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        (0..self.layout.lanes).map(|lane| self.slot(lane))
    }
}

/// The clients that follow one stream of numbers, and its emitters.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    own: &'a [AtomicU64],
    pub(crate) ledger: Ledger<'a>,
}

impl Cell<'_> {
    /// The last number before the emits of this phase.
    pub(crate) fn base(&self) -> u64 {
        self.own[0].load(Acquire)
    }

    pub(crate) fn set_base(&self, number: u64) {
        self.own[0].store(number, Release);
    }

    /// The last number of this phase, once the emitters know it.
    pub(crate) fn last(&self, phase: u64) -> Option<u64> {
        (self.own[2].load(Acquire) == phase).then(|| self.own[1].load(Relaxed))
    }

    pub(crate) fn set_last(&self, phase: u64, number: u64) {
        self.own[1].store(number, Relaxed);
        self.own[2].store(phase, Release);
    }

    /// The highest number that an event can have by now, as far as it is up to our own emitters.
    pub(crate) fn newest(&self) -> u64 {
        self.own[5].load(Acquire)
    }

    pub(crate) fn set_newest(&self, number: u64) {
        self.own[5].store(number, Release);
    }

    /// How many numbers the emitters have made in this phase so far.
    pub(crate) fn made(&self, phase: u64) -> u64 {
        if self.own[4].load(Acquire) == phase {
            self.own[3].load(Relaxed)
        } else {
            0
        }
    }

    pub(crate) fn set_made(&self, phase: u64, numbers: u64) {
        self.own[3].store(numbers, Relaxed);
        self.own[4].store(phase, Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Live;

    #[test]
    fn no_two_things_share_a_word() -> io::Result<()> {
        let board = Board::create(Layout {
            cells: 2,
            lanes: 3,
            ledger: 4,
        })?;
        board.enter(Place { phase: 5, start: 6 });
        board.cell(0).set_base(10);
        board.cell(1).set_base(11);
        board.cell(1).set_last(5, 12);
        board.slot(0).set(Live::Done, 13);
        board.slot(2).set(Live::OutOfOrder, 14);
        board.slot(1).lateness().add(1_000_000, 16);
        board.cell(1).set_made(5, 17);
        board.cell(1).set_newest(18);
        board.slot(1).buckets().add(1_000_000, 15);
        board.cell(0).ledger.write(
            3,
            crate::ledger::Emit {
                planned: 1,
                sent: 2,
            },
        );
        assert_eq!(board.place(), Place { phase: 5, start: 6 });
        assert_eq!((board.cell(0).base(), board.cell(1).base()), (10, 11));
        assert_eq!(
            (board.cell(0).last(5), board.cell(1).last(5)),
            (None, Some(12))
        );
        assert_eq!(
            (
                board.slot(0).get(Live::Done),
                board.slot(2).get(Live::OutOfOrder)
            ),
            (13, 14)
        );
        let mut others = crate::buckets::Snapshot::default();
        others.add(board.slot(0).buckets());
        others.add(board.slot(2).buckets());
        assert_eq!(others.percentile(50.0), None);
        assert!(
            board
                .slot(0)
                .figures()
                .lateness()
                .iter()
                .all(|word| *word == 0)
        );
        assert_eq!(board.slot(1).figures().get(Live::Done), 0);
        assert_eq!((board.cell(1).made(5), board.cell(1).made(6)), (17, 0));
        assert_eq!((board.cell(0).newest(), board.cell(1).newest()), (0, 18));
        assert!(board.cell(1).ledger.read(3).is_none());
        Ok(())
    }
}
