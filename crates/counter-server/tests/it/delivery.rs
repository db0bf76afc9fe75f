//! The delivery contract under slow, stopped, leaving and vanishing clients.

use crate::admin::{Watched, wait_until};
use crate::raw::{Raw, ask};

/// A small send buffer on this side and a small receive buffer on the other: a client that does not
/// read is behind after some hundred counts.
const SMALL_BUFFERS: [&str; 2] = ["--send-buffer", "4"];
const RECEIVE_BUFFER: Option<u32> = Some(4_096);

fn is_consecutive(counts: &[u64]) -> bool {
    counts.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

#[tokio::test]
async fn a_client_that_did_not_read_for_a_while_receives_every_count() {
    let server = Watched::start(&SMALL_BUFFERS);
    let mut slow = Raw::connect_with_receive_buffer(server.url(), RECEIVE_BUFFER).await;
    let mut quick = Raw::connect(server.url()).await;
    for round in 1..=9 {
        quick.increment(1_000).await;
        quick.counts_until(round * 1_000).await;
    }
    server.wait_for("counter_connections_behind", 1).await;
    let counts = slow.counts_until(9_000).await;
    assert!(is_consecutive(&counts), "{counts:?}");
    server.wait_for("counter_connections_behind", 0).await;
    assert_eq!(
        server
            .metric("counter_broadcast_skipped_counts_total")
            .await,
        0
    );
}

/// More connections than a pass sends to at one time; some read nothing for a while, some vanish.
async fn every_pass_reaches_all_who_are_there(io_uring: &str) {
    let server = Watched::start(&[
        "--send-buffer",
        "4",
        "--shards",
        "1",
        "--io-uring",
        io_uring,
    ]);
    let mut emitter = Raw::connect(server.url()).await;
    let (mut reading, mut resting, mut vanishing) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..150 {
        match number % 10 {
            3 => {
                let client = Raw::connect_with_receive_buffer(server.url(), RECEIVE_BUFFER);
                resting.push(client.await);
            }
            6 => vanishing.push(Raw::connect(server.url()).await),
            _ => reading.push(Raw::connect(server.url()).await),
        }
    }
    server.wait_for("counter_connections", 151).await;
    for round in 1..=5 {
        emitter.increment(400).await;
        emitter.counts_until(round * 400).await;
        for client in &mut reading {
            let counts = client.counts_until(round * 400).await;
            assert!(is_consecutive(&counts), "{counts:?}");
        }
        vanishing.drain(..3).for_each(Raw::vanish);
    }
    server.wait_for("counter_connections_behind", 15).await;
    for client in &mut resting {
        let counts = client.counts_until(2_000).await;
        assert_eq!(counts, (0..=2_000).collect::<Vec<_>>());
    }
    server.wait_for("counter_connections_behind", 0).await;
    server.wait_for("counter_connections", 136).await;
    emitter.increment(1).await;
    for client in reading.iter_mut().chain(&mut resting) {
        assert_eq!(client.next_count().await, Some(2_001));
    }
}

#[tokio::test]
async fn by_io_uring_every_pass_reaches_all_who_are_there() {
    every_pass_reaches_all_who_are_there("auto").await;
}

#[tokio::test]
async fn with_one_call_per_client_every_pass_reaches_all_who_are_there() {
    every_pass_reaches_all_who_are_there("off").await;
}

#[tokio::test]
async fn a_client_hopelessly_behind_jumps_to_the_newest_count() {
    let server = Watched::start(&["--send-buffer", "4", "--max-behind", "500"]);
    let mut slow = Raw::connect_with_receive_buffer(server.url(), RECEIVE_BUFFER).await;
    let mut quick = Raw::connect(server.url()).await;
    for round in 1..=100 {
        quick.increment(200).await;
        quick.counts_until(round * 200).await;
    }
    let counts = slow.counts_until(20_000).await;
    assert!(counts.is_sorted() && !is_consecutive(&counts), "{counts:?}");
    assert!(
        server
            .metric("counter_broadcast_skipped_counts_total")
            .await
            > 0
    );
    quick.increment(1).await;
    assert_eq!(slow.next_count().await, Some(20_001));
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_disconnected_and_counted() {
    let server = Watched::start(&["--send-buffer", "4", "--stall-timeout", "1s"]);
    let descriptors = server.descriptors();
    let stalled = Raw::connect_with_receive_buffer(server.url(), RECEIVE_BUFFER).await;
    let mut quick = Raw::connect(server.url()).await;
    for round in 1..=5 {
        quick.increment(1_000).await;
        quick.counts_until(round * 1_000).await;
    }
    server.wait_for_a_stalled_client(descriptors + 1).await;
    quick.increment(1).await;
    assert_eq!(quick.next_count().await, Some(5_001));
    drop(stalled);
}

#[tokio::test]
async fn who_leaves_the_namespace_receives_nothing_until_it_comes_back() {
    let server = Watched::start(&[]);
    let mut leaving = Raw::connect(server.url()).await;
    let mut other = Raw::connect(server.url()).await;
    assert_eq!(leaving.next_count().await, Some(0));
    assert_eq!(other.next_count().await, Some(0));
    leaving.send("41").await;
    server.wait_for("counter_connections", 1).await;
    other.increment(10).await;
    other.counts_until(10).await;
    leaving.enter().await;
    assert_eq!(leaving.next_count().await, Some(10));
    other.increment(2).await;
    assert_eq!(leaving.next_count().await, Some(11));
    assert_eq!(leaving.next_count().await, Some(12));
}

#[tokio::test]
async fn descriptors_return_to_the_start_however_clients_end() {
    let server = Watched::start(&[]);
    let mut emitter = Raw::connect(server.url()).await;
    emitter.next_count().await;
    let descriptors = server.descriptors();
    for _ in 0..20 {
        let mut closing = Raw::connect(server.url()).await;
        let vanishing = Raw::connect(server.url()).await;
        let dropped = Raw::connect(server.url()).await;
        closing.next_count().await;
        closing.send("1").await;
        emitter.increment(5).await;
        vanishing.vanish();
        drop((closing, dropped));
    }
    emitter.counts_until(100).await;
    wait_until("all descriptors are closed", async || {
        server.descriptors() == descriptors
    })
    .await;
    server.wait_for("counter_connections", 1).await;
}

#[tokio::test]
async fn acknowledgements_that_nobody_reads_slow_their_client_down_and_are_not_lost() {
    let server = Watched::start(&["--send-buffer", "4"]);
    let mut client = Raw::connect(server.url()).await;
    // The answers fill every buffer, and then the server reads no more.
    let full = server.wait_for_at_least("counter_increments_total", 2_048);
    let answers = client.increment_and_read(0..20_000, full).await;
    for (id, answer) in (0..).zip(answers) {
        assert_eq!(answer, format!("43{id}[{}]", id + 1));
    }
}

#[tokio::test]
async fn a_connection_beyond_the_limit_is_told_so() {
    let server = Watched::start(&["--max-connections", "2"]);
    let mut first = Raw::connect(server.url()).await;
    let mut second = Raw::connect(server.url()).await;
    assert_eq!(
        (first.next_count().await, second.next_count().await),
        (Some(0), Some(0))
    );
    assert!(page(server.url()).await.starts_with("HTTP/1.1 503 "));
    drop(second);
    let free = async || page(server.url()).await.starts_with("HTTP/1.1 200 ");
    wait_until("a place is free again", free).await;
    first.increment(1).await;
    first.counts_until(1).await;
}

async fn page(url: &str) -> String {
    ask(url, "GET", "/", "").await
}

#[tokio::test]
async fn what_was_read_is_answered_before_the_server_stops() {
    let server = Watched::start(&[]);
    let mut client = Raw::connect(server.url()).await;
    client.emit_with_ack(0..1_000).await;
    server
        .wait_for_at_least("counter_increments_total", 1)
        .await;
    let stopping = tokio::task::spawn_blocking(move || server.stop());
    let mut answered = 0;
    let mut counted = 0;
    while let Some(packet) = client.next().await {
        answered += u64::from(packet.starts_with("43"));
        if let Some(count) = crate::raw::count_of(&packet) {
            counted = count;
        }
    }
    assert!(stopping.await.unwrap().success());
    assert!(answered > 0);
    assert_eq!(
        answered, counted,
        "every count that was broadcast was acknowledged"
    );
}
