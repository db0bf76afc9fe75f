//! Every way in which connecting can fail, and what goes to the server when it does not.

use std::{io, time::Duration};

use serde_json::json;
use socketio_client::{Client, Error, Options, Stage};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::scripted::Scripted;

/// Reads the client's request up to the empty line.
async fn request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(request).unwrap()
}

/// Waits for the client to give up.
async fn end(mut stream: TcpStream) {
    let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
}

async fn refusal(options: &Options) -> Error {
    match Client::connect(options).await {
        Ok(_) => panic!("connected"),
        Err(error) => error,
    }
}

/// What the client makes of an HTTP answer.
async fn answered(answer: impl Into<String>) -> Error {
    let answer = answer.into();
    let server = Scripted::tcp(|mut stream, _| async move {
        request(&mut stream).await;
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let error = refusal(&server.options()).await;
    server.join().await;
    error
}

async fn stage_of_timeout(mut options: Options) -> Stage {
    options.connect_timeout = Duration::from_millis(200);
    match refusal(&options).await {
        Error::ConnectTimeout { stage, .. } => stage,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_refused_connection_names_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = refusal(&Options::new(&format!("ws://{address}")).unwrap()).await;
    assert_eq!(error.to_string(), format!("cannot connect to {address}"));
    assert!(
        matches!(error, Error::Connect { source, .. } if source.kind() == io::ErrorKind::ConnectionRefused)
    );
}

#[tokio::test]
async fn an_http_refusal_comes_with_its_status_and_body() {
    // The head nearly fills the first read, which takes 1,024 bytes.
    let filler = "x".repeat(950);
    let body = "{\"code\":5,\"message\":\r\n \"Unsupported protocol version\"}";
    let error = answered(format!(
        "HTTP/1.1 400 Bad Request\r\nX-Filler: {filler}\r\nContent-Length: 54\r\n\r\n{body}the next answer"
    ))
    .await;
    let Error::Http { status, body } = error else {
        panic!("{error}")
    };
    assert_eq!(
        (status, &*body),
        (
            400,
            r#"{"code":5,"message": "Unsupported protocol version"}"#
        )
    );
}

#[tokio::test]
async fn an_http_refusal_without_a_length_ends_with_the_connection() {
    let error = answered("HTTP/1.1 502 Bad Gateway\r\n\r\n<h1>nothing behind the proxy</h1>").await;
    let message = "the server answered HTTP 502 instead of opening a WebSocket: <h1>nothing behind the proxy</h1>";
    assert_eq!(error.to_string(), message);
    assert!(
        answered("HTTP/1.1 204 No Content\r\n\r\n")
            .await
            .to_string()
            .ends_with("HTTP 204 instead of opening a WebSocket: empty body")
    );
}

#[tokio::test]
async fn an_answer_that_is_no_websocket_is_told_as_such() {
    for (answer, reason) in [
        ("SSH-2.0-OpenSSH_9.2\r\n", "its answer is no HTTP"),
        ("", "it closed the connection instead of answering HTTP"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: bm8=\r\n\r\n",
            "does not fit the request",
        ),
    ] {
        let error = answered(answer).await;
        assert!(
            matches!(&error, Error::Protocol { .. }) && error.to_string().contains(reason),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_told_with_the_stage_where_it_hangs() {
    let silent = Scripted::tcp(|stream, _| end(stream)).await;
    assert_eq!(stage_of_timeout(silent.options()).await, Stage::Upgrade);
    let no_tls = Scripted::tcp(|stream, _| end(stream)).await;
    assert_eq!(
        stage_of_timeout(Options::new(&no_tls.url.replace("http", "wss")).unwrap()).await,
        Stage::Tls
    );
    let no_handshake = Scripted::websocket(|mut peer| async move { peer.gone().await }).await;
    assert_eq!(
        stage_of_timeout(no_handshake.options()).await,
        Stage::Handshake
    );
    let no_connect = Scripted::websocket(|mut peer| async move {
        peer.handshake(25_000).await;
        peer.expect("40").await;
        peer.gone().await;
    })
    .await;
    assert_eq!(
        stage_of_timeout(no_connect.options()).await,
        Stage::Namespace
    );
    for server in [silent, no_tls, no_handshake, no_connect] {
        server.join().await;
    }
}

#[tokio::test]
async fn a_bad_handshake_is_shown_with_the_place_of_the_fault() {
    for (frame, reason) in [
        (
            "0{}",
            "missing field `sid` at line 1 column 2 at byte 1 in \"0{}\"",
        ),
        (
            "42[\"early\"]",
            "handshake expected, got \"42[\\\"early\\\"]\"",
        ),
        ("hello", "unknown packet type 'h' at byte 0 in \"hello\""),
    ] {
        let server = Scripted::websocket(move |mut peer| async move {
            peer.send(frame).await;
            peer.gone().await;
        })
        .await;
        let error = refusal(&server.options()).await;
        assert!(error.to_string().ends_with(reason), "{error}");
        server.join().await;
    }
}

#[tokio::test]
async fn a_refused_namespace_comes_with_the_servers_reason() {
    let server = Scripted::websocket(|mut peer| async move {
        peer.handshake(25_000).await;
        peer.expect(r#"40/admin,{"token":"wrong"}"#).await;
        peer.send(r#"44/admin,{"message":"not authorized","data":{"code":7}}"#)
            .await;
        peer.gone().await;
    })
    .await;
    let mut options = Options::new(&format!("{}/admin", server.url)).unwrap();
    options.auth = Some(json!({ "token": "wrong" }));
    let Error::Rejected { namespace, payload } = refusal(&options).await else {
        panic!("not rejected")
    };
    assert_eq!(
        (&*namespace, payload),
        (
            "/admin",
            json!({ "message": "not authorized", "data": { "code": 7 } })
        )
    );
    server.join().await;
}

#[tokio::test]
async fn the_request_carries_path_query_and_headers_from_the_chosen_source_address() {
    let server = Scripted::tcp(|mut stream, peer| async move {
        assert_eq!(peer.ip().to_string(), "127.0.0.9");
        let request = request(&mut stream).await;
        assert!(
            request.starts_with("GET /live/?EIO=4&transport=websocket&room=a+b HTTP/1.1\r\n"),
            "{request}"
        );
        let host = format!("\r\nHost: {}\r\n", stream.local_addr().unwrap());
        assert!(
            request.to_lowercase().contains(&host.to_lowercase()),
            "{request}"
        );
        assert!(
            request.to_lowercase().contains("\r\nx-team: blue\r\n"),
            "{request}"
        );
    })
    .await;
    let mut options = Options::new(&format!("{}/?room=a%20b", server.url)).unwrap();
    options.path = "/live/".to_owned();
    options.headers.insert("x-team", "blue".parse().unwrap());
    options.source = Some("127.0.0.9".parse().unwrap());
    assert!(matches!(refusal(&options).await, Error::Protocol { .. }));
    server.join().await;
}

#[tokio::test]
async fn a_source_address_of_the_other_family_is_told() {
    let mut options = Options::new("http://127.0.0.1:9").unwrap();
    options.source = Some("::1".parse().unwrap());
    let error = refusal(&options).await;
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        source,
        "the host has no address that fits the source address"
    );
}
