//! What the metrics say of clients of every kind. The names are those that dashboards and alerts use.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::admin::Watched;
use crate::raw::{Raw, ask};

const POLLING: &str = r#"counter_connections{protocol="4",transport="polling"}"#;
const WEBSOCKET: &str = r#"counter_connections{protocol="4",transport="websocket"}"#;

#[tokio::test]
async fn a_client_is_counted_under_the_transport_that_carries_it_now() {
    let server = Watched::start(&[]);
    let opened = ask(
        server.url(),
        "GET",
        "/socket.io/?EIO=4&transport=polling",
        "",
    )
    .await;
    let (_, session) = opened.split_once(r#""sid":""#).unwrap();
    let query = format!("EIO=4&sid={}", session.split_once('"').unwrap().0);
    let polling = format!("/socket.io/?{query}&transport=polling");
    ask(server.url(), "POST", &polling, "40").await;
    server.wait_for(POLLING, 1).await;
    assert_eq!(server.metric(WEBSOCKET).await, 0);
    while !ask(server.url(), "GET", &polling, "")
        .await
        .contains("countUpdated")
    {}

    let mut upgraded = Raw::open(server.url(), &query, None).await;
    upgraded.send("2probe").await;
    assert_eq!(upgraded.next().await.as_deref(), Some("3probe"));
    // As the protocol demands, the poll that waits is answered first.
    ask(server.url(), "GET", &polling, "").await;
    upgraded.send("5").await;
    server.wait_for(WEBSOCKET, 1).await;
    assert_eq!(server.metric(POLLING).await, 0);
    assert_eq!(server.metric("counter_connection_upgrades_total").await, 1);

    drop(upgraded);
    server.wait_for("counter_connections", 0).await;
    let gone = r#"counter_connections_closed_total{reason="transport"}"#;
    server.wait_for(gone, 1).await;
    let began = r#"counter_connections_opened_total{protocol="4",transport="polling"}"#;
    assert_eq!(server.metric(began).await, 1);
}

#[tokio::test]
async fn clients_of_version_2_have_a_protocol_of_their_own() {
    let server = Watched::start(&[]);
    let mut old = Raw::open(server.url(), "EIO=3", None).await;
    assert_eq!(old.next_count().await, Some(0));
    let own = r#"counter_connections{protocol="3",transport="websocket"}"#;
    assert_eq!(server.metric(own).await, 1);
    assert_eq!(server.metric("counter_connections").await, 1);
    server.wait_for("counter_handshake_seconds_count", 1).await;
}

#[tokio::test]
async fn who_is_refused_or_leaves_is_counted_with_the_reason() {
    let server = Watched::start(&["--allow-origin", "https://example.org"]);
    let mut client = Raw::connect(server.url()).await;
    client.next_count().await;
    for (reason, path) in [
        ("request", "/socket.io/?EIO=9&transport=polling"),
        ("request", "/socket.io/?EIO=4&transport=polling&sid=unknown"),
        (
            "origin",
            "/socket.io/?EIO=4&transport=polling HTTP/1.1\r\nOrigin: https://other.org\r\nX-Rest:",
        ),
    ] {
        let counted = format!("counter_connections_refused_total{{reason={reason:?}}}");
        let before = server.metric(&counted).await;
        ask(server.url(), "GET", path, "").await;
        assert_eq!(server.metric(&counted).await, before + 1, "{path}");
    }
    client.send("41").await;
    let goodbye = r#"counter_connections_closed_total{reason="client"}"#;
    server.wait_for(goodbye, 1).await;
    server.wait_for("counter_connections", 0).await;
}

#[tokio::test]
async fn an_increment_is_counted_by_what_became_of_it() {
    let server = Watched::start(&[]);
    let mut client = Raw::connect(server.url()).await;
    client.next_count().await;
    for packet in [
        r#"42["increment"]"#,
        r#"42["increment",{"key":"a"}]"#,
        r#"42["increment",{"key":"a"}]"#,
        r#"42["increment",{"key":5}]"#,
        r#"42["decrement"]"#,
    ] {
        client.send(packet).await;
    }
    client.counts_until(2).await;
    server.wait_for("counter_unknown_events_total", 1).await;
    for (result, times) in [
        ("ok", 2),
        ("repeated_key", 1),
        ("refused", 1),
        ("store_error", 0),
    ] {
        let counted = format!("counter_increments_total{{result={result:?}}}");
        server.wait_for(&counted, times).await;
    }
    assert_eq!(server.metric("counter_value").await, 2);
    assert_eq!(server.metric("counter_broadcast_counts_total").await, 2);
    server.wait_for("counter_broadcast_frames_total", 2).await;
}

#[tokio::test]
async fn the_metrics_are_as_prometheus_wants_them() {
    let server = Watched::start(&[]);
    let text = server.exposition().await;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs; install it with: bash tools/test.sh");
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let complaints = String::from_utf8_lossy(&checked.stderr);
    assert!(
        checked.status.success() && complaints.is_empty(),
        "{complaints}"
    );
}
