//! Power loss at each step of the commit path: the process ends there without any clean-up, and what
//! its clients have seen or were acknowledged is still true afterwards.
//!
//! Needs the cargo feature `failpoints`: `cargo test -p counter-server --features failpoints`.

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;
use tempfile::tempdir;
use tokio::sync::watch;

use crate::store_client::{Watcher, count};
use crate::store_load::Load;
use crate::store_node::Node;
use test_support::RedisServer;

const IN_THE_COUNTER: [&str; 2] = ["counter-before-broadcast", "counter-before-acknowledgement"];

#[tokio::test]
async fn with_a_file_nothing_seen_or_acknowledged_is_lost_at_any_step() {
    for point in ["file-before-commit", "file-after-commit"]
        .into_iter()
        .chain(IN_THE_COUNTER)
    {
        let directory = tempdir().unwrap();
        let store = format!("file:{}", directory.path().join("counter.redb").display());
        power_loss(&store, point).await;
    }
}

#[tokio::test]
async fn with_redis_nothing_seen_or_acknowledged_is_lost_at_any_step() {
    for point in ["redis-before-commit", "redis-after-commit"]
        .into_iter()
        .chain(IN_THE_COUNTER)
    {
        let redis = RedisServer::start();
        power_loss(redis.url(), point).await;
    }
}

async fn power_loss(store: &str, point: &str) {
    let mut command = Node::command(store);
    command.env("FAILPOINTS", format!("{point}=30*off->return"));
    let mut node = Node::spawn(command).unwrap();
    let (moved, server) = watch::channel(node.url().to_owned());
    let watcher = Watcher::start(node.url()).await;
    let mut load = Load::start(&[server], 10);
    let status = node.ends().await;
    assert_eq!(
        status.signal(),
        Some(Signal::ABORT.as_raw()),
        "{point}: {status}"
    );
    let seen = *watcher.complete_sequence().last().unwrap();

    let node = Node::start(store);
    let kept = count(node.url()).await;
    assert!(kept >= seen, "{point}: {seen} seen, {kept} kept");
    moved.send_replace(node.url().to_owned());
    load.goes_on(50).await;
    let counted = load.finish().await;
    assert_eq!(count(node.url()).await, counted, "{point}");
}
