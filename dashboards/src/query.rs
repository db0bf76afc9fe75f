//! `PromQL` in the few shapes that the panels need, and what metrics an expression names.
//!
//! <https://prometheus.io/docs/prometheus/latest/querying/basics/>. `$__rate_interval`, `$instance` and
//! `$run` are Grafana's to replace.

use std::collections::BTreeSet;

/// What every metric of a family is called at its beginning.
const FAMILIES: [&str; 3] = ["counter_", "loadgen_", "process_"];

/// An expression and how its series are called in the legend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// `PromQL` with Grafana's variables.
    pub expression: String,
    /// With `{{label}}` for the value of a label.
    pub legend: String,
    /// The series are buckets of a histogram.
    pub(crate) buckets: bool,
}

impl Query {
    /// The expression as Grafana would send it with nothing chosen, with rates over `rate_interval` and
    /// `range` on the screen.
    #[must_use]
    pub fn everywhere(&self, rate_interval: &str, range: &str) -> String {
        self.expression
            .replace("$__rate_interval", rate_interval)
            .replace("$__range", range)
            .replace("$instance", ".+")
            .replace("$run", ".+")
    }
}

/// An expression as it is.
pub(crate) fn query(expression: impl Into<String>, legend: &str) -> Query {
    Query {
        expression: expression.into(),
        legend: legend.to_owned(),
        buckets: false,
    }
}

/// Whose metrics are meant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Of {
    /// Between braces.
    pub(crate) selector: &'static str,
}

impl Of {
    /// The sum of a gauge, by these labels (`""` for none).
    pub(crate) fn sum(self, gauge: &str, by: &str) -> String {
        format!("sum{} ({gauge}{{{}}})", clause(by), self.selector)
    }

    /// The greatest of a gauge.
    pub(crate) fn max(self, gauge: &str, by: &str) -> String {
        format!("max{} ({gauge}{{{}}})", clause(by), self.selector)
    }

    /// How much of a counter comes per second.
    pub(crate) fn rate(self, counter: &str, by: &str) -> String {
        format!(
            "sum{} (rate({counter}{{{}}}[$__rate_interval]))",
            clause(by),
            self.selector
        )
    }

    /// How much of a counter came in the time that is shown.
    pub(crate) fn increase(self, counter: &str, by: &str) -> String {
        format!(
            "sum{} (increase({counter}{{{}}}[$__range]))",
            clause(by),
            self.selector
        )
    }

    /// A quantile of a histogram.
    pub(crate) fn quantile(self, share: f64, histogram: &str) -> String {
        let buckets = self.rate(&format!("{histogram}_bucket"), "le");
        format!("histogram_quantile({share}, {buckets})")
    }

    /// The mean of a histogram.
    pub(crate) fn mean(self, histogram: &str) -> String {
        let part = |suffix| self.rate(&format!("{histogram}_{suffix}"), "");
        format!("{} / {}", part("sum"), part("count"))
    }

    /// Median and tail of a histogram, for one panel.
    pub(crate) fn quantiles(self, histogram: &str) -> [Query; 3] {
        [(0.5, "p50"), (0.99, "p99"), (0.999, "p99.9")]
            .map(|(share, name)| query(self.quantile(share, histogram), name))
    }

    /// All buckets of a histogram, for a heat map.
    pub(crate) fn buckets(self, histogram: &str) -> Query {
        Query {
            buckets: true,
            ..query(self.rate(&format!("{histogram}_bucket"), "le"), "{{le}}")
        }
    }
}

fn clause(by: &str) -> String {
    if by.is_empty() {
        String::new()
    } else {
        format!(" by ({by})")
    }
}

/// The metrics of ours that an expression names; of a histogram the name without suffix.
#[must_use]
pub fn metric_names(expression: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    expression
        .split(|c| !is_part(c))
        .filter(|word| FAMILIES.iter().any(|family| word.starts_with(family)))
        .map(|name| {
            let histogram = ["_bucket", "_sum", "_count"];
            let base = histogram
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix));
            base.unwrap_or(name).to_owned()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Of = Of {
        selector: r#"instance="a""#,
    };

    #[test]
    fn expressions_are_promql() {
        assert_eq!(
            ONE.rate("counter_x_total", "result"),
            r#"sum by (result) (rate(counter_x_total{instance="a"}[$__rate_interval]))"#
        );
        assert_eq!(
            ONE.quantile(0.99, "counter_y_seconds"),
            r#"histogram_quantile(0.99, sum by (le) (rate(counter_y_seconds_bucket{instance="a"}[$__rate_interval])))"#
        );
    }

    #[test]
    fn names_are_found_wherever_they_stand() {
        let names = metric_names(&format!(
            "{} / process_max_fds > counter:recorded:ratio",
            ONE.mean("counter_y_seconds")
        ));
        assert_eq!(
            names.into_iter().collect::<Vec<_>>(),
            ["counter_y_seconds", "process_max_fds"]
        );
    }
}
