//! The order of things: connect, then phase after phase, each measured from its beginning to its last count.

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::fleet::{Fleet, Settled};
use super::options::Options;
use super::phase::{Phase, Rate};
use super::polling::{Queue, Upgrade};
use super::process::{Process, allow_open_files};
use super::report::{Burst, Continued, PhaseReport, Report, Upgraded};
use super::watch::Watch;

/// Between the beginning of a phase and its first planned instant, so that the first increment is not late.
const LEAD: Duration = Duration::from_millis(20);
/// A server that uses less than this part of a core is idle.
const BUSY: u32 = 20;
/// Threads that bring polling clients.
const POLLERS: usize = 16;

/// Runs all phases against a server that is up.
pub fn run(options: &Options) -> Result<Report> {
    ensure!(
        options.clients > 0,
        "at least one client is needed: it emits"
    );
    let more: usize = options.phases.iter().map(Phase::adds).sum();
    // An upgrade holds two connections for a while.
    allow_open_files(options.clients + more + more.min(POLLERS))?;
    let stopping = options.phases.iter().map(Phase::stops).max();
    let narrow_from = options.clients.saturating_sub(stopping.unwrap_or(0));
    let server = options.server_pid.map(Process::with_id).transpose()?;
    let before = server.map(Process::sample).transpose()?;

    let mut fleet = Fleet::new(options.url, options.clients, options.in_flight, narrow_from)?;
    let connected = fleet.connect(Instant::now() + options.limit)?;
    ensure!(
        connected.clients > 0,
        "no client of {} got its first count from {}: {:?}",
        options.clients,
        options.url,
        fleet.reasons
    );
    let mut run = Run {
        fleet,
        options,
        server,
        cut_short: false,
    };
    let mut phases = Vec::with_capacity(options.phases.len());
    let mut kib_per_connection = None;
    for phase in &options.phases {
        let report = run.phase(phase)?;
        if let (Phase::Idle(_), None, Some(before), Some(used)) =
            (phase, kib_per_connection, before, report.server)
        {
            let grown = used.kib_after as f64 - before.resident_kib as f64;
            kib_per_connection = Some(grown / connected.clients as f64);
        }
        phases.push(report);
    }
    Ok(Report {
        url: options.url.to_string(),
        clients: options.clients,
        connected,
        kib_per_connection,
        phases,
        totals: run.fleet.totals(),
        reasons: run.fleet.reasons,
    })
}

struct Run<'a> {
    fleet: Fleet,
    options: &'a Options,
    server: Option<Process>,
    /// The present phase ran into the limit.
    cut_short: bool,
}

impl Run<'_> {
    fn phase(&mut self, phase: &Phase) -> Result<PhaseReport> {
        let before = self.server.map(Process::sample).transpose()?;
        let own_before = Process::this().cpu()?;
        let start = Instant::now();
        // What was lost before stays lost: a phase is judged against the newest count at its beginning.
        self.fleet.expect(Watch::idle(self.fleet.newest())?);
        let totals = self.fleet.totals();
        let mut report = PhaseReport {
            phase: phase.to_string(),
            ..PhaseReport::default()
        };
        match phase {
            Phase::Idle(time) => self.fleet.run_until(start + *time)?,
            Phase::Warm(rate) | Phase::Steady(rate) => {
                self.load(*rate)?;
                self.settle()?;
            }
            Phase::Burst { size, times } => {
                report.bursts = Some(
                    (0..*times)
                        .map(|_| self.burst(*size))
                        .collect::<Result<_>>()?,
                );
                report.increments = (size * times) as u64;
            }
            Phase::Stop(clients) => self.fleet.stop(*clients)?,
            Phase::Continue => report.continued = Some(self.resume()?),
            Phase::Storm => {
                self.fleet.cut();
                report.connected = Some(self.fleet.connect(start + self.options.limit)?);
            }
            Phase::Upgrade { rate, clients } => {
                report.upgraded = Some(self.upgrade(*rate, *clients)?);
            }
        }
        report.cut_short = std::mem::take(&mut self.cut_short);
        report.seconds = start.elapsed().as_secs_f64();
        report.totals = self.fleet.totals() - totals;
        report.totals.stale = self.fleet.totals().stale;
        report.latency = self.fleet.watch.latency();
        report.increments = report.increments.max(self.fleet.watch.increments() as u64);
        report.client_cpu = Process::this()
            .cpu()?
            .saturating_sub(own_before)
            .as_secs_f64()
            / report.seconds;
        if let (Some(process), Some(before)) = (self.server, before) {
            report.server = Some(process.sample()?.since(before, report.totals.delivered));
        }
        Ok(report)
    }

    /// Begins an open schedule.
    fn load(&mut self, rate: Rate) -> Result<()> {
        self.fleet.expect(Watch::steady(
            self.fleet.newest(),
            rate,
            Instant::now() + LEAD,
        )?);
        Ok(())
    }

    /// Waits for the last counts, but no longer than the limit. Quiet is an end only when the server is idle too: one that
    /// collects garbage for seconds has not lost anything.
    fn settle(&mut self) -> Result<()> {
        let last_due = self.fleet.watch.last_due().unwrap_or_else(Instant::now);
        loop {
            let before = self.server.map(Process::cpu).transpose()?;
            let settled = self
                .fleet
                .settle(self.options.quiet, last_due + self.options.limit)?;
            let used = self.server.map(Process::cpu).transpose()?.zip(before);
            let busy = used.is_some_and(|(now, before)| {
                now.saturating_sub(before) > self.options.quiet / BUSY
            });
            if settled != Settled::Quiet || !busy {
                self.cut_short |= settled == Settled::CutShort;
                return Ok(());
            }
        }
    }

    fn burst(&mut self, size: usize) -> Result<Burst> {
        let planned = Instant::now() + LEAD;
        let mut watch = Watch::burst(self.fleet.newest(), size, planned)?;
        watch.add_latency_of(&self.fleet.watch)?;
        self.fleet.expect(watch);
        self.settle()?;
        let delivered = self.fleet.watch.delivered;
        let seconds = self
            .fleet
            .watch
            .last_arrival
            .saturating_duration_since(planned)
            .as_secs_f64();
        let all_at_newest = self.fleet.all_at_newest();
        Ok(Burst {
            delivered,
            seconds,
            per_second: delivered as f64 / seconds.max(1e-6),
            all_at_newest,
        })
    }

    fn resume(&mut self) -> Result<Continued> {
        let start = Instant::now();
        self.fleet.resume()?;
        let second = start + Duration::from_secs(1);
        self.fleet.settle(self.options.quiet, second)?;
        let within_a_second = self.fleet.continued().at_newest;
        self.settle()?;
        let seconds = self
            .fleet
            .watch
            .last_arrival
            .saturating_duration_since(start)
            .as_secs_f64();
        Ok(Continued {
            seconds,
            within_a_second,
            ..self.fleet.continued()
        })
    }

    fn upgrade(&mut self, rate: Rate, clients: usize) -> Result<Upgraded> {
        self.load(rate)?;
        let end = self.fleet.watch.last_due().unwrap_or_else(Instant::now);
        let queue = Queue::new(self.options.url, clients, end);
        let mut upgraded = Upgraded::default();
        std::thread::scope(|threads| {
            let (done, came) = sync_channel(POLLERS);
            for done in vec![done; POLLERS] {
                let queue = &queue;
                threads.spawn(move || queue.work(&done));
            }
            // The threads end at the end of the load, all clients in or not.
            while upgraded.upgraded + upgraded.failed < clients {
                self.fleet.turn(Instant::now() + Duration::from_millis(2))?;
                while let Ok(outcome) = came.try_recv() {
                    self.take_in(outcome, &mut upgraded)?;
                }
            }
            anyhow::Ok(())
        })?;
        self.settle()?;
        Ok(upgraded)
    }

    fn take_in(&mut self, outcome: Result<Upgrade>, upgraded: &mut Upgraded) -> Result<()> {
        match outcome {
            Ok(upgrade) => {
                upgraded.upgraded += 1;
                upgraded.polls += upgrade.polls;
                upgraded.polled += upgrade.tally.delivered;
                upgraded.passed += upgrade.tally.passed;
                self.fleet
                    .adopt(upgrade.stream.into(), &upgrade.unread, upgrade.tally)
            }
            Err(error) => {
                upgraded.failed += 1;
                note(&mut upgraded.reasons, &error);
                Ok(())
            }
        }
    }
}

fn note(reasons: &mut BTreeMap<String, usize>, error: &anyhow::Error) {
    *reasons.entry(format!("{error:#}")).or_default() += 1;
}
