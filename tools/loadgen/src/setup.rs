//! From the command line to a [`Plan`]: everything is checked and resolved here, and the server is asked once what it
//! can do. What fails here fails before any load.

use anyhow::{Context as _, ensure};

use crate::{
    cli::{Command, Common},
    driver::{self, Answer, Endpoint},
    plan::{Correlate, Emitting, Plan, Stream, Target, Tls},
    scenario::{self, Load, Phase, Publish},
    target,
    time::nanos,
    usage::{self, WrongUsage},
};

const RATE: f64 = 10.0;

/// A plan, and what a user should know about it.
pub(crate) struct Setup {
    pub(crate) plan: Plan,
    pub(crate) notes: Vec<String>,
}

/// `None` for what is no scenario.
pub(crate) fn common(command: &Command) -> Option<&Common> {
    match command {
        Command::Broadcast(common)
        | Command::Connect(common)
        | Command::Idle(common)
        | Command::Ack(common)
        | Command::Storm { common, .. }
        | Command::Slow { common, .. }
        | Command::Capacity { common, .. } => Some(common),
        Command::Compare(_) | Command::Schema | Command::Worker => None,
    }
}

pub(crate) fn prepare(command: &Command, common: &Common) -> anyhow::Result<Setup> {
    let mut plan = plan(command, common)?;
    let mut notes = crate::limits::check(&plan)?;
    for (cell, first) in (0..plan.cells()).map(|cell| (cell, cell == 0)) {
        let emits = plan.phases.iter().any(|phase| phase.publish.is_some());
        for target in plan.targets_of(cell).to_vec() {
            ask(&mut plan, &target, common, emits && first, &mut notes)?;
        }
    }
    Ok(Setup { plan, notes })
}

/// Connects once, and decides what is left to decide.
fn ask(
    plan: &mut Plan,
    target: &Target,
    common: &Common,
    emits: bool,
    notes: &mut Vec<String>,
) -> anyhow::Result<()> {
    let undecided = Option::<Correlate>::from(common.events.correlate).is_none();
    let counter = plan.correlate.stream() == Stream::Counter;
    let endpoint = Endpoint::new(plan, target)?;
    let emit = emits && counter && plan.ack;
    let probe = driver::probe(plan, &endpoint, emit).with_context(|| {
        format!(
            "cannot connect to {} (is a Socket.IO server running there?)",
            target.url
        )
    })?;
    if counter && probe.greeting.is_none() {
        ensure!(
            !emits,
            "{} sends no {} to a new client, so there is no count to start from; for a server that is no counter use \
             --correlate payload",
            target.url,
            plan.expect
        );
        plan.greeted = false;
    }
    // python-socketio answers with nothing in it: enough for a round trip, not to tell which count is whose.
    let usable = match probe.answer {
        None => false,
        Some(Answer::Other) => plan.scenario == "ack",
        Some(Answer::Number(_) | Answer::Error) => true,
    };
    if emit && !usable {
        ensure!(
            undecided,
            "{} does not acknowledge {} with its count; use --correlate position, or payload",
            target.url,
            plan.emit
        );
        ensure!(
            plan.scenario != "ack",
            "{} does not acknowledge {}: there is no round trip",
            target.url,
            plan.emit
        );
        (plan.correlate, plan.ack) = (Correlate::Position, false);
        notes.push(
            "the server does not acknowledge with a count: the k-th emit is taken for the k-th count".into(),
        );
    }
    Ok(())
}

fn plan(command: &Command, common: &Common) -> anyhow::Result<Plan> {
    let (load, events, machine) = (&common.load, &common.events, &common.machine);
    let scenario = name(command);
    let acks = scenario == "ack";
    // Without acknowledgements there is nothing to ask for where the correlation does not need them.
    let correlate = Option::<Correlate>::from(events.correlate).unwrap_or(Correlate::Value);
    usage::check(command, common, correlate).map_err(WrongUsage)?;
    let targets = common
        .target
        .url
        .iter()
        .map(|url| target::target(url, &common.target))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let workers = machine.workers as usize;
    let payload = payload(events.payload.as_deref(), correlate).map_err(WrongUsage)?;
    Ok(Plan {
        run: run_id(),
        scenario: scenario.to_owned(),
        phases: phases(command, common),
        targets,
        independent: common.target.independent,
        clients: load.clients,
        emitting: emitting(command, common),
        workers,
        threads: machine.threads as usize,
        sources: machine
            .source
            .iter()
            .flat_map(|source| source.0.iter().copied())
            .collect(),
        transport: common.target.transport,
        namespace: target::namespace(&common.target.namespace).map_err(WrongUsage)?,
        auth: common
            .target
            .auth
            .as_deref()
            .map(target::auth)
            .transpose()
            .map_err(WrongUsage)?,
        tls: Tls {
            insecure: common.target.insecure,
            ca_file: common.target.ca_file.clone(),
        },
        correlate,
        ack: acks || correlate == Correlate::Value,
        emit: serde_json::to_string(&events.emit)?,
        expect: serde_json::to_string(&events.expect)?,
        payload,
        seed: load.seed.unwrap_or_else(|| u64::from(fastrand::u32(..))),
        connect_timeout: nanos(load.connect_timeout),
        ack_timeout: nanos(load.ack_timeout),
        drain: nanos(load.drain),
        return_timeout: nanos(load.return_timeout),
        concurrency: load.connect_concurrency as usize,
        driver: machine.driver,
        limit: if let Command::Capacity { limit, .. } = command {
            Some(limit.to_string())
        } else {
            None
        },
        greeted: correlate.stream() == Stream::Counter,
    })
}

/// When, and by chance: two runs that begin together are still told apart.
fn run_id() -> String {
    let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
    let digits: String = now.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{digits}-{:04x}", fastrand::u16(..))
}

fn name(command: &Command) -> &'static str {
    match command {
        Command::Broadcast(_) => "broadcast",
        Command::Connect(_) => "connect",
        Command::Idle(_) => "idle",
        Command::Ack(_) => "ack",
        Command::Storm { .. } => "storm",
        Command::Slow { .. } => "slow",
        Command::Capacity { .. } => "capacity",
        Command::Compare(_) => "compare",
        Command::Schema => "schema",
        Command::Worker => "worker",
    }
}

fn publish(command: &Command, common: &Common) -> Option<Publish> {
    let load = &common.load;
    let silent = matches!(command, Command::Connect(_) | Command::Idle(_))
        || matches!(command, Command::Storm { .. }) && load.rate.is_none();
    (!silent).then(|| Publish {
        rate: load.rate.unwrap_or(RATE),
        spacing: load.spacing,
        length: nanos(load.duration),
        closed: load.closed,
    })
}

fn emitting(command: &Command, common: &Common) -> Emitting {
    match (command, publish(command, common)) {
        (Command::Ack(_), _) => Emitting::Clients,
        (_, Some(_)) => Emitting::Apart(common.load.emitters),
        (_, None) => Emitting::Apart(0),
    }
}

fn phases(command: &Command, common: &Common) -> Vec<Phase> {
    let load = Load {
        clients: common.load.clients,
        open_rate: common.load.connect_rate,
        warm_up: nanos(common.load.warm_up),
        publish: publish(command, common),
        length: nanos(common.load.duration),
    };
    match command {
        Command::Ack(_) => scenario::ack(&load),
        Command::Connect(_) => scenario::connect(&load),
        Command::Idle(_) => scenario::idle(&load),
        Command::Storm { spread, .. } => scenario::storm(&load, nanos(*spread)),
        Command::Slow { share, .. } => scenario::slow(&load, *share),
        Command::Capacity { step, .. } => scenario::capacity(&load, *step),
        _ => scenario::broadcast(&load),
    }
}

/// Checked by filling it in once: what comes out has to be JSON.
fn payload(template: Option<&str>, correlate: Correlate) -> anyhow::Result<Option<String>> {
    let default = (correlate == Correlate::Payload).then_some(r#"{"id":"{id}","seq":{seq}}"#);
    let Some(template) = template.or(default) else {
        return Ok(None);
    };
    ensure!(
        correlate != Correlate::Payload || template.contains("{id}"),
        "--payload has no {{id}}, and with --correlate payload it is found by that"
    );
    let filled = driver::fill(template, "id", 1);
    serde_json::from_str::<serde_json::Value>(&filled)
        .with_context(|| format!("--payload is no JSON once it is filled in: {filled}"))?;
    Ok(Some(template.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn plan_of(arguments: &str) -> anyhow::Result<Plan> {
        let cli = Cli::try_parse_from(["loadgen"].into_iter().chain(arguments.split(' ')))?;
        let common = common(&cli.command).expect("a scenario");
        plan(&cli.command, common)
    }

    #[test]
    fn the_url_the_query_and_the_headers_become_one_request() {
        let plan = plan_of(
            "broadcast --url 127.0.0.1:4000 --query a=b&c --header X-Token:x --namespace chat",
        )
        .unwrap();
        let target = &plan.targets[0];
        assert_eq!(target.address.to_string(), "127.0.0.1:4000");
        assert_eq!(
            (&*target.path, &*target.host),
            ("/socket.io/?a=b%26c&", "127.0.0.1:4000")
        );
        assert_eq!(
            (&*target.headers, &*plan.namespace),
            ("X-Token: x\r\n", "/chat")
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_what_can() {
        for (arguments, hint) in [
            ("broadcast --url ftp://127.0.0.1", "http"),
            ("broadcast --auth token", "JSON"),
            ("broadcast --payload {id} --correlate payload", "JSON"),
            ("broadcast --payload {} --correlate payload", "{id}"),
            ("broadcast --header nonsense", "NAME: VALUE"),
            ("broadcast --rate 0", "above 0"),
            ("slow --share 2", "at most 1"),
            ("ack --threads 2", "share a thread"),
            (
                "broadcast --threshold lost:count==0 --abort-on-fail",
                "percentiles of broadcast_latency",
            ),
            ("broadcast --threshold nonsense:count<1", "there is no"),
        ] {
            let error = format!("{:#}", plan_of(arguments).unwrap_err());
            assert!(error.contains(hint), "{arguments}: {error}");
        }
    }

    #[test]
    fn all_clients_of_the_ack_scenario_emit() {
        let plan = plan_of("ack --clients 7").unwrap();
        assert_eq!((plan.clients, plan.emitters_of(0), plan.ack), (7, 7, true));
        assert_eq!(plan.lanes().len(), 1);
        let plan = plan_of("connect --clients 7").unwrap();
        assert_eq!((plan.clients, plan.emitters_of(0)), (7, 0));
    }

    #[test]
    fn sources_may_be_ranges() {
        let plan = plan_of("broadcast --source 127.0.0.0/29,127.0.1.1").unwrap();
        assert_eq!(plan.sources.len(), 7);
        assert_eq!(plan.sources[6], IpAddr::from([127, 0, 1, 1]));
    }
}
