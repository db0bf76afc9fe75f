//! `rediss://`: a Redis that speaks TLS, with certificates made for the test.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::tempdir;

use crate::store_client::{Answer, connect, increment};
use crate::store_node::{Node, eventually};
use test_support::RedisServer;

/// An authority and a server certificate for `localhost`, as PEM files.
struct Certificates {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    fn make_in(directory: &Path) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let write = |name: &str, pem: String| {
            let path = directory.join(name);
            fs::write(&path, pem).unwrap();
            path
        };
        Self {
            authority: write("authority.pem", authority.pem()),
            certificate: write("certificate.pem", certificate.pem()),
            key: write("key.pem", key.serialize_pem()),
        }
    }
}

#[tokio::test]
async fn a_redis_with_tls_is_used_if_its_certificate_is_trusted() {
    let directory = tempdir().unwrap();
    let certificates = Certificates::make_in(directory.path());
    let text = |path: &PathBuf| path.display().to_string();
    let mut redis = RedisServer::start_with(&[
        "--port",
        "0",
        "--tls-port",
        "PORT",
        "--tls-auth-clients",
        "no",
        "--tls-cert-file",
        &text(&certificates.certificate),
        "--tls-key-file",
        &text(&certificates.key),
        "--tls-ca-cert-file",
        &text(&certificates.authority),
        "--requirepass",
        "swordfish",
    ]);
    let store = format!("rediss://:swordfish@localhost:{}", redis.port());

    let refused = Node::spawn(Node::command(&store)).err().unwrap();
    assert!(refused.contains("invalid peer certificate"), "{refused}");

    let mut command = Node::command(&store);
    command.env("SSL_CERT_FILE", &certificates.authority);
    let node = Node::spawn(command).unwrap();
    let (mut client, _) = connect(node.url()).await.unwrap();
    assert_eq!(
        increment(&mut client, Some("a")).await.unwrap(),
        Answer::Count(1)
    );

    redis.kill();
    node.becomes_ready(false).await;
    redis.run();
    node.becomes_ready(true).await;
    let answer = eventually("an increment is counted again", async || {
        match increment(&mut client, None).await.unwrap() {
            Answer::Count(count) => Some(count),
            Answer::Refused(_) => None,
        }
    })
    .await;
    assert_eq!(answer, 2);
}
