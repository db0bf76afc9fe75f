//! One client before all others: is there a server, does it let us in, does it greet, does it acknowledge? What goes
//! wrong here is one clear error instead of thousands of failures.

use anyhow::{Context as _, bail};

use super::{
    Endpoint,
    audience::Audience,
    connection::Gone,
    frame,
    seat::Manner,
    swarm::Swarm,
    text::{Answer, Emission, Expected},
};
use crate::{
    measure::{Arrival, TURN},
    plan::Plan,
    time::{MILLISECOND, Nanos, SECOND, now},
};

/// How long a greeting or an acknowledgement may take; only servers without one make us wait that long.
const PATIENCE: Nanos = 2 * SECOND;
/// An acknowledgement that comes at all comes about when the broadcast does.
const AFTER_BROADCAST: Nanos = 300 * MILLISECOND;

/// What one client found.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    joined: bool,
    gone: Option<String>,
    /// The first expected event's number.
    pub(crate) greeting: Option<u64>,
    /// When a later one came.
    broadcast: Option<Nanos>,
    pub(crate) answer: Option<Answer>,
}

/// Connects to one target, and emits once if `emit` is set.
pub(crate) fn probe(plan: &Plan, endpoint: &Endpoint, emit: bool) -> anyhow::Result<Probe> {
    let manner = Manner {
        concurrency: 1,
        ..Manner::of(plan)
    };
    let endpoints = std::slice::from_ref(endpoint);
    let mut swarm = Swarm::new(endpoints, manner, Expected::new(plan, 0))
        .context("cannot create an epoll set")?;
    let mut probe = Probe::default();
    let seat = swarm.add(0);
    swarm.open(seat, None);
    let until = |swarm: &mut Swarm<'_>,
                 probe: &mut Probe,
                 patience: Nanos,
                 came: &dyn Fn(&Probe) -> bool| {
        let deadline = now().saturating_add(patience);
        while !came(probe) && now() < deadline {
            swarm.turn(TURN, probe)?;
            if let Some(reason) = &probe.gone {
                bail!("{reason}");
            }
        }
        Ok(())
    };
    until(&mut swarm, &mut probe, plan.connect_timeout, &|probe| {
        probe.joined
    })?;
    anyhow::ensure!(probe.joined, "no answer within --connect-timeout");
    until(
        &mut swarm,
        &mut probe,
        if plan.greeted { PATIENCE } else { 0 },
        &|probe| probe.greeting.is_some(),
    )?;
    if emit {
        let mut bytes = Vec::new();
        frame::write(
            &mut bytes,
            frame::TEXT,
            Emission::new(plan, 0).text(0, 0).as_bytes(),
        );
        swarm
            .send(seat, &bytes)
            .map_err(|reason| anyhow::anyhow!("{}", reason.0))?;
        // Its own broadcast has to be over, too, or it would be counted among the first of the run.
        until(&mut swarm, &mut probe, PATIENCE, &|probe| {
            probe
                .broadcast
                .is_some_and(|at| probe.answer.is_some() || now() > at + AFTER_BROADCAST)
        })?;
    }
    Ok(probe)
}

impl Audience for Probe {
    fn joined(&mut self, _: usize, _: Nanos) {
        self.joined = true;
    }

    fn expected(&mut self, _: usize, _: Nanos, number: u64, _: Arrival) {
        if self.greeting.is_none() {
            self.greeting = Some(number);
        } else {
            self.broadcast.get_or_insert_with(now);
        }
    }

    fn acked(&mut self, _: usize, _: u64, answer: Answer, _: Nanos) {
        self.answer = Some(answer);
    }

    fn gone(&mut self, _: usize, _: bool, reason: &Gone) {
        self.gone = Some(reason.0.clone().into_owned());
    }

    fn may_hold_several(&self, _: usize) -> bool {
        false
    }

    fn read(&mut self, _: usize, _: u64, _: Option<Nanos>) {}

    fn heartbeat(&mut self) {}

    fn malformed(&mut self) {}
}
