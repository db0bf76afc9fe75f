//! Ways into a server: TLS, and all that a server that is no counter may ask for.

use std::{net::SocketAddr, process::Command, sync::Arc};

use test_support::ServerProcess;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use crate::{
    peers::{Peer, installed},
    program::{assert_counts, report, run},
};

/// A proxy that ends TLS in front of a server, and the file with its certificate.
struct TlsProxy {
    address: SocketAddr,
    certificate: tempfile::NamedTempFile,
    // Ends with it.
    _runtime: tokio::runtime::Runtime,
}

impl TlsProxy {
    fn before(server: &ServerProcess) -> Self {
        let key =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let certificate = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(&certificate, key.cert.pem()).expect("the file is written");
        let private = PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(vec![key.cert.der().clone()], private)
            });
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("a configuration")));
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let behind = SocketAddr::from(([127, 0, 0, 1], server.port()));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut outside = acceptor.accept(stream).await?;
                    let mut inside = TcpStream::connect(behind).await?;
                    tokio::io::copy_bidirectional(&mut outside, &mut inside).await
                });
            }
        });
        Self {
            address,
            certificate,
            _runtime: runtime,
        }
    }

    fn load(&self) -> String {
        format!(
            "broadcast --url https://localhost:{} --clients 10 --rate 50 --duration 1s",
            self.address.port()
        )
    }
}

#[test]
fn tls_is_verified_by_a_file_of_authorities() {
    let server = ServerProcess::counter_server(&[]);
    let proxy = TlsProxy::before(&server);
    let report = report(&format!(
        "{} --ca-file {}",
        proxy.load(),
        proxy.certificate.path().display()
    ));
    assert_counts(
        &report,
        &[
            ("expected", 500),
            ("delivered", 500),
            ("lost", 0),
            ("unstamped", 0),
        ],
    );
}

#[test]
fn tls_that_nobody_vouches_for_is_refused_unless_told_otherwise() {
    let server = ServerProcess::counter_server(&[]);
    let proxy = TlsProxy::before(&server);
    let refused = run(&proxy.load());
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("invalid peer certificate"),
        "{}",
        refused.stderr
    );
    let report = report(&format!("{} --insecure --transport upgrade", proxy.load()));
    assert_counts(&report, &[("expected", 500), ("delivered", 500)]);
}

/// The chat server on Node.
struct Chat(Peer);

impl Chat {
    fn start() -> Self {
        installed("tests/interop/node_modules");
        let script = installed("tools/loadgen/tests/it/chat-server.mjs");
        Self(Peer::start(
            Command::new("node")
                .arg(script)
                .arg(installed("tests/interop")),
        ))
    }

    /// Runs with everything that the server asks for; the texts have spaces, hence no single line.
    fn run(&self, arguments: &[&str]) -> crate::program::Run {
        let load = format!(
            "broadcast -q --url {} --path /live/ --namespace /chat --emit say --expect said --correlate payload \
             --clients 8 --rate 50 --duration 1s --query room=7 --json -",
            self.0.url
        );
        let mut command = crate::program::command(&load);
        command.args(["--header", "X-Team: blue"]).args(arguments);
        command.output().expect("loadgen starts").into()
    }
}

#[test]
fn a_server_that_is_no_counter_is_measured_by_ids_in_its_messages() {
    let chat = Chat::start();
    let token = r#"{"token":"let me in"}"#;
    for more in [
        &["--emitters", "3"][..],
        &[
            "--payload",
            r#"{"text":"so it goes {id}","fill":"{size:300}"}"#,
        ],
        &["--transport", "upgrade"],
    ] {
        let run = chat.run(&[&["--auth", token], more].concat());
        let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("a report");
        let counts = [
            ("sent", 50),
            ("expected", 400),
            ("delivered", 400),
            ("lost", 0),
            ("repeated", 0),
            ("unattributed", 0),
        ];
        assert_counts(&report, &counts);
    }
}

#[test]
fn a_refused_namespace_is_told_with_the_servers_reason() {
    let chat = Chat::start();
    let run = chat.run(&["--auth", r#"{"token":"guess"}"#]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr
            .contains(r#"the server refused the namespace: {"message":"not you"}"#),
        "{}",
        run.stderr
    );
}

#[test]
fn a_server_without_the_event_is_an_error_that_says_what_to_do() {
    let server = ServerProcess::counter_server(&[]);
    let run = run(&format!(
        "broadcast -q --url {} --expect somethingElse",
        server.url()
    ));
    assert_eq!(run.code, Some(1));
    assert!(run.stderr.contains("--correlate payload"), "{}", run.stderr);
}
