//! Property: whatever a socket takes of each write, and however the doors take turns, the bytes on
//! the wire are whole frames, the first door's in order, and consecutive counts up to the newest.

use std::io;

use proptest::prelude::*;

use super::doors::{Doors, Effects, Outcome, Ready};
use super::wire::{Kind, Wire, frame};
use crate::frames::{self, Run};

const MAX_BEHIND: u64 = 1_000_000;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The count moves on by so many.
    Increment(u64),
    /// socketioxide queues an acknowledgement and, as it would to a session not yet joined, the
    /// newest count.
    Emit,
    /// The socket takes so many bytes more.
    Room(usize),
    /// The first door tries to write what is queued.
    First,
    /// The drain has a turn.
    Drain,
    /// A shard makes a pass.
    Shard,
    /// The client leaves the namespace and enters it again.
    Reenter,
}

/// A peer whose socket takes bytes only when there is room.
#[derive(Default)]
struct Peer {
    wire: Vec<u8>,
    room: usize,
}

impl Peer {
    fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.room -= taken;
        self.wire.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }
}

/// One connection with what stands around it.
struct World {
    doors: Doors,
    peer: Peer,
    newest: u64,
    /// What socketioxide has still to write.
    queue: Vec<u8>,
    acknowledgements: u64,
    /// What the fan-out knows of the connection, if it is its.
    member: Option<Ready>,
}

impl World {
    fn new() -> Self {
        let mut doors = Doors::default();
        doors.expect_upgrade(true);
        let queue = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
        let peer = Peer::default();
        let mut world = Self {
            doors,
            peer,
            newest: 0,
            queue,
            acknowledgements: 0,
            member: None,
        };
        world.enter();
        world
    }

    fn enter(&mut self) {
        self.doors.welcome(None);
        frames::append(self.newest, &mut self.queue);
    }

    fn all(&mut self, steps: Vec<Step>) {
        for step in steps {
            self.step(step);
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Increment(by) => self.newest += by,
            Step::Emit => {
                let payload = format!("43{}[]", self.acknowledgements);
                self.acknowledgements += 1;
                self.queue.extend([0x81, payload.len() as u8]);
                self.queue.extend_from_slice(payload.as_bytes());
                frames::append(self.newest, &mut self.queue);
            }
            Step::Room(bytes) => self.peer.room += bytes,
            Step::First => self.first(),
            Step::Drain => self.second(false),
            Step::Shard => self.second(true),
            Step::Reenter => {
                self.doors.leave();
                self.enter();
            }
        }
    }

    fn first(&mut self) {
        let mut effects = Effects::default();
        let written = self
            .doors
            .write_first(&self.queue, &mut effects, |b, _| self.peer.take(b));
        if let Some(ready) = effects.ready {
            self.member = Some(ready);
        }
        match written {
            Ok(taken) => drop(self.queue.drain(..taken)),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }

    /// A turn of the drain, or of a shard, which completes no frame but its own.
    fn second(&mut self, shard: bool) {
        let Some(from) = self.member else { return };
        let mut run = Run::default();
        let run = (self.newest > from.last).then(|| {
            run.build(from.last, self.newest, MAX_BEHIND);
            &run
        });
        let (doors, peer) = (&mut self.doors, &mut self.peer);
        let outcome = match run {
            Some(run) if shard => match doors.begin_second(from) {
                Ok(()) => doors.end_second(from, run, peer.take(run.bytes())),
                Err(outcome) => outcome,
            },
            run => doors.write_second(from, run, |bytes| peer.take(bytes)),
        };
        self.member = match outcome {
            Outcome::Whole => Some(Ready {
                last: run.map_or(from.last, Run::until),
                ..from
            }),
            Outcome::Full(last) => Some(Ready { last, ..from }),
            Outcome::Parked | Outcome::Gone => None,
        };
    }

    /// The peer reads again, and everybody gets a turn.
    fn settle(&mut self) {
        self.peer.room = usize::MAX;
        while !self.queue.is_empty() {
            self.first();
        }
        self.second(false);
        self.second(false);
    }

    /// What the peer received.
    fn received(&self) -> Vec<Kind> {
        let mut kinds = Vec::new();
        Wire::Head(0)
            .advance(&self.peer.wire, self.peer.wire.len(), |kind| {
                kinds.push(kind);
            })
            .unwrap();
        kinds
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..40_u64).prop_map(Step::Increment),
        Just(Step::Emit),
        (1..60_usize).prop_map(Step::Room),
        (60..4_000_usize).prop_map(Step::Room),
        Just(Step::First),
        Just(Step::First),
        Just(Step::Drain),
        Just(Step::Shard),
        Just(Step::Shard),
    ];
    proptest::collection::vec(step, 0..120)
}

fn counts(received: &[Kind]) -> Vec<u64> {
    let count = |kind: &Kind| {
        if let Kind::Count(count) = kind {
            Some(*count)
        } else {
            None
        }
    };
    received.iter().filter_map(count).collect()
}

proptest! {
    #[test]
    fn every_count_arrives_once_and_in_order(steps in steps()) {
        let mut world = World::new();
        world.all(steps);
        world.settle();
        let received = world.received();
        let counts = counts(&received);
        prop_assert!(counts.windows(2).all(|pair| pair[1] == pair[0] + 1), "{counts:?}");
        prop_assert_eq!(counts.last(), Some(&world.newest));
        let acknowledged = received.iter().filter(|kind| **kind == Kind::Ack).count() as u64;
        prop_assert_eq!(acknowledged, world.acknowledgements);
    }

    #[test]
    fn who_leaves_and_comes_back_never_sees_a_lower_count(
        before in steps(),
        after in steps(),
    ) {
        let mut world = World::new();
        world.all(before);
        world.step(Step::Reenter);
        world.all(after);
        world.settle();
        let counts = counts(&world.received());
        prop_assert!(counts.is_sorted(), "{counts:?}");
        prop_assert_eq!(counts.last(), Some(&world.newest));
    }

    #[test]
    fn who_polled_before_the_upgrade_goes_on_from_there(
        polled in 0..50_u64,
        steps in steps(),
    ) {
        let mut world = World::new();
        world.newest = polled;
        world.queue.truncate(world.queue.len() - frame_length(0));
        world.doors.welcome(Some(polled));
        frames::append(polled, &mut world.queue);
        world.all(steps);
        world.settle();
        let counts = counts(&world.received());
        let expected: Vec<u64> = (polled + 1..=world.newest).collect();
        prop_assert_eq!(counts, expected);
    }
}

fn frame_length(count: u64) -> usize {
    let mut bytes = Vec::new();
    frames::append(count, &mut bytes);
    frame(&bytes).unwrap().1
}
