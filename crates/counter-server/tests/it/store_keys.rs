//! Exactly once on retry: what a key promises, with every store.

use std::time::Duration;

use tempfile::tempdir;
use tokio::time::Instant;

use crate::store_client::{Answer, Watcher, connect, count, fresh_key, increment};
use crate::store_node::{Node, eventually};
use test_support::RedisServer;

#[tokio::test]
async fn in_memory_a_key_is_counted_once() {
    a_key_is_counted_once("memory").await;
}

#[tokio::test]
async fn in_a_file_a_key_is_counted_once() {
    let directory = tempdir().unwrap();
    a_key_is_counted_once(&file_in(&directory)).await;
}

#[tokio::test]
async fn in_redis_a_key_is_counted_once() {
    let redis = RedisServer::start();
    a_key_is_counted_once(redis.url()).await;
}

async fn a_key_is_counted_once(store: &str) {
    let node = Node::start(store);
    let mut watcher = Watcher::start(node.url()).await;
    let (mut one, _) = connect(node.url()).await.unwrap();
    let (mut two, _) = connect(node.url()).await.unwrap();
    assert_eq!(
        increment(&mut one, Some("a")).await.unwrap(),
        Answer::Count(1)
    );
    assert_eq!(
        increment(&mut two, Some("a")).await.unwrap(),
        Answer::Count(1)
    );
    assert_eq!(increment(&mut two, None).await.unwrap(), Answer::Count(2));
    assert_eq!(
        increment(&mut one, Some("b")).await.unwrap(),
        Answer::Count(3)
    );
    assert_eq!(
        increment(&mut one, Some("a")).await.unwrap(),
        Answer::Count(1)
    );
    watcher.reaches(3).await;
    assert_eq!(watcher.complete_sequence(), [0, 1, 2, 3]);
    assert_eq!(
        node.metric(r#"counter_increments_total{result="repeated_key"}"#)
            .await,
        2
    );
}

#[tokio::test]
async fn the_same_key_many_times_in_one_batch_is_counted_once() {
    let directory = tempdir().unwrap();
    let redis = RedisServer::start();
    for store in ["memory", &file_in(&directory), redis.url()] {
        let node = Node::start(store);
        let (mut client, _) = connect(node.url()).await.unwrap();
        let key = fresh_key();
        for _ in 0..50 {
            let arguments = [serde_json::json!({ "key": key })];
            client.emit_with_ack("increment", &arguments).await.unwrap();
        }
        assert_eq!(
            increment(&mut client, None).await.unwrap(),
            Answer::Count(2),
            "{store}"
        );
    }
}

#[tokio::test]
async fn a_key_is_known_after_a_restart() {
    let directory = tempdir().unwrap();
    let redis = RedisServer::start();
    for store in [&file_in(&directory), redis.url()] {
        let key = fresh_key();
        let node = Node::start(store);
        let (mut client, _) = connect(node.url()).await.unwrap();
        assert_eq!(
            increment(&mut client, Some(&key)).await.unwrap(),
            Answer::Count(1)
        );
        assert_eq!(
            increment(&mut client, None).await.unwrap(),
            Answer::Count(2)
        );
        node.kill();
        let node = Node::start(store);
        let (mut client, first) = connect(node.url()).await.unwrap();
        assert_eq!(first, 2, "{store}");
        assert_eq!(
            increment(&mut client, Some(&key)).await.unwrap(),
            Answer::Count(1)
        );
        assert_eq!(
            increment(&mut client, Some("new")).await.unwrap(),
            Answer::Count(3)
        );
        node.stop();
        let node = Node::start(store);
        assert_eq!(count(node.url()).await, 3, "{store}");
    }
}

#[tokio::test]
async fn only_the_newest_keys_are_remembered() {
    let directory = tempdir().unwrap();
    let redis = RedisServer::start();
    for store in ["memory", &file_in(&directory), redis.url()] {
        let mut command = Node::command(store);
        command.args(["--max-keys", "2"]);
        let node = Node::spawn(command).unwrap();
        let (mut client, _) = connect(node.url()).await.unwrap();
        for (key, count) in [("a", 1), ("b", 2), ("c", 3), ("b", 2), ("c", 3), ("a", 4)] {
            let answer = increment(&mut client, Some(key)).await.unwrap();
            assert_eq!(answer, Answer::Count(count), "{key} in {store}");
        }
    }
}

#[tokio::test]
async fn a_key_counts_again_after_its_time() {
    const KEPT: Duration = Duration::from_millis(1_500);
    let directory = tempdir().unwrap();
    let redis = RedisServer::start();
    for store in ["memory", &file_in(&directory), redis.url()] {
        let mut command = Node::command(store);
        command.args(["--keys-for", "1500ms"]);
        let node = Node::spawn(command).unwrap();
        let (mut client, _) = connect(node.url()).await.unwrap();
        let before = Instant::now();
        assert_eq!(
            increment(&mut client, Some("a")).await.unwrap(),
            Answer::Count(1)
        );
        let forgotten = eventually("the key is forgotten", async || {
            let answer = increment(&mut client, Some("a")).await.unwrap();
            (answer == Answer::Count(2)).then(Instant::now)
        })
        .await;
        assert!(
            forgotten - before >= KEPT,
            "{store}: {:?}",
            forgotten - before
        );
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_refused_and_counts_nothing() {
    let node = Node::start("memory");
    let (mut client, _) = connect(node.url()).await.unwrap();
    for key in ["", &"x".repeat(129)] {
        let answer = increment(&mut client, Some(key)).await.unwrap();
        assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    }
    let longest = "x".repeat(128);
    assert_eq!(
        increment(&mut client, Some(&longest)).await.unwrap(),
        Answer::Count(1)
    );
}

fn file_in(directory: &tempfile::TempDir) -> String {
    format!("file:{}", directory.path().join("counter.redb").display())
}
