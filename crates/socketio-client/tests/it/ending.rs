//! Every way in which a connection can end.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::json;
use socketio_client::{Client, CloseReason, Error};
use tokio::{io::AsyncWriteExt as _, time::timeout};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use crate::scripted::{PATIENCE, Scripted};

async fn failure(client: &mut Client) -> Error {
    timeout(PATIENCE, client.next())
        .await
        .expect("the connection ends")
        .unwrap_err()
}

async fn reason(server: Scripted) -> CloseReason {
    let mut client = server.client().await;
    let error = failure(&mut client).await;
    drop(client);
    server.join().await;
    match error {
        Error::Closed { reason } => reason,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_silent_server_is_noticed_by_its_own_intervals() {
    let server =
        Scripted::joined_with_heartbeat(100, |mut peer| async move { peer.gone().await }).await;
    let started = Instant::now();
    let mut client = server.client().await;
    let error = failure(&mut client).await;
    assert_eq!(
        error.to_string(),
        "heartbeat timeout: nothing from the server for 200ms"
    );
    assert!(started.elapsed() >= Duration::from_millis(200));
    drop(client);
    server.join().await;
}

#[tokio::test]
async fn a_server_that_pings_is_not_silent() {
    let server = Scripted::joined_with_heartbeat(100, |mut peer| async move {
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        for _ in 0..6 {
            ticks.tick().await;
            peer.send("2").await;
            peer.expect("3").await;
        }
        peer.send("1").await;
    })
    .await;
    assert_eq!(reason(server).await, CloseReason::SessionClosed);
}

#[tokio::test]
async fn a_server_that_takes_nothing_is_as_dead_as_a_silent_one() {
    let (gone, stay) = tokio::sync::oneshot::channel();
    let server = Scripted::joined_with_heartbeat(100, |peer| async move {
        stay.await.unwrap();
        drop(peer);
    })
    .await;
    let mut client = server.client().await;
    // More than the kernel takes for a reader that never comes.
    let error = client
        .emit("much", &[json!("x".repeat(32 << 20))])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::HeartbeatTimeout { .. }), "{error}");
    gone.send(()).unwrap();
    server.join().await;
}

#[tokio::test]
async fn a_close_frame_comes_with_its_code_and_text() {
    let server = Scripted::joined(|mut peer| async move {
        let frame = CloseFrame {
            code: CloseCode::Away,
            reason: "maintenance".into(),
        };
        peer.ws.close(Some(frame)).await.unwrap();
    })
    .await;
    let reason = reason(server).await;
    assert_eq!(
        reason,
        CloseReason::Frame {
            code: 1001,
            text: "maintenance".to_owned()
        }
    );
    assert_eq!(
        reason.to_string(),
        "the server closed it with code 1001, \"maintenance\""
    );
}

#[tokio::test]
async fn a_close_frame_without_a_code_has_the_code_for_that() {
    let server =
        Scripted::joined(|mut peer| async move { peer.ws.close(None).await.unwrap() }).await;
    assert_eq!(
        reason(server).await,
        CloseReason::Frame {
            code: 1005,
            text: String::new()
        }
    );
}

#[tokio::test]
async fn being_disconnected_from_the_namespace_is_told_as_such() {
    let server = Scripted::joined(|mut peer| async move { peer.send("41").await }).await;
    assert_eq!(reason(server).await, CloseReason::Disconnected);
}

#[tokio::test]
async fn half_a_frame_and_then_nothing_is_a_lost_connection() {
    let server = Scripted::joined(|peer| async move {
        peer.ws
            .into_inner()
            .write_all(b"\x81\x1542[\"coun")
            .await
            .unwrap();
    })
    .await;
    assert_eq!(reason(server).await, CloseReason::Lost);
}

#[tokio::test]
async fn a_reset_is_a_lost_connection() {
    let server = Scripted::joined(|peer| async move {
        peer.ws.into_inner().set_zero_linger().unwrap();
    })
    .await;
    assert_eq!(reason(server).await, CloseReason::Lost);
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_refused_before_it_is_read() {
    let server = Scripted::joined(|peer| async move {
        // The head of a text frame of 1,001 bytes.
        peer.ws
            .into_inner()
            .write_all(b"\x81\x7e\x03\xe9")
            .await
            .unwrap();
    })
    .await;
    let mut options = server.options();
    options.max_message = 1_000;
    let mut client = Client::connect(&options).await.unwrap();
    let error = failure(&mut client).await;
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(
        source.as_deref(),
        Some("Space limit exceeded: Message too long: 1001 > 1000"),
        "{error}"
    );
    server.join().await;
}

#[tokio::test]
async fn what_is_no_packet_is_shown_with_the_place_of_the_fault() {
    for (message, reason) in [
        (
            Message::text("42[\"open"),
            "'\"' expected at byte 7 in \"42[\\\"open\"",
        ),
        (
            Message::text("451-[\"a\",{\"_placeholder\":true,\"num\":0}]"),
            "which is not supported in",
        ),
        (
            Message::binary(vec![1, 2, 3]),
            "a binary frame, which is not supported",
        ),
    ] {
        let server = Scripted::joined(|mut peer| async move {
            futures_util::SinkExt::send(&mut peer.ws, message)
                .await
                .unwrap();
        })
        .await;
        let mut client = server.client().await;
        let error = failure(&mut client).await;
        assert!(
            matches!(error, Error::Protocol { .. }) && error.to_string().contains(reason),
            "{error}"
        );
        server.join().await;
    }
}

#[tokio::test]
async fn closing_leaves_the_namespace_and_delivers_what_was_emitted_before() {
    let server = Scripted::joined(|mut peer| async move {
        // Bytes that the client never reads must not destroy those that it has sent.
        for _ in 0..1_000 {
            peer.send(r#"42["countUpdated",1]"#).await;
        }
        peer.expect(r#"42["increment"]"#).await;
        peer.expect("41").await;
        assert!(matches!(peer.ws.next().await, Some(Ok(Message::Close(_)))));
        peer.gone().await;
    })
    .await;
    let mut client = server.client().await;
    client.emit("increment", &[]).await.unwrap();
    client.close().await.unwrap();
    server.join().await;
}
