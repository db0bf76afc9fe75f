//! What the emitters of a phase have before them: the planned instants of an open schedule, with a timer set to the next,
//! or a closed loop until its time is over.

use std::{io, iter::Peekable};

use super::timer::Timer;
use crate::{board::Place, scenario::Publish, schedule::Schedule, time::Nanos};

pub(super) struct Agenda {
    pub(super) timer: Timer,
    /// From when to when a closed loop goes round.
    closed: Option<(Nanos, Nanos)>,
    schedule: Option<Peekable<Schedule>>,
}

impl Agenda {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            timer: Timer::new()?,
            closed: None,
            schedule: None,
        })
    }

    pub(super) fn begin(
        &mut self,
        publish: Option<Publish>,
        place: Place,
        seed: u64,
    ) -> io::Result<()> {
        (self.closed, self.schedule) = (None, None);
        let Some(publish) = publish else {
            return Ok(());
        };
        let Publish {
            spacing,
            rate,
            length,
            closed,
        } = publish;
        if closed {
            self.closed = Some((place.start, place.start + length));
        } else {
            let seed = seed ^ place.phase << 32;
            let schedule = Schedule::new(spacing, rate, length, place.start, seed);
            self.schedule = Some(schedule.peekable());
        }
        self.timer.set(place.start)
    }

    /// Whether the next emit has its instant.
    pub(super) fn is_planned(&self) -> bool {
        self.schedule.is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        self.schedule.is_none() && self.closed.is_none()
    }

    pub(super) fn give_up(&mut self) {
        (self.closed, self.schedule) = (None, None);
    }

    /// Whether a closed loop may go round at `now`; it ends here when its time is over.
    pub(super) fn goes_round(&mut self, now: Nanos) -> bool {
        self.closed = self.closed.filter(|(_, end)| now < *end);
        self.closed.is_some_and(|(start, _)| now >= start)
    }

    /// The planned instants that have come. The timer is set to the one after them.
    pub(super) fn due(&mut self, now: Nanos) -> io::Result<Vec<Nanos>> {
        let Some(schedule) = &mut self.schedule else {
            return Ok(Vec::new());
        };
        let mut due = Vec::new();
        while let Some(planned) = schedule.next_if(|planned| *planned <= now) {
            due.push(planned);
        }
        match schedule.peek() {
            Some(next) => self.timer.set(*next)?,
            None => self.schedule = None,
        }
        Ok(due)
    }
}
