//! Limits that a run has to keep: `broadcast_latency:p(99)<50ms`, `lost:count==0`. Names that do not exist are refused
//! at once: a threshold that is never looked at is worse than none.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    buckets::Snapshot,
    measure::{Counts, Histogram, Metric, PhaseRecord},
    sentence::millis,
    time::Nanos,
};

/// A limit, as it was given on the command line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Threshold {
    text: String,
    subject: Subject,
    relation: Relation,
    /// Nanoseconds, or a count.
    limit: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Subject {
    Duration(Metric, Statistic),
    /// Index into the names of [`Counts`].
    Count(&'static str),
    /// Of a count to the expected events.
    Share(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Statistic {
    Percentile(f64),
    Mean,
    Min,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Above,
    AtLeast,
    Equal,
}

/// How a threshold ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Checked {
    /// As it was given.
    pub threshold: String,
    /// Milliseconds, a count or a share; `null`: the run has no such figure, which fails.
    pub value: Option<f64>,
    /// Whether the run kept it.
    pub passed: bool,
}

impl Checked {
    /// What was found, for a person.
    pub(crate) fn figure(&self) -> String {
        let subject = self
            .threshold
            .parse()
            .ok()
            .map(|threshold: Threshold| threshold.subject);
        match (self.value, subject) {
            (None, _) => "no such figure in this run".into(),
            (Some(value), Some(Subject::Duration(..))) => millis(value),
            (Some(value), _) => value.to_string(),
        }
    }
}

impl Threshold {
    pub(crate) fn check(&self, record: &PhaseRecord) -> Checked {
        let value = match self.subject {
            Subject::Duration(metric, statistic) => record
                .metric(metric)
                .map(|histogram| statistic.of(histogram)),
            Subject::Count(name) => record.counts.by_name(name).map(|count| count as f64),
            Subject::Share(name) => {
                let expected = record.counts.expected as f64;
                record
                    .counts
                    .by_name(name)
                    .map(|count| count as f64 / expected)
                    .filter(|share| share.is_finite())
            }
        };
        let passed = value.is_some_and(|value| self.relation.holds(value, self.limit));
        let unit = if matches!(self.subject, Subject::Duration(..)) {
            1e6
        } else {
            1.0
        };
        Checked {
            threshold: self.text.clone(),
            value: value.map(|value| value / unit),
            passed,
        }
    }

    /// Whether the live figures break it already.
    pub(crate) fn is_broken_by(&self, live: &Snapshot) -> bool {
        self.live_percentile()
            .and_then(|percent| live.percentile(percent))
            .is_some_and(|value| !self.relation.holds(value as f64, self.limit))
    }

    /// Whether it can be seen while the run lasts.
    pub(crate) fn is_live(&self) -> bool {
        self.live_percentile().is_some()
    }

    /// Only percentiles of the broadcast latency are live.
    fn live_percentile(&self) -> Option<f64> {
        match self.subject {
            Subject::Duration(Metric::BroadcastLatency, Statistic::Percentile(percent)) => {
                Some(percent)
            }
            _ => None,
        }
    }
}

impl Statistic {
    fn of(self, histogram: &Histogram) -> f64 {
        match self {
            Self::Percentile(percent) => histogram.percentile(percent) as f64,
            Self::Mean => histogram.mean(),
            Self::Min => histogram.min() as f64,
            Self::Max => histogram.max() as f64,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "mean" | "avg" => Some(Self::Mean),
            "min" => Some(Self::Min),
            "max" => Some(Self::Max),
            "med" => Some(Self::Percentile(50.0)),
            _ => {
                let percent: f64 = text.strip_prefix("p(")?.strip_suffix(')')?.parse().ok()?;
                (0.0..=100.0)
                    .contains(&percent)
                    .then_some(Self::Percentile(percent))
            }
        }
    }
}

impl Relation {
    const ALL: [(&'static str, Self); 5] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("==", Self::Equal),
        ("<", Self::Below),
        (">", Self::Above),
    ];

    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
            Self::Equal => (value - limit).abs() < f64::EPSILON,
        }
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || {
            "write it like broadcast_latency:p(99)<50ms, lost:count==0 or lost:rate<0.001"
                .to_owned()
        };
        let compact: String = text
            .chars()
            .filter(|character| !character.is_whitespace())
            .collect();
        let (name, rest) = compact.split_once(':').ok_or_else(usage)?;
        let (at, sign, relation) = Relation::ALL
            .into_iter()
            .filter_map(|(sign, relation)| rest.find(sign).map(|at| (at, sign, relation)))
            .min_by_key(|(at, sign, _)| (*at, std::cmp::Reverse(sign.len())))
            .ok_or_else(usage)?;
        let (statistic, limit) = (&rest[..at], &rest[at + sign.len()..]);
        let count = Counts::NAMES.iter().find(|known| **known == name).copied();
        let (subject, limit) = match (Metric::by_name(name), count) {
            (Some(metric), _) => {
                let statistic = Statistic::parse(statistic).ok_or_else(|| {
                    format!("{name} has p(0) to p(100), med, mean, min and max, no {statistic:?}")
                })?;
                (
                    Subject::Duration(metric, statistic),
                    duration(limit)? as f64,
                )
            }
            (None, Some(count)) => {
                let limit = limit
                    .parse()
                    .map_err(|_| format!("{limit:?} is no number"))?;
                match statistic {
                    "count" => (Subject::Count(count), limit),
                    "rate" => (Subject::Share(count), limit),
                    _ => {
                        return Err(format!(
                            "{name} has count and rate (its share of the expected), no {statistic:?}"
                        ));
                    }
                }
            }
            (None, None) => {
                let metrics = Metric::ALL.map(Metric::name);
                let known = metrics
                    .iter()
                    .chain(Counts::NAMES)
                    .copied()
                    .collect::<Vec<_>>()
                    .join(", ");
                return Err(format!("there is no {name:?}; there are {known}"));
            }
        };
        Ok(Self {
            text: text.to_owned(),
            subject,
            relation,
            limit,
        })
    }
}

fn duration(text: &str) -> Result<Nanos, String> {
    // `1.5ms` is what people write, and humantime knows whole numbers only.
    let digits = text.trim_end_matches(|character: char| character.is_alphabetic());
    let number: f64 = digits
        .parse()
        .map_err(|_| format!("{text:?} is no duration; write 50ms or 1.5s"))?;
    let unit = match &text[digits.len()..] {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        unit => {
            return Err(format!(
                "{text:?} has no unit of time but {unit:?}; write 50ms or 1.5s"
            ));
        }
    };
    Ok((number * unit) as Nanos)
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> PhaseRecord {
        let mut record = PhaseRecord::default();
        record.record(Metric::BroadcastLatency, 5_000_000, 99);
        record.record(Metric::BroadcastLatency, 80_000_000, 1);
        record.counts = Counts {
            expected: 1_000,
            lost: 2,
            ..Counts::default()
        };
        record
    }

    #[test]
    fn thresholds_hold_or_break() {
        for (text, passed) in [
            ("broadcast_latency:p(99)<50ms", true),
            ("broadcast_latency:p(99.9) < 50ms", false),
            ("broadcast_latency:max>=79.9ms", true),
            ("broadcast_latency:mean<0.005s", false),
            ("lost:count<=2", true),
            ("lost:count==0", false),
            ("lost:rate<0.01", true),
            ("ack_latency:p(50)<1s", false),
        ] {
            let threshold: Threshold = text.parse().unwrap();
            assert_eq!(threshold.check(&record()).passed, passed, "{text}");
        }
    }

    #[test]
    fn what_does_not_exist_is_refused_with_what_does() {
        let error = |text: &str| text.parse::<Threshold>().unwrap_err();
        assert!(error("broadcast_latncy:p(99)<50ms").contains("broadcast_latency"));
        assert!(error("broadcast_latency:q(99)<50ms").contains("q(99)"));
        assert!(error("broadcast_latency:p(101)<50ms").contains("p(101)"));
        assert!(error("broadcast_latency:p(99)<50").contains("50ms"));
        assert!(error("lost:p(9)<1").contains("count"));
        assert!(error("lost").contains("lost:count"));
    }
}
