//! `kill -9` of the server under a load of acknowledged increments. `CRASH_ROUNDS` sets how often; the
//! suite does 10 rounds of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::tempdir;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::store_client::{Answer, Watcher, connect, count, increment};
use crate::store_load::Load;
use crate::store_node::{Node, eventually};
use test_support::RedisServer;

fn rounds() -> u64 {
    let rounds = std::env::var("CRASH_ROUNDS").ok();
    rounds.map_or(10, |rounds| {
        rounds.parse().expect("CRASH_ROUNDS is a number")
    })
}

#[tokio::test]
async fn with_a_file_no_acknowledged_increment_is_lost_and_none_is_made_up() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("counter.redb");
    kill_without_keys(&format!("file:{}", path.display())).await;
}

#[tokio::test]
async fn with_redis_no_acknowledged_increment_is_lost_and_none_is_made_up() {
    let redis = RedisServer::start();
    kill_without_keys(redis.url()).await;
}

/// Without keys nobody knows whether what was under way at the end was counted, so this gives bounds:
/// at least what was acknowledged or seen, at most what was sent.
async fn kill_without_keys(store: &str) {
    let sent = Arc::new(AtomicU64::new(0));
    for round in 0..rounds() {
        let node = Node::start(store);
        let watcher = Watcher::start(node.url()).await;
        let highest = Arc::new(AtomicU64::new(0));
        let mut emitters = JoinSet::new();
        for _ in 0..20 {
            let (mut client, _) = connect(node.url()).await.unwrap();
            let (sent, highest) = (sent.clone(), highest.clone());
            emitters.spawn(async move {
                loop {
                    sent.fetch_add(1, Ordering::Relaxed);
                    match increment(&mut client, None).await {
                        Ok(Answer::Count(count)) => highest.fetch_max(count, Ordering::Relaxed),
                        Ok(Answer::Refused(error)) => panic!("{error}"),
                        // The server is gone.
                        Err(_) => return,
                    };
                }
            });
        }
        let enough = watcher.newest() + 100 + 37 * (round % 7);
        eventually("the load goes on", async || {
            (highest.load(Ordering::Relaxed) > enough).then_some(())
        })
        .await;
        node.kill();
        emitters.join_all().await;
        let seen = *watcher.complete_sequence().last().unwrap();
        let highest = highest.load(Ordering::Relaxed);
        let sent = sent.load(Ordering::Relaxed);
        let kept = count(Node::start(store).url()).await;
        assert!(
            kept >= highest,
            "round {round}: {highest} acknowledged, {kept} kept"
        );
        assert!(kept >= seen, "round {round}: {seen} seen, {kept} kept");
        assert!(kept <= sent, "round {round}: {sent} sent, {kept} kept");
    }
}

#[tokio::test]
async fn with_a_file_and_keys_every_click_is_counted_exactly_once() {
    let directory = tempdir().unwrap();
    let path = directory.path().join("counter.redb");
    kill_with_keys(&format!("file:{}", path.display())).await;
}

#[tokio::test]
async fn with_redis_and_keys_every_click_is_counted_exactly_once() {
    let redis = RedisServer::start();
    kill_with_keys(redis.url()).await;
}

async fn kill_with_keys(store: &str) {
    let mut node = Node::start(store);
    let (moved, server) = watch::channel(node.url().to_owned());
    let mut load = Load::start(&[server], 20);
    for round in 0..rounds() {
        let watcher = Watcher::start(node.url()).await;
        load.goes_on(100 + 37 * (round % 7)).await;
        node.kill();
        watcher.complete_sequence();
        node = Node::start(store);
        moved.send_replace(node.url().to_owned());
    }
    load.goes_on(100).await;
    let counted = load.finish().await;
    assert_eq!(count(node.url()).await, counted);
}
