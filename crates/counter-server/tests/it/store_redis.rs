//! What happens to Redis, and what people see of it.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::store_client::{Answer, Watcher, connect, count, increment};
use crate::store_node::{Node, PATIENCE, eventually, run};
use test_support::{RedisServer, free_port};

/// An increment is answered within the two seconds that a commit may take; the rest is for a machine
/// that compiles meanwhile.
const BOUND: Duration = Duration::from_secs(6);

const NOT_COUNTED: &str =
    "the count cannot be stored at the moment; nothing was counted, try again";
const PERHAPS_COUNTED: &str = "the store did not confirm; this may have been counted or not, \
     only with the same key it is safe to try again";

/// A node with a watcher and an emitter, through one outage of Redis.
struct Outage {
    node: Node,
    watcher: Watcher,
    emitter: socketio_client::Client,
}

impl Outage {
    /// One increment is counted before.
    async fn before(redis: &RedisServer) -> Self {
        let node = Node::start(redis.url());
        let watcher = Watcher::start(node.url()).await;
        let (mut emitter, _) = connect(node.url()).await.unwrap();
        assert_eq!(
            increment(&mut emitter, Some("before")).await.unwrap(),
            Answer::Count(1)
        );
        node.becomes_ready(true).await;
        Self {
            node,
            watcher,
            emitter,
        }
    }

    /// Increments fail in a bounded time with an error, readiness fails, nobody is disconnected.
    async fn during(&mut self) {
        for attempt in 0..3 {
            let asked = Instant::now();
            let answer = increment(&mut self.emitter, Some("during")).await.unwrap();
            let Answer::Refused(error) = answer else {
                panic!("{attempt}: {answer:?}")
            };
            // Nothing of where Redis is or what it said: that is for the log.
            assert!(
                [NOT_COUNTED, PERHAPS_COUNTED].contains(&error.as_str()),
                "{error}"
            );
            assert!(
                asked.elapsed() < BOUND,
                "answered after {:?}",
                asked.elapsed()
            );
        }
        self.node.becomes_ready(false).await;
        assert_eq!(self.node.metric("counter_store_up").await, 0);
        assert!(self.watcher.is_connected());
    }

    /// Without anybody's doing the node is ready again within a second, and keys are still known.
    async fn after(mut self) -> Self {
        let back = Instant::now();
        self.node.becomes_ready(true).await;
        assert!(back.elapsed() < BOUND, "ready after {:?}", back.elapsed());
        assert_eq!(
            increment(&mut self.emitter, Some("before")).await.unwrap(),
            Answer::Count(1)
        );
        assert_eq!(
            increment(&mut self.emitter, Some("during")).await.unwrap(),
            Answer::Count(2)
        );
        assert_eq!(
            increment(&mut self.emitter, None).await.unwrap(),
            Answer::Count(3)
        );
        self.watcher.reaches(3).await;
        assert_eq!(self.watcher.complete_sequence(), [0, 1, 2, 3]);
        let log = self.node.log();
        assert_eq!(log.matches("the store failed").count(), 1, "{log}");
        assert_eq!(log.matches("the store works again").count(), 1, "{log}");
        assert_eq!(self.node.metric("counter_store_incidents_total").await, 0);
        self
    }
}

#[tokio::test]
async fn redis_killed_and_started_again() {
    let mut redis = RedisServer::start();
    let mut outage = Outage::before(&redis).await;
    redis.kill();
    outage.during().await;
    redis.run();
    outage.after().await;
}

#[tokio::test]
async fn redis_paused_and_resumed() {
    let redis = RedisServer::start();
    let mut outage = Outage::before(&redis).await;
    redis.pause();
    outage.during().await;
    redis.resume();
    outage.after().await;
}

#[tokio::test]
async fn redis_made_read_only_and_writable_again() {
    let redis = RedisServer::start();
    let mut outage = Outage::before(&redis).await;
    let nobody = free_port().to_string();
    let () = redis.command(&["REPLICAOF", "127.0.0.1", &nobody]).await;
    outage.during().await;
    let () = redis.command(&["REPLICAOF", "NO", "ONE"]).await;
    outage.after().await;
}

#[tokio::test]
async fn redis_out_of_memory_and_given_more() {
    let redis = RedisServer::start();
    let mut outage = Outage::before(&redis).await;
    let () = redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    outage.during().await;
    let () = redis.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    outage.after().await;
}

#[tokio::test]
async fn a_connection_to_redis_that_was_cut_is_made_again_before_anybody_notices() {
    let redis = RedisServer::start();
    let node = Node::start(redis.url());
    let other = Node::start(redis.url());
    let mut watcher = Watcher::start(node.url()).await;
    let (mut client, _) = connect(node.url()).await.unwrap();
    let (mut elsewhere, _) = connect(other.url()).await.unwrap();
    for round in 0..5 {
        let _: i64 = redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
        // Between two heartbeats of the nodes, so nobody listens to this one.
        let _: i64 = redis.command(&["INCR", "counter:count"]).await;
        let count = 2 * round + 1;
        watcher.reaches(count).await;
        let answer = eventually("an increment is counted again", async || {
            match increment(&mut elsewhere, None).await.unwrap() {
                Answer::Count(count) => Some(count),
                Answer::Refused(_) => None,
            }
        })
        .await;
        assert_eq!(answer, count + 1);
        watcher.reaches(answer).await;
    }
    assert_eq!(
        increment(&mut client, None).await.unwrap(),
        Answer::Count(11)
    );
    watcher.reaches(11).await;
    watcher.complete_sequence();
}

#[tokio::test]
async fn a_redis_that_lost_its_data_is_raised_and_that_is_an_incident() {
    let mut redis = RedisServer::start();
    let node = Node::start(redis.url());
    let mut watcher = Watcher::start(node.url()).await;
    let (mut client, _) = connect(node.url()).await.unwrap();
    for number in 1..=5 {
        assert_eq!(
            increment(&mut client, None).await.unwrap(),
            Answer::Count(number)
        );
    }
    redis.lose_everything();
    redis.run();
    eventually("the loss is noticed", async || {
        (node.metric("counter_store_incidents_total").await == 1).then_some(())
    })
    .await;
    assert!(
        node.log().contains("the store had lost counts"),
        "{}",
        node.log()
    );
    assert_eq!(count(node.url()).await, 5);
    let answer = eventually("an increment is counted", async || {
        match increment(&mut client, None).await.unwrap() {
            Answer::Count(count) => Some(count),
            Answer::Refused(_) => None,
        }
    })
    .await;
    assert_eq!(answer, 6);
    let stored: u64 = redis.command(&["GET", "counter:count"]).await;
    assert_eq!(stored, 6);
    watcher.reaches(6).await;
    watcher.complete_sequence();
    assert_eq!(node.metric("counter_store_incidents_total").await, 1);
}

#[tokio::test]
async fn counters_with_other_prefixes_or_databases_do_not_mix() {
    let redis = RedisServer::start();
    let started = |store: &str, prefix: &str| {
        let mut command = Node::command(store);
        command.args(["--store-prefix", prefix]);
        Node::spawn(command).unwrap()
    };
    let nodes = [
        started(redis.url(), "one"),
        started(redis.url(), "two"),
        started(&format!("{}/7", redis.url()), "one"),
    ];
    for (index, node) in nodes.iter().enumerate() {
        let (mut client, first) = connect(node.url()).await.unwrap();
        assert_eq!(first, 0, "node {index}");
        for number in 1..=(index as u64 + 1) {
            let answer = increment(&mut client, Some("same")).await.unwrap();
            assert_eq!(answer, Answer::Count(1), "node {index}, attempt {number}");
            let answer = increment(&mut client, None).await.unwrap();
            assert_eq!(answer, Answer::Count(1 + number), "node {index}");
        }
    }
    for (index, node) in nodes.iter().enumerate() {
        assert_eq!(count(node.url()).await, index as u64 + 2, "node {index}");
    }
    let (code, shown, _) = run(&[
        "store",
        "show",
        "--store",
        redis.url(),
        "--store-prefix",
        "two",
    ]);
    assert_eq!((code, shown.as_str()), (Some(0), "3\n"));
}

#[tokio::test]
async fn a_password_is_needed_and_never_logged() {
    let redis = RedisServer::start_with(&["--requirepass", "swordfish"]);
    let refused = Node::spawn(Node::command(redis.url())).err().unwrap();
    assert!(
        refused.contains("error: cannot use redis://127.0.0.1"),
        "{refused}"
    );
    let wrong = format!("redis://:wrong-one@127.0.0.1:{}", redis.port());
    let refused = Node::spawn(Node::command(&wrong)).err().unwrap();
    assert!(!refused.contains("wrong-one"), "{refused}");
    let right = format!("redis://:swordfish@127.0.0.1:{}", redis.port());
    let node = Node::start(&right);
    let (mut client, _) = connect(node.url()).await.unwrap();
    assert_eq!(
        increment(&mut client, None).await.unwrap(),
        Answer::Count(1)
    );
    assert!(!node.log().contains("swordfish"), "{}", node.log());
}

#[tokio::test]
async fn the_documented_permissions_are_enough_and_each_is_needed() {
    let page = include_str!("../../../../docs/many-nodes.md");
    let rules = page
        .lines()
        .find_map(|line| line.strip_prefix("`~NAME:* ")?.split_once('`'));
    let rules = format!("~NAME:* {}", rules.unwrap().0).replace("NAME", "counter");
    let rules: Vec<&str> = rules.split(' ').collect();
    let redis = RedisServer::start();
    let store = format!("redis://counter:secret@127.0.0.1:{}", redis.port());
    let works_with = async |rules: &[&str]| {
        let _: i64 = redis
            .command(&["DEL", "counter:count", "counter:keys"])
            .await;
        let _: String = redis.command(&["SCRIPT", "FLUSH"]).await;
        let user = ["ACL", "SETUSER", "counter", "reset", "on", ">secret"];
        let _: String = redis.command(&[&user, rules].concat()).await;
        let Ok(node) = Node::spawn(Node::command(&store)) else {
            return false;
        };
        let (mut client, _) = connect(node.url()).await.unwrap();
        increment(&mut client, Some("a")).await.unwrap() == Answer::Count(1)
    };
    assert!(works_with(&rules).await);
    for left_out in 0..rules.len() {
        // Taken for removing old keys, of which there are none here, and for a connection that
        // greets as somebody, which Redis lets everybody do.
        if ["+zremrangebyrank", "+hello"].contains(&rules[left_out]) {
            continue;
        }
        let mut fewer = rules.clone();
        let left_out = fewer.remove(left_out);
        assert!(!works_with(&fewer).await, "{left_out} is not needed");
    }
}

#[tokio::test]
async fn a_redis_that_is_not_there_refuses_the_start_in_one_line() {
    let store = format!("redis://127.0.0.1:{}", free_port());
    let (code, stdout, stderr) = run(&["--port", "0", "--admin", "off", "--store", &store]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert_eq!(
        stderr.trim_end(),
        format!("error: cannot use {store}/0: Connection refused (os error 111)")
    );
}

#[tokio::test]
async fn settings_that_can_lose_a_count_are_warned_of() {
    let redis = RedisServer::start();
    assert!(!Node::start(redis.url()).log().contains("WARN"));
    let redis = RedisServer::start_with(&["--appendfsync", "everysec"]);
    let log = Node::start(redis.url()).log();
    assert!(log.contains("set appendfsync always"), "{log}");
    let redis = RedisServer::start_with(&["--rename-command", "CONFIG", ""]);
    let log = Node::start(redis.url()).log();
    assert!(log.contains("cannot check the settings of Redis"), "{log}");
}

#[tokio::test]
async fn a_value_that_is_no_count_is_refused_and_left_alone() {
    let redis = RedisServer::start();
    let () = redis.command(&["SET", "counter:count", "many"]).await;
    let refused = Node::spawn(Node::command(redis.url())).err().unwrap();
    assert!(
        refused.contains("the value of counter:count is no number"),
        "{refused}"
    );
    let kept: String = redis.command(&["GET", "counter:count"]).await;
    assert_eq!(kept, "many");
}

#[tokio::test]
async fn a_person_can_set_the_count_under_running_nodes() {
    let redis = RedisServer::start();
    let node = Node::start(redis.url());
    let mut watcher = Watcher::start(node.url()).await;
    let set = |count: &str| run(&["store", "set", count, "--store", redis.url()]);
    assert_eq!(set("20"), (Some(0), "20\n".into(), String::new()));
    timeout(PATIENCE, watcher.reaches(20)).await.unwrap();
    // Lower than what clients have seen: the node raises it again.
    assert_eq!(set("10").0, Some(0));
    eventually("the count is raised", async || {
        let count: u64 = redis.command(&["GET", "counter:count"]).await;
        (count == 20).then_some(())
    })
    .await;
    assert_eq!(node.metric("counter_store_incidents_total").await, 1);
}
