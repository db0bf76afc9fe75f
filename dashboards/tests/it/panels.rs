//! Every query of every panel, asked of a Prometheus that watches a server under load and the load itself.

use std::collections::BTreeSet;

use dashboards::{Query, metric_names};
use test_support::{ServerProcess, free_port};

use crate::load::Load;
use crate::prometheus::{Prometheus, asked, eventually};

#[tokio::test]
async fn every_query_has_data_and_every_metric_is_shown_or_left_out_on_purpose() {
    let server = ServerProcess::counter_server(&["--admin", "127.0.0.1:0"]);
    let port = free_port();
    // It watches before anything happens: a rate needs the zero at the beginning.
    let prometheus = Prometheus::watch(&server.metrics_url(), port).await;
    let mut load = Load::start(
        server.url(),
        &format!(
            "broadcast --clients 30 --connect-rate 30 --rate 50 --warm-up 1s --duration 6s \
             --metrics 127.0.0.1:{port} --metrics-linger 60s"
        ),
    );

    let mut without = queries();
    eventually("every query has data", async || {
        let mut still = Vec::new();
        for (panel, query) in without.drain(..) {
            let samples = prometheus.query(&asked(&query)).await;
            if !samples.iter().any(|sample| sample.value.is_finite()) {
                still.push((panel, query));
            }
        }
        without = still;
        let ended = load.ended().is_some();
        assert!(!ended || without.is_empty(), "no data: {without:#?}");
        without.is_empty().then_some(())
    })
    .await;

    for (variable, label, metric) in variables() {
        let values = prometheus.query(&metric).await;
        let has_label = values
            .iter()
            .all(|sample| sample.labels.contains_key(label));
        assert!(!values.is_empty() && has_label, "no values for {variable}");
    }
    for expression in linked() {
        prometheus.query(&expression).await;
    }
    compare(&prometheus).await;
}

/// Every expression that the page for Prometheus links to.
fn linked() -> Vec<String> {
    let page = dashboards::links();
    let addresses = page
        .split("href=\"../graph?")
        .skip(1)
        .filter_map(|rest| rest.split('"').next());
    let parameters = addresses.flat_map(|address| {
        let address = address.replace("&amp;", "&").into_bytes();
        let parameters = form_urlencoded::parse(&address).into_owned();
        parameters.collect::<Vec<_>>()
    });
    let expressions: Vec<String> = parameters
        .filter(|(name, _)| name.contains(".expr"))
        .map(|(_, expression)| expression)
        .collect();
    assert!(expressions.len() > 40, "{}", expressions.len());
    expressions
}

/// Panel and query, of all dashboards.
fn queries() -> Vec<(String, Query)> {
    let mut queries = Vec::new();
    for dashboard in dashboards::all() {
        for panel in dashboard.rows.into_iter().flat_map(|row| row.panels) {
            let name = format!("{}: {}", dashboard.title, panel.title);
            queries.extend(panel.queries.into_iter().map(|query| (name.clone(), query)));
        }
    }
    queries
}

/// `label_values(METRIC, LABEL)` of each variable: its name, the label and the metric.
fn variables() -> Vec<(&'static str, &'static str, String)> {
    let all = dashboards::all();
    let variables = all.iter().flat_map(|dashboard| dashboard.variables);
    variables
        .map(|(name, query)| {
            let arguments = query.strip_prefix("label_values(").unwrap();
            let (metric, label) = arguments
                .strip_suffix(')')
                .unwrap()
                .split_once(", ")
                .unwrap();
            (*name, label, metric.to_owned())
        })
        .collect()
}

/// What is exposed is what is shown and what is left out.
async fn compare(prometheus: &Prometheus) {
    let exposed: BTreeSet<String> = prometheus.metrics().await.into_keys().collect();
    let shown: BTreeSet<String> = queries()
        .iter()
        .flat_map(|(_, query)| metric_names(&query.expression))
        .collect();
    let left_out: BTreeSet<String> = dashboards::not_shown()
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    let nameless: Vec<_> = shown
        .union(&left_out)
        .filter(|name| !exposed.contains(*name))
        .collect();
    assert!(nameless.is_empty(), "nobody exposes {nameless:?}");
    let forgotten: Vec<_> = exposed
        .difference(&shown)
        .filter(|name| !left_out.contains(*name))
        .collect();
    assert!(
        forgotten.is_empty(),
        "on no panel, and not listed in `not_shown`: {forgotten:?}"
    );
    let both: Vec<_> = shown.intersection(&left_out).collect();
    assert!(
        both.is_empty(),
        "shown, and listed in `not_shown`: {both:?}"
    );
}
