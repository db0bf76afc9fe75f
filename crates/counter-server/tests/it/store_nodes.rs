//! Several nodes on one Redis, and what happens to either.

use tokio::sync::watch;

use crate::store_client::{Answer, Watcher, connect, count, increment};
use crate::store_load::Load;
use crate::store_node::Node;
use test_support::RedisServer;

#[tokio::test]
async fn every_node_shows_every_count_in_order() {
    let redis = RedisServer::start();
    let nodes = [(); 3].map(|()| Node::start(redis.url()));
    let mut watchers = Vec::new();
    let mut emitters = Vec::new();
    for node in &nodes {
        watchers.push(Watcher::start(node.url()).await);
        emitters.push(connect(node.url()).await.unwrap().0);
    }
    for round in 0..20 {
        for (index, emitter) in emitters.iter_mut().enumerate() {
            let key = format!("round {round} emitter {index}");
            let expected = Answer::Count(3 * round + index as u64 + 1);
            assert_eq!(increment(emitter, Some(&key)).await.unwrap(), expected);
        }
    }
    // The same key on another node.
    let again = increment(&mut emitters[2], Some("round 0 emitter 0"))
        .await
        .unwrap();
    assert_eq!(again, Answer::Count(1));
    for watcher in &mut watchers {
        watcher.reaches(60).await;
        assert_eq!(watcher.complete_sequence(), (0..=60).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_node_shows_what_another_publishes_at_once() {
    let redis = RedisServer::start();
    let node = Node::start(redis.url());
    let mut watcher = Watcher::start(node.url()).await;
    // Nothing but the message has this count, so it is not the heartbeat that finds it.
    let listeners: u64 = redis.command(&["PUBLISH", "counter:0:newest", "3"]).await;
    assert_eq!(listeners, 1);
    watcher.reaches(3).await;
    assert_eq!(watcher.complete_sequence(), [0, 1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn clicks_on_three_nodes_survive_the_end_of_one_and_a_restart_of_redis() {
    let mut redis = RedisServer::start();
    let [one, two, three] = [(); 3].map(|()| Node::start(redis.url()));
    let mut staying = Vec::new();
    for node in [&one, &two, &two, &one] {
        staying.push(Watcher::start(node.url()).await);
    }
    let leaving = Watcher::start(three.url()).await;
    let (moves, servers): (Vec<_>, Vec<_>) = [&one, &two, &three]
        .map(|node| watch::channel(node.url().to_owned()))
        .into_iter()
        .unzip();
    let mut load = Load::start(&servers, 8);
    load.goes_on(200).await;

    three.kill();
    redis.kill();
    moves[2].send_replace(one.url().to_owned());
    redis.run();
    load.goes_on(200).await;
    let fourth = Node::start(redis.url());
    moves[2].send_replace(fourth.url().to_owned());
    staying.push(Watcher::start(fourth.url()).await);
    load.goes_on(200).await;

    let counted = load.finish().await;
    leaving.sequence();
    for watcher in &mut staying {
        watcher.reaches(counted).await;
        assert!(watcher.is_connected());
        assert_eq!(watcher.complete_sequence().last(), Some(&counted));
    }
    for node in [&one, &two, &fourth] {
        assert_eq!(count(node.url()).await, counted);
        assert_eq!(node.metric("counter_store_incidents_total").await, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_nodes_killed_again_and_again_count_every_click_once() {
    let redis = RedisServer::start();
    let mut nodes = [(); 3].map(|()| Node::start(redis.url()));
    let (moves, servers): (Vec<_>, Vec<_>) = nodes
        .each_ref()
        .map(|node| watch::channel(node.url().to_owned()))
        .into_iter()
        .unzip();
    let mut load = Load::start(&servers, 5);
    for round in 0..9 {
        load.goes_on(50).await;
        let place = round % 3;
        let watcher = Watcher::start(nodes[place].url()).await;
        // The old one is killed when the new one runs: an address changes hands.
        nodes[place] = Node::start(redis.url());
        moves[place].send_replace(nodes[place].url().to_owned());
        watcher.complete_sequence();
    }
    let counted = load.finish().await;
    for node in &nodes {
        Watcher::start(node.url()).await.reaches(counted).await;
        assert_eq!(count(node.url()).await, counted);
    }
}
