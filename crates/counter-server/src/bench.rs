//! What the criterion benches reach of the fan-out: building a run, and a pass over connections whose
//! sockets are memory. Not an interface of this library.

use std::sync::{Mutex, PoisonError};

use crate::connection::{Doors, Effects, Outcome, Ready};
use crate::frames::{self, Run};

/// Connections that have joined, all at the same count.
#[derive(Debug)]
pub struct Pass {
    members: Vec<Member>,
    run: Run,
    done: u64,
}

#[derive(Debug)]
struct Member {
    doors: Box<Mutex<Doors>>,
    from: Ready,
}

impl Pass {
    /// So many connections, each at count 0.
    #[must_use]
    pub fn new(connections: usize) -> Self {
        let members = (0..connections).filter_map(|_| joined()).collect();
        Self {
            members,
            run: Run::default(),
            done: 0,
        }
    }

    /// Builds the frames of so many new counts and writes them to every connection; the bytes that
    /// their sockets took.
    pub fn advance(&mut self, counts: u64) -> usize {
        self.run.build(self.done, self.done + counts, u64::MAX);
        let mut taken = 0;
        for Member { doors, from } in &mut self.members {
            // The lock that a shard takes is part of the price.
            let doors: &Mutex<Doors> = doors;
            let mut doors = doors.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = doors.write_second(*from, Some(&self.run), |bytes| {
                taken += bytes.len();
                Ok(bytes.len())
            });
            debug_assert_eq!(outcome, Outcome::Whole);
            from.last = self.run.until();
        }
        self.done = self.run.until();
        taken
    }
}

/// A connection that has been upgraded and sent its first count.
fn joined() -> Option<Member> {
    let mut doors = Doors::default();
    doors.expect_upgrade(true);
    doors.welcome(None);
    let mut first = b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec();
    frames::append(0, &mut first);
    let mut effects = Effects::default();
    doors
        .write_first(&first, &mut effects, |bytes, _| Ok(bytes.len()))
        .ok()?;
    Some(Member {
        doors: Box::new(Mutex::new(doors)),
        from: effects.ready?,
    })
}

/// Builds the run of so many counts after a given one; its length in bytes.
#[must_use]
pub fn build_run(last: u64, counts: u64) -> usize {
    let mut run = Run::default();
    run.build(last, last + counts, u64::MAX);
    run.bytes().len()
}
