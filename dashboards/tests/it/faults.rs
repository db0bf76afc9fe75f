//! What goes wrong can be seen: each fault is brought about, and recognised by nothing but the queries of
//! the dashboard and the alerts.

use dashboards::Panel;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use tempfile::tempdir;
use test_support::{RedisServer, ServerProcess, free_port};

use crate::load::Load;
use crate::prometheus::Prometheus;

/// A panel of the server's dashboard.
fn panel(title: &str) -> Panel {
    let server = dashboards::all().remove(0);
    let mut panels = server.rows.into_iter().flat_map(|row| row.panels);
    let panel = panels.find(|panel| panel.title == title);
    panel.unwrap_or_else(|| panic!("no panel {title}"))
}

async fn watched(server: &ServerProcess) -> Prometheus {
    Prometheus::watch(&server.metrics_url(), free_port()).await
}

#[tokio::test]
async fn clients_that_stop_reading_are_seen_behind_and_then_dropped() {
    let server = ServerProcess::counter_server(&[
        "--admin",
        "127.0.0.1:0",
        "--send-buffer",
        "4",
        "--stall-timeout",
        "2s",
    ]);
    let prometheus = watched(&server).await;
    let _load = Load::start(
        server.url(),
        "slow --clients 24 --share 0.5 --rate 4000 --warm-up 100ms --duration 6s",
    );
    prometheus
        .until_shown(&panel("Connections behind"), &[], |behind| behind > 10.0)
        .await;
    prometheus
        .until_alerted("CounterConnectionsBehindGrowing")
        .await;
    let mut given_up = panel("Given up");
    given_up.queries.remove(0);
    prometheus
        .until_shown(&given_up, &[("reason", "stalled")], |rate| rate > 0.0)
        .await;
}

#[tokio::test]
async fn a_redis_that_is_killed_and_one_that_forgets_are_seen_and_told_apart() {
    let mut redis = RedisServer::start();
    let server = ServerProcess::counter_server(&["--admin", "127.0.0.1:0", "--store", redis.url()]);
    let prometheus = watched(&server).await;
    let _load = Load::start(
        server.url(),
        "broadcast --clients 5 --rate 20 --warm-up 1s --duration 60s",
    );
    let results = panel("Increments by result");
    prometheus
        .until_shown(&results, &[("result", "ok")], |rate| rate > 0.0)
        .await;
    assert!(!prometheus.is_alerted("CounterStoreDown").await);

    let (up, of_redis) = (panel("Store up"), [("store", "redis")]);
    redis.kill();
    prometheus.until_shown(&up, &of_redis, |up| up < 0.5).await;
    prometheus.until_alerted("CounterStoreDown").await;
    prometheus
        .until_shown(&results, &[("result", "store_error")], |rate| rate > 0.0)
        .await;

    redis.run();
    prometheus.until_shown(&up, &of_redis, |up| up > 0.5).await;
    prometheus
        .until_shown(&panel("Connections to Redis"), &[], |rate| rate > 0.0)
        .await;
    let incidents = panel("Count incidents");
    prometheus
        .until_shown(&incidents, &[], |count| count < 0.5)
        .await;

    redis.lose_everything();
    redis.run();
    prometheus
        .until_shown(&incidents, &[], |count| count > 0.0)
        .await;
    prometheus.until_alerted("CounterCountIncident").await;
}

#[tokio::test]
async fn a_full_disk_is_seen_as_one() {
    let folder = tempdir().unwrap();
    let store = format!("file:{}", folder.path().join("counter.redb").display());
    // A limit of the file's size is a full disk that any user can make. The signal that comes with it is
    // for programs that do not look at the error.
    let server = ServerProcess::counter_server_after(
        "trap '' XFSZ",
        &["--admin", "127.0.0.1:0", "--store", &store],
    );
    let prometheus = watched(&server).await;
    let _load = Load::start(
        server.url(),
        "broadcast --clients 5 --rate 20 --warm-up 1s --duration 60s",
    );
    let (up, of_file) = (panel("Store up"), [("store", "file")]);
    prometheus.until_shown(&up, &of_file, |up| up > 0.5).await;

    let pid = Pid::from_raw(server.pid().cast_signed());
    let unlimited = getrlimit(Resource::Fsize);
    let full = Rlimit {
        current: Some(4096),
        ..unlimited
    };
    prlimit(pid, Resource::Fsize, full).unwrap();
    prometheus.until_shown(&up, &of_file, |up| up < 0.5).await;
    prometheus
        .until_shown(&panel("Failed commits"), &[("cause", "full")], |rate| {
            rate > 0.0
        })
        .await;
    prometheus.until_alerted("CounterStoreDown").await;

    prlimit(pid, Resource::Fsize, unlimited).unwrap();
    prometheus.until_shown(&up, &of_file, |up| up > 0.5).await;
}

#[tokio::test]
async fn a_reconnect_storm_is_seen_at_both_ends() {
    let server = ServerProcess::counter_server(&["--admin", "127.0.0.1:0"]);
    let prometheus = watched(&server).await;
    let _load = Load::start(
        server.url(),
        "storm --clients 100 --rate 5 --warm-up 1s --duration 20s",
    );
    prometheus
        .until_shown(&panel("Clients"), &[], |clients| clients >= 100.0)
        .await;
    assert!(!prometheus.is_alerted("CounterDisconnectSurge").await);
    prometheus
        .until_shown(&panel("Closed"), &[("reason", "transport")], |rate| {
            rate > 1.0
        })
        .await;
    prometheus.until_alerted("CounterDisconnectSurge").await;
    prometheus
        .until_shown(&panel("Opened"), &[("transport", "websocket")], |rate| {
            rate > 2.0
        })
        .await;
    prometheus
        .until_shown(&panel("Clients"), &[], |clients| clients >= 100.0)
        .await;
}
