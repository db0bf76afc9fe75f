//! Registering metrics: those with labels get every combination of values at once, so that a rate
//! over one that has not happened yet is 0 and not nothing.

use prometheus::core::{Collector, MetricVec, MetricVecBuilder};
use prometheus::{
    Counter, Error, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

/// A label and the values that it can have.
type Label<'a> = (&'a str, &'a [&'a str]);

/// A registry that is being filled.
#[derive(Debug, Default)]
pub(super) struct Register(Registry);

impl Register {
    pub(super) fn done(self) -> Registry {
        self.0
    }

    fn add<T: Collector + Clone + 'static>(&self, metric: T) -> Result<T, Error> {
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Error> {
        self.add(IntCounter::new(name, help)?)
    }

    /// A counter of something that comes in fractions.
    pub(super) fn fractional_counter(&self, name: &str, help: &str) -> Result<Counter, Error> {
        self.add(Counter::new(name, help)?)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, Error> {
        self.add(IntGauge::new(name, help)?)
    }

    pub(super) fn histogram(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<Histogram, Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.add(Histogram::with_opts(options)?)
    }

    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[Label],
    ) -> Result<IntCounterVec, Error> {
        let counters = IntCounterVec::new(Opts::new(name, help), &names(labels))?;
        self.add(with_all(counters, labels))
    }

    pub(super) fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[Label],
    ) -> Result<IntGaugeVec, Error> {
        let gauges = IntGaugeVec::new(Opts::new(name, help), &names(labels))?;
        self.add(with_all(gauges, labels))
    }

    /// A gauge that is always 1; what it says is in its labels.
    pub(super) fn info(&self, name: &str, help: &str, says: &[(&str, &str)]) -> Result<(), Error> {
        let labels = says.iter().copied();
        let gauge = IntGauge::with_opts(
            labels.fold(Opts::new(name, help), |options, (label, value)| {
                options.const_label(label, value)
            }),
        )?;
        gauge.set(1);
        self.add(gauge).map(drop)
    }
}

fn names<'a>(labels: &[Label<'a>]) -> Vec<&'a str> {
    labels.iter().map(|&(name, _)| name).collect()
}

/// Every combination of values is there from now on.
fn with_all<T: MetricVecBuilder>(metrics: MetricVec<T>, labels: &[Label]) -> MetricVec<T> {
    let none: Vec<Vec<&str>> = vec![Vec::new()];
    let combinations = labels.iter().fold(none, |shorter, (_, values)| {
        let longer = |begin: &Vec<_>| -> Vec<_> {
            let with = |value| [begin.as_slice(), &[value]].concat();
            values.iter().copied().map(with).collect()
        };
        shorter.iter().flat_map(longer).collect()
    });
    for values in combinations {
        metrics.with_label_values(&values);
    }
    metrics
}
