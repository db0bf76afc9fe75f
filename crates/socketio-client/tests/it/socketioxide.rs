//! The client against socketioxide: a real server, in this process.

use std::time::Duration;

use axum::{Router, routing::get};
use serde_json::{Value, json};
use socketio_client::{Client, CloseReason, Error, Options, Packet};
use socketioxide::{
    SocketIo,
    extract::{AckSender, Data, SocketRef, TryData},
    handler::ConnectHandler as _,
};
use tokio::{net::TcpListener, task::JoinHandle};

struct Server {
    url: String,
    task: JoinHandle<()>,
}

impl Server {
    async fn client(&self) -> Client {
        let options = Options::new(&self.url).unwrap();
        Client::connect(&options).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn server() -> Server {
    let (layer, io) = SocketIo::builder()
        .ping_interval(Duration::from_millis(200))
        .ping_timeout(Duration::from_millis(200))
        .build_layer();
    io.ns("/", async |socket: SocketRef| {
        socket.on(
            "echo",
            async |ack: AckSender, TryData(args): TryData<Value>| {
                ack.send(&args.unwrap_or(Value::Null)).unwrap();
            },
        );
        socket.on("ask me", async |socket: SocketRef| {
            let answer = socket
                .emit_with_ack::<_, String>("question", "why?")
                .unwrap()
                .await
                .unwrap();
            socket.emit("heard", &answer).unwrap();
        });
        socket.on("leave", async |socket: SocketRef| {
            socket.disconnect().unwrap();
        });
    });
    let guard = async |Data(auth): Data<Value>| {
        if auth == json!({ "token": "right" }) {
            Ok(())
        } else {
            Err("not authorized")
        }
    };
    io.ns(
        "/admin",
        (async |socket: SocketRef| socket.emit("welcome", &1).unwrap()).with(guard),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().route("/", get(async || "page")).layer(layer);
    Server {
        url,
        task: tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }),
    }
}

#[tokio::test]
async fn a_call_is_answered() {
    let server = server().await;
    let mut client = server.client().await;
    assert_eq!(client.handshake().ping_interval, Duration::from_millis(200));
    for value in [
        json!(7),
        json!({ "text": "a \"b\"\n\u{1f600}" }),
        Value::Null,
    ] {
        assert_eq!(
            client
                .call("echo", std::slice::from_ref(&value))
                .await
                .unwrap(),
            vec![value]
        );
    }
    client.close().await.unwrap();
}

#[tokio::test]
async fn a_question_of_the_server_is_answered() {
    let server = server().await;
    let mut client = server.client().await;
    client.emit("ask me", &[]).await.unwrap();
    let incoming = client.next().await.unwrap();
    let Packet::Event(event) = incoming.packet() else {
        panic!("{incoming:?}")
    };
    assert_eq!(
        (&*event.name, event.args.get(0)),
        ("question", Some("\"why?\""))
    );
    client
        .ack(event.id.unwrap(), &[json!("because")])
        .await
        .unwrap();
    let incoming = client.next().await.unwrap();
    assert!(
        matches!(incoming.packet(), Packet::Event(e) if e.name == "heard" && e.args.get(0) == Some("\"because\""))
    );
}

#[tokio::test]
async fn heartbeats_keep_an_idle_client_connected_for_many_intervals() {
    let server = server().await;
    let mut client = server.client().await;
    let idle = tokio::time::timeout(Duration::from_secs(2), client.next()).await;
    assert!(idle.is_err(), "{idle:?}");
    assert_eq!(
        client.call("echo", &[json!("still here")]).await.unwrap(),
        vec![json!("still here")]
    );
}

#[tokio::test]
async fn a_namespace_with_credentials_lets_in_whom_it_knows() {
    let server = server().await;
    let mut options = Options::new(&format!("{}/admin", server.url)).unwrap();
    options.auth = Some(json!({ "token": "wrong" }));
    match Client::connect(&options).await.map(drop) {
        Err(Error::Rejected { payload, .. }) => {
            assert_eq!(payload, json!({ "message": "not authorized" }));
        }
        other => panic!("{other:?}"),
    }
    options.auth = Some(json!({ "token": "right" }));
    let mut client = Client::connect(&options).await.unwrap();
    assert!(client.id().is_some());
    let incoming = client.next().await.unwrap();
    assert!(matches!(incoming.packet(), Packet::Event(event) if event.name == "welcome"));
}

#[tokio::test]
async fn an_unknown_namespace_is_refused() {
    let server = server().await;
    match Client::connect(&Options::new(&format!("{}/nowhere", server.url)).unwrap())
        .await
        .map(drop)
    {
        Err(error @ Error::Rejected { .. }) => {
            let message =
                r#"the server refused the namespace /nowhere: {"message":"Invalid namespace"}"#;
            assert_eq!(error.to_string(), message);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_path_that_is_not_socket_io_answers_with_its_status() {
    let server = server().await;
    let mut options = Options::new(&server.url).unwrap();
    options.path = "/".to_owned();
    match Client::connect(&options).await.map(drop) {
        Err(Error::Http { status, body }) => assert_eq!((status, &*body), (200, "page")),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_client_that_the_server_disconnects_knows_it() {
    let server = server().await;
    let mut client = server.client().await;
    client.emit("leave", &[]).await.unwrap();
    let error = client.next().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Closed {
                reason: CloseReason::Disconnected
            }
        ),
        "{error}"
    );
}
