//! TLS, with a certificate made for the test.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use socketio_client::{Client, Error, Options};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use crate::scripted::Scripted;

/// An acceptor for `localhost`, and the configuration of a client that trusts it.
fn pair() -> (TlsAcceptor, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), Arc::new(client))
}

/// Lets one client in and answers its one call.
async fn serve(acceptor: TlsAcceptor, stream: TcpStream) {
    let Ok(stream): Result<TlsStream<_>, _> = acceptor.accept(stream).await else {
        return;
    };
    let mut ws = accept_async(stream).await.unwrap();
    ws.send(Message::text(
        r#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#,
    ))
    .await
    .unwrap();
    assert_eq!(ws.next().await.unwrap().unwrap(), Message::text("40"));
    ws.send(Message::text("40")).await.unwrap();
    assert_eq!(
        ws.next().await.unwrap().unwrap(),
        Message::text("420[\"a\"]")
    );
    ws.send(Message::text("430[1]")).await.unwrap();
    let _ = ws.next().await;
}

async fn server() -> (Scripted, Options, Arc<ClientConfig>) {
    let (acceptor, trust) = pair();
    let server = Scripted::tcp(|stream, _| serve(acceptor, stream)).await;
    let url = server.url.replace("http://127.0.0.1", "https://localhost");
    (server, Options::new(&url).unwrap(), trust)
}

#[tokio::test]
async fn a_trusted_server_is_used_over_tls() {
    let (server, mut options, trust) = server().await;
    options.tls = Some(trust);
    let mut client = Client::connect(&options).await.unwrap();
    assert_eq!(client.id(), None);
    assert_eq!(
        client.call("a", &[]).await.unwrap(),
        vec![serde_json::json!(1)]
    );
    drop(client);
    server.join().await;
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_is_refused() {
    let (server, options, _) = server().await;
    match Client::connect(&options).await.map(drop) {
        Err(error @ Error::Tls { .. }) => {
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(
                source.contains("UnknownIssuer") || source.contains("no trusted certificates"),
                "{source}"
            );
        }
        other => panic!("{other:?}"),
    }
    server.join().await;
}
