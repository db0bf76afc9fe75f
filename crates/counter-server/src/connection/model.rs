//! loom models: every interleaving of the writer of socketioxide, a shard and the drain around the
//! lock of the two doors.

use std::io;

use loom::sync::{Arc, Mutex};
use loom::thread;

use super::doors::{Doors, Effects, Outcome, Ready};
use super::wire::{Kind, Wire};
use crate::frames::{self, Run};

/// A connection, its peer, and what the fan-out keeps.
struct Shared {
    line: Mutex<Line>,
    newest: Mutex<u64>,
    /// The inbox of the shard: connections that joined or came back.
    inbox: Mutex<Vec<Ready>>,
}

struct Line {
    doors: Doors,
    wire: Vec<u8>,
    /// How much the socket room at each call; then it is full.
    room: Vec<usize>,
}

impl Shared {
    /// A connection whose upgrade is done and whose client was welcomed.
    fn new(room: &[usize]) -> Arc<Self> {
        let mut doors = Doors::default();
        doors.expect_upgrade(true);
        let head = b"HTTP/1.1 101\r\n\r\n";
        doors
            .write_first(head, &mut Effects::default(), |bytes, _| Ok(bytes.len()))
            .unwrap();
        doors.welcome(None);
        let line = Line {
            doors,
            wire: Vec::new(),
            room: room.iter().rev().copied().collect(),
        };
        Arc::new(Self {
            line: Mutex::new(line),
            newest: Mutex::new(0),
            inbox: Mutex::default(),
        })
    }

    /// The writer of socketioxide: writes all of it, however often the socket is full.
    fn write_first(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let mut effects = Effects::default();
            let mut line = self.line.lock().unwrap();
            let Line { doors, wire, room } = &mut *line;
            let written =
                doors.write_first(bytes, &mut effects, |bytes, _| take(wire, room, bytes));
            drop(line);
            if let Some(ready) = effects.ready {
                self.inbox.lock().unwrap().push(ready);
            }
            match written {
                Ok(taken) => bytes = &bytes[taken..],
                Err(_) => thread::yield_now(),
            }
        }
    }

    /// One turn of whoever owns the connection, shard or drain; who owns it afterwards.
    fn write_second(&self, from: Ready) -> Option<Ready> {
        let newest = *self.newest.lock().unwrap();
        let mut run = Run::default();
        let run = (newest > from.last).then(|| {
            run.build(from.last, newest, 100);
            &run
        });
        let mut line = self.line.lock().unwrap();
        let Line { doors, wire, room } = &mut *line;
        match doors.write_second(from, run, |bytes| take(wire, room, bytes)) {
            Outcome::Whole => Some(Ready {
                last: newest.max(from.last),
                ..from
            }),
            Outcome::Full(last) => Some(Ready { last, ..from }),
            Outcome::Parked | Outcome::Gone => None,
        }
    }

    fn next_from_inbox(&self) -> Option<Ready> {
        self.inbox.lock().unwrap().pop()
    }

    fn received(&self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        let wire = &self.line.lock().unwrap().wire;
        let mut state = Wire::Boundary;
        state
            .advance(wire, wire.len(), |kind| kinds.push(kind))
            .unwrap();
        assert_eq!(state, Wire::Boundary, "the last frame is whole");
        kinds
    }
}

/// The socket: room what it is told to at each call, later everything.
fn take(wire: &mut Vec<u8>, room: &mut Vec<usize>, bytes: &[u8]) -> io::Result<usize> {
    let taken = room.pop().unwrap_or(usize::MAX).min(bytes.len());
    if taken == 0 {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    wire.extend_from_slice(&bytes[..taken]);
    Ok(taken)
}

fn first_count_and_ack() -> Vec<u8> {
    let mut bytes = Vec::new();
    frames::append(0, &mut bytes);
    bytes.extend(b"\x81\x0343[");
    bytes
}

/// Finishes what the threads left: whoever owns the connection writes until it is at the newest.
fn settle(shared: &Shared, mut owned: Option<Ready>) {
    for _ in 0..4 {
        owned = owned.or_else(|| shared.next_from_inbox());
        owned = owned.and_then(|ready| shared.write_second(ready));
    }
    let newest = *shared.newest.lock().unwrap();
    let counts: Vec<u64> = (0..=newest).collect();
    let received = shared.received();
    let sent = |kind: &Kind| {
        if let Kind::Count(count) = kind {
            Some(*count)
        } else {
            None
        }
    };
    assert_eq!(received.iter().filter_map(sent).collect::<Vec<_>>(), counts);
    assert_eq!(
        received.iter().filter(|kind| **kind == Kind::Ack).count(),
        1
    );
}

/// The writer sends the first count and an acknowledgement, cut by a full socket, while the count
/// moves and the fan-out picks the connection up as soon as it joins.
fn a_race(room: &'static [usize]) {
    loom::model(move || {
        let shared = Shared::new(room);
        let writer = {
            let shared = shared.clone();
            thread::spawn(move || shared.write_first(&first_count_and_ack()))
        };
        let counter = {
            let shared = shared.clone();
            thread::spawn(move || *shared.newest.lock().unwrap() += 1)
        };
        let mut owned = None;
        for _ in 0..2 {
            owned = owned.or_else(|| shared.next_from_inbox());
            owned = owned.and_then(|ready| shared.write_second(ready));
        }
        writer.join().unwrap();
        counter.join().unwrap();
        settle(&shared, owned);
    });
}

#[test]
fn joining_loses_and_repeats_nothing() {
    a_race(&[]);
}

#[test]
fn a_first_count_cut_by_a_full_socket_joins_once_it_is_whole() {
    a_race(&[5, 0]);
}

#[test]
fn a_connection_parked_by_a_half_written_frame_is_handed_back() {
    a_race(&[25, 2, 0]);
}

#[test]
fn a_half_written_count_is_finished_by_whoever_writes_next() {
    a_race(&[22, 5, 7, 0]);
}

/// Shard and drain: the shard finds the socket full and hands over; both write under the same lock
/// as a writer of the first door.
#[test]
fn the_hand_over_to_the_drain_keeps_the_order() {
    loom::model(|| {
        let shared = Shared::new(&[22, 30, 0, 3]);
        let mut first = Vec::new();
        frames::append(0, &mut first);
        shared.write_first(&first);
        *shared.newest.lock().unwrap() = 4;
        let from = shared.next_from_inbox().unwrap();
        let after_the_shard = shared.write_second(from);
        let drain = {
            let shared = shared.clone();
            thread::spawn(move || after_the_shard.and_then(|ready| shared.write_second(ready)))
        };
        shared.write_first(b"\x81\x0343[");
        let owned = drain.join().unwrap();
        settle(&shared, owned);
    });
}

/// Who joins with the newest count wakes nobody, and looks at the count once more after that; the shard
/// looks into its inbox whenever the count has moved.
#[test]
fn a_shard_finds_who_joined_while_the_count_moved() {
    loom::model(|| {
        let shared = Shared::new(&[]);
        let woken = Arc::new(Mutex::new(false));
        let turn = |shared: &Shared| {
            if std::mem::take(&mut *woken.lock().unwrap()) {
                shared.inbox.lock().unwrap().clear();
            }
        };
        let joining = {
            let (shared, woken) = (shared.clone(), woken.clone());
            thread::spawn(move || {
                shared
                    .inbox
                    .lock()
                    .unwrap()
                    .push(Ready { epoch: 1, last: 0 });
                if *shared.newest.lock().unwrap() > 0 {
                    *woken.lock().unwrap() = true;
                }
            })
        };
        let counter = {
            let (shared, woken) = (shared.clone(), woken.clone());
            thread::spawn(move || {
                *shared.newest.lock().unwrap() = 1;
                *woken.lock().unwrap() = true;
            })
        };
        turn(&shared);
        joining.join().unwrap();
        counter.join().unwrap();
        turn(&shared);
        assert!(shared.next_from_inbox().is_none());
    });
}
