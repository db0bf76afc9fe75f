//! Events, acknowledgements and heartbeats of a client that is connected.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use serde_json::json;
use socketio_client::{Client, Error, Packet};
use tokio::{io::AsyncWriteExt as _, sync::oneshot};

use crate::scripted::{PATIENCE, Scripted};

/// The next event's name and first argument.
async fn event(client: &mut Client) -> (String, Option<String>) {
    let incoming = tokio::time::timeout(PATIENCE, client.next())
        .await
        .expect("something comes")
        .unwrap();
    match incoming.packet() {
        Packet::Event(event) => (
            event.name.into_owned(),
            event.args.get(0).map(str::to_owned),
        ),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn connecting_gives_the_ids_and_the_handshake() {
    let server = Scripted::joined(|mut peer| async move { peer.gone().await }).await;
    let client = server.client().await;
    assert_eq!(client.id(), Some("client"));
    assert_eq!(client.handshake().sid, "session");
    assert_eq!(client.handshake().ping_interval, Duration::from_secs(25));
    drop(client);
    server.join().await;
}

#[tokio::test]
async fn events_go_out_and_come_in() {
    let server = Scripted::joined(|mut peer| async move {
        peer.expect(r#"42["increment",{"key":"a\nb"},2]"#).await;
        peer.send(r#"42["countUpdated",1]"#).await;
    })
    .await;
    let mut client = server.client().await;
    client
        .emit("increment", &[json!({ "key": "a\nb" }), json!(2)])
        .await
        .unwrap();
    assert_eq!(
        event(&mut client).await,
        ("countUpdated".into(), Some("1".into()))
    );
    server.join().await;
}

#[tokio::test]
async fn a_call_returns_its_own_answer_and_keeps_the_rest_in_order() {
    let server = Scripted::joined(|mut peer| async move {
        peer.expect(r#"420["first"]"#).await;
        peer.expect(r#"421["second",7]"#).await;
        for frame in [
            r#"42["before"]"#,
            r#"430["late"]"#,
            r#"431["answer",8]"#,
            r#"42["after"]"#,
        ] {
            peer.send(frame).await;
        }
    })
    .await;
    let mut client = server.client().await;
    assert_eq!(client.emit_with_ack("first", &[]).await.unwrap(), 0);
    assert_eq!(
        client.call("second", &[json!(7)]).await.unwrap(),
        vec![json!("answer"), json!(8)]
    );
    assert_eq!(event(&mut client).await.0, "before");
    let incoming = client.next().await.unwrap();
    assert!(
        matches!(incoming.packet(), Packet::Ack(ack) if ack.id == 0 && ack.args.get(0) == Some("\"late\""))
    );
    assert_eq!(event(&mut client).await.0, "after");
    server.join().await;
}

#[tokio::test]
async fn a_call_that_nobody_answers_times_out_and_the_client_goes_on() {
    let (resume, resumed) = oneshot::channel();
    let server = Scripted::joined(|mut peer| async move {
        peer.expect(r#"420["increment"]"#).await;
        resumed.await.unwrap();
        peer.send("430[1]").await;
        peer.gone().await;
    })
    .await;
    let mut options = server.options();
    options.ack_timeout = Duration::from_millis(100);
    let mut client = Client::connect(&options).await.unwrap();
    let error = client.call("increment", &[]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server did not acknowledge \"increment\" within 100ms"
    );
    let Error::AckTimeout { id, .. } = error else {
        panic!("{error}")
    };
    resume.send(()).unwrap();
    let incoming = client.next().await.unwrap();
    assert!(matches!(incoming.packet(), Packet::Ack(ack) if ack.id == id));
    drop(client);
    server.join().await;
}

#[tokio::test]
async fn an_event_of_the_server_can_be_acknowledged() {
    let server = Scripted::joined(|mut peer| async move {
        peer.send(r#"4212["question"]"#).await;
        peer.expect(r#"4312["answer",true]"#).await;
    })
    .await;
    let mut client = server.client().await;
    let incoming = client.next().await.unwrap();
    let Packet::Event(event) = incoming.packet() else {
        panic!("{incoming:?}")
    };
    client
        .ack(event.id.unwrap(), &[json!("answer"), json!(true)])
        .await
        .unwrap();
    server.join().await;
}

#[tokio::test]
async fn packets_of_other_namespaces_are_not_ours() {
    let server = Scripted::joined(|mut peer| async move {
        peer.send(r#"42/admin,["secret"]"#).await;
        peer.send("41/admin,").await;
        peer.send(r#"42["ours"]"#).await;
    })
    .await;
    let mut client = server.client().await;
    assert_eq!(event(&mut client).await.0, "ours");
    server.join().await;
}

#[tokio::test]
async fn pings_are_answered_inside_next_and_inside_call() {
    let server = Scripted::joined(|mut peer| async move {
        peer.send("2").await;
        peer.expect("3").await;
        peer.send(r#"42["go"]"#).await;
        peer.expect(r#"420["call"]"#).await;
        peer.send("2probe").await;
        peer.expect("3probe").await;
        peer.send("430[]").await;
    })
    .await;
    let mut client = server.client().await;
    assert_eq!(event(&mut client).await.0, "go");
    assert_eq!(
        client.call("call", &[]).await.unwrap(),
        Vec::<serde_json::Value>::new()
    );
    server.join().await;
}

#[tokio::test]
async fn a_client_that_came_late_to_read_its_pings_is_not_a_silent_server() {
    let (read, sent) = oneshot::channel();
    let server = Scripted::joined_with_heartbeat(50, |mut peer| async move {
        peer.send("2").await;
        peer.send(r#"42["waiting"]"#).await;
        read.send(()).unwrap();
        peer.expect("3").await;
    })
    .await;
    let mut client = server.client().await;
    sent.await.unwrap();
    // The time itself is what is tested: the client's owner is busy for longer than the heartbeat allows silence.
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(event(&mut client).await.0, "waiting");
    // The answer to the ping goes out with the next call.
    assert!(matches!(client.next().await, Err(Error::Closed { .. })));
    server.join().await;
}

#[tokio::test]
async fn a_next_that_is_dropped_in_the_middle_of_a_frame_loses_nothing() {
    let (middle, in_the_middle) = oneshot::channel();
    let (resume, resumed) = oneshot::channel();
    let server = Scripted::joined(|peer| async move {
        let mut tcp = peer.ws.into_inner();
        // An unmasked text frame of 21 bytes, in two halves.
        tcp.write_all(b"\x81\x1542[\"coun").await.unwrap();
        middle.send(()).unwrap();
        resumed.await.unwrap();
        tcp.write_all(b"tUpdated\",12]\x81\x0242").await.unwrap();
    })
    .await;
    let mut client = server.client().await;
    in_the_middle.await.unwrap();
    {
        let mut next = pin!(client.next());
        poll_fn(|cx| {
            assert!(next.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    resume.send(()).unwrap();
    assert_eq!(
        event(&mut client).await,
        ("countUpdated".into(), Some("12".into()))
    );
    server.join().await;
}
