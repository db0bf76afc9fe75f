//! One step of a run, as it is written on the command line. A scenario is a list of these.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Error, Result, bail, ensure};

/// One step of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Phase {
    /// `idle:2s`: nobody emits; ends with a look at the server's memory.
    Idle(Duration),
    /// `warm:50/s,2s`: as `steady`, but its latency is not what the run is about.
    Warm(Rate),
    /// `steady:50/s,10s`: one client emits on an open schedule.
    Steady(Rate),
    /// `burst:200x5`: that many increments in one write, that many times, each waited for.
    Burst {
        /// Increments in one burst.
        size: usize,
        /// Number of bursts.
        times: usize,
    },
    /// `stop:1000`: the last so many clients read nothing more.
    Stop(usize),
    /// `continue`: those that stopped read again.
    Continue,
    /// `storm`: every connection is reset, and all connect again at once.
    Storm,
    /// `upgrade:200/s,10s,300`: as `steady`, while more clients come by HTTP long-polling and upgrade.
    Upgrade {
        /// The load.
        rate: Rate,
        /// Clients that come by polling.
        clients: usize,
    },
}

/// Increments per second for a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Increments per second.
    pub per_second: f64,
    /// How long the schedule is.
    pub duration: Duration,
}

impl Phase {
    /// Clients that it adds.
    pub(crate) fn adds(&self) -> usize {
        if let Self::Upgrade { clients, .. } = self {
            *clients
        } else {
            0
        }
    }

    /// Clients that it stops.
    pub(crate) fn stops(&self) -> usize {
        if let Self::Stop(clients) = self {
            *clients
        } else {
            0
        }
    }
}

impl FromStr for Phase {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let phase = match name {
            "idle" => Self::Idle(duration(rest)?),
            "warm" => Self::Warm(rest.parse()?),
            "steady" => Self::Steady(rest.parse()?),
            "burst" => {
                let (size, times) = rest
                    .split_once('x')
                    .context("a burst is written SIZExTIMES")?;
                Self::Burst {
                    size: number(size)?,
                    times: number(times)?,
                }
            }
            "stop" => Self::Stop(number(rest)?),
            "continue" | "storm" if !rest.is_empty() => bail!("'{name}' takes no parameter"),
            "continue" => Self::Continue,
            "storm" => Self::Storm,
            "upgrade" => {
                let (rate, clients) = rest
                    .rsplit_once(',')
                    .context("an upgrade is written RATE/s,TIME,CLIENTS")?;
                Self::Upgrade {
                    rate: rate.parse()?,
                    clients: number(clients)?,
                }
            }
            _ => bail!(
                "no phase is called '{name}'; try idle, warm, steady, burst, stop, continue, storm or upgrade"
            ),
        };
        Ok(phase)
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (rate, time) = text
            .split_once("/s,")
            .context("a rate is written RATE/s,TIME, as in 50/s,10s")?;
        let per_second: f64 = rate
            .parse()
            .with_context(|| format!("'{rate}' is no number"))?;
        ensure!(
            per_second > 0.0 && per_second <= 1e6,
            "a rate lies above 0 and up to 1,000,000 per second"
        );
        Ok(Self {
            per_second,
            duration: duration(time)?,
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle(time) => write!(f, "idle:{}", humantime::format_duration(*time)),
            Self::Warm(rate) => write!(f, "warm:{rate}"),
            Self::Steady(rate) => write!(f, "steady:{rate}"),
            Self::Burst { size, times } => write!(f, "burst:{size}x{times}"),
            Self::Stop(clients) => write!(f, "stop:{clients}"),
            Self::Continue => f.write_str("continue"),
            Self::Storm => f.write_str("storm"),
            Self::Upgrade { rate, clients } => write!(f, "upgrade:{rate},{clients}"),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/s,{}",
            self.per_second,
            humantime::format_duration(self.duration)
        )
    }
}

fn duration(text: &str) -> Result<Duration> {
    humantime::parse_duration(text)
        .with_context(|| format!("'{text}' is no time; write 500ms or 10s"))
}

fn number(text: &str) -> Result<usize> {
    text.parse()
        .with_context(|| format!("'{text}' is no whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_written_as_it_is_read() {
        for text in [
            "idle:2s",
            "warm:50/s,2s",
            "steady:0.5/s,500ms",
            "burst:200x5",
            "stop:1000",
            "continue",
            "storm",
            "upgrade:200/s,10s,300",
        ] {
            assert_eq!(text.parse::<Phase>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_phase_is_refused() {
        for text in [
            "",
            "steady",
            "steady:50",
            "steady:-1/s,1s",
            "burst:200",
            "stop:x",
            "storm:1",
            "upgrade:1/s,1s",
            "rest:1s",
        ] {
            assert!(text.parse::<Phase>().is_err(), "{text}");
        }
    }
}
