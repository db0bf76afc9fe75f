//! Three nodes behind nginx, with the configuration that docs/many-nodes.md shows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::store_client::count;
use crate::store_node::{Node, PATIENCE, eventually};
use test_support::{RedisServer, free_port};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn configuration() -> String {
    fs::read_to_string(repository("tests/nginx/counter.conf")).unwrap()
}

#[test]
fn the_documentation_shows_the_configuration_that_is_tested() {
    let page = fs::read_to_string(repository("docs/many-nodes.md")).unwrap();
    assert!(
        page.contains(&configuration()),
        "docs/many-nodes.md has another counter.conf"
    );
}

/// A running nginx; killed on drop.
struct Nginx {
    process: Child,
    url: String,
    _directory: TempDir,
}

impl Nginx {
    /// The configuration as it is, but for its four addresses.
    async fn before(nodes: &[Node; 3]) -> Self {
        let directory = tempdir().unwrap();
        let place = directory.path().display();
        let address = format!("127.0.0.1:{}", free_port());
        let mut site = configuration().replace("listen 8080;", &format!("listen {address};"));
        for (documented, node) in ["127.0.0.1:3001", "127.0.0.1:3002", "127.0.0.1:3003"]
            .iter()
            .zip(nodes)
        {
            assert!(site.contains(documented));
            site = site.replace(documented, node.address());
        }
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {place}/{kind};\n"))
            .concat();
        let whole = format!(
            "daemon off; master_process off; pid {place}/pid; error_log {place}/log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off;\n{temporary}{site} }}\n"
        );
        fs::write(directory.path().join("nginx.conf"), whole).unwrap();
        let process = Command::new("nginx")
            .arg("-p")
            .arg(directory.path())
            .args(["-c", "nginx.conf"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx starts; install what is missing with: bash tools/test.sh");
        let nginx = Self {
            process,
            url: format!("http://{address}"),
            _directory: directory,
        };
        eventually("nginx accepts", async || {
            TcpStream::connect(&address).await.ok()
        })
        .await;
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn official_clients_behind_nginx_count_together_and_survive_the_end_of_a_node() {
    const CLIENTS: u64 = 30;
    const CLICKS: u64 = 8;
    let redis = RedisServer::start();
    let [one, two, three] = [(); 3].map(|()| Node::start(redis.url()));
    let nodes = [one, two, three];
    let nginx = Nginx::before(&nodes).await;
    let mut clients = tokio::process::Command::new("node")
        .arg(repository("tests/nginx/clients.mjs"))
        .args([&nginx.url, &CLIENTS.to_string(), &CLICKS.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("node starts; install what is missing with: bash tools/test.sh");
    let mut lines = BufReader::new(clients.stdout.take().unwrap()).lines();
    let mut next = async || {
        let line = timeout(PATIENCE, lines.next_line()).await;
        line.expect("the clients go on").unwrap().expect(
            "the clients ended; if their packages are missing, install them with: bash tools/test.sh",
        )
    };
    assert_eq!(next().await, "half");
    // Each node has some, or the rest would show nothing.
    let mut connections = Vec::new();
    for node in &nodes {
        connections.push(node.metric("counter_connections").await);
    }
    assert_eq!(connections.iter().sum::<u64>(), CLIENTS, "{connections:?}");
    assert!(connections.iter().all(|&here| here > 0), "{connections:?}");

    let [one, two, three] = nodes;
    two.kill();
    clients
        .stdin
        .take()
        .unwrap()
        .write_all(b"go on\n")
        .await
        .unwrap();
    let summary: Value = serde_json::from_str(&next().await).unwrap();
    assert!(clients.wait().await.unwrap().success());

    let total = CLIENTS * CLICKS;
    let transports: Vec<_> = summary["transports"].as_array().unwrap().iter().collect();
    assert_eq!(
        transports
            .iter()
            .filter(|name| **name == "websocket")
            .count() as u64,
        CLIENTS / 2
    );
    assert!(
        summary["newest"]
            .as_array()
            .unwrap()
            .iter()
            .all(|newest| *newest == total),
        "{summary}"
    );
    assert_eq!(summary["fell"], 0, "{summary}");
    // Exactly those of the node that is gone had to connect again.
    assert_eq!(summary["reconnected"], connections[1], "{summary}");
    for node in [&one, &three] {
        assert_eq!(count(node.url()).await, total);
    }
}
