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

use crate::{buckets::Buckets, ledger::Ledger, shared::Shared, time::Nanos};

const HEADER: usize = 8;
const CELL: usize = 8;
const SLOT: usize = 24;

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

    fn slot_words() -> usize {
        SLOT + Buckets::LEN
    }

    fn words(self) -> usize {
        HEADER + self.cells * self.cell_words() + self.lanes * Self::slot_words()
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

    pub(crate) fn slot(&self, lane: usize) -> Slot<'_> {
        let start =
            HEADER + self.layout.cells * self.layout.cell_words() + lane * Layout::slot_words();
        Slot(&self.shared.words()[start..start + Layout::slot_words()])
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
}

/// Live figures of one lane; each has one writer, so that adding is load and store.
#[derive(Clone, Copy)]
pub(crate) struct Slot<'a>(&'a [AtomicU64]);

/// A figure in a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Live {
    /// The phase that the lane has done its part of.
    Done,
    /// Connections that are joined now.
    Held,
    Opened,
    Failed,
    Disconnected,
    Delivered,
    Sent,
    /// Repeated or out of order.
    Faults,
    /// The newest number seen, plus one; 0 as long as there is none.
    Newest,
}

impl<'a> Slot<'a> {
    pub(crate) fn set(&self, live: Live, value: u64) {
        self.0[live as usize].store(value, Release);
    }

    pub(crate) fn add(&self, live: Live, value: u64) {
        let word = &self.0[live as usize];
        word.store(word.load(Relaxed) + value, Relaxed);
    }

    pub(crate) fn add_signed(&self, live: Live, value: i64) {
        let word = &self.0[live as usize];
        word.store(word.load(Relaxed).saturating_add_signed(value), Relaxed);
    }

    pub(crate) fn get(&self, live: Live) -> u64 {
        self.0[live as usize].load(Acquire)
    }

    /// Latencies so far, coarsely.
    pub(crate) fn buckets(&self) -> Buckets<'a> {
        Buckets::new(&self.0[SLOT..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        board.slot(2).set(Live::Faults, 14);
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
                board.slot(2).get(Live::Faults)
            ),
            (13, 14)
        );
        let mut others = crate::buckets::Snapshot::default();
        others.add(board.slot(0).buckets());
        others.add(board.slot(2).buckets());
        assert_eq!(others.percentile(50.0), None);
        assert!(board.cell(1).ledger.read(3).is_none());
        Ok(())
    }
}
