use std::collections::VecDeque;

use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::*;
use crate::store::{Committing, Memory};

/// How long a commit takes, and whether it succeeds.
type Commit = (Duration, bool);

/// Commits as the test says, and then at once.
struct Scripted {
    commits: VecDeque<Commit>,
    sizes: Arc<Mutex<Vec<usize>>>,
    memory: Memory,
}

impl Store for Scripted {
    fn commit(&mut self, batch: Batch) -> Committing<'_> {
        self.sizes.lock().unwrap().push(batch.keys.len());
        let (takes, succeeds) = self.commits.pop_front().unwrap_or((Duration::ZERO, true));
        Box::pin(async move {
            sleep(takes).await;
            if succeeds {
                self.memory.commit(batch).await
            } else {
                Err(store::Error::Unavailable("scripted".into()))
            }
        })
    }
}

/// A counter on a scripted store, with what it tells.
struct Running {
    counter: Counter,
    health: Health,
    sizes: Arc<Mutex<Vec<usize>>>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn run(commits: impl IntoIterator<Item = Commit>) -> Running {
    let sizes = Arc::<Mutex<Vec<usize>>>::default();
    let metrics = Arc::new(Metrics::new().unwrap());
    let health = Health::new(metrics.clone());
    let parts = Parts {
        store: Box::new(Scripted {
            commits: commits.into_iter().collect(),
            sizes: sizes.clone(),
            memory: Memory::new(10),
        }),
        newest: Newest::default(),
        keys_for: Duration::from_mins(10),
        health: health.clone(),
        metrics,
    };
    let stop = CancellationToken::new();
    let (counter, task) = counter(parts, stop.clone());
    Running {
        counter,
        health,
        sizes,
        stop,
        task: tokio::spawn(task),
    }
}

impl Running {
    fn increment(&self) -> oneshot::Receiver<Option<u64>> {
        let (answer, answered) = oneshot::channel();
        self.counter.increment(Increment {
            key: None,
            reply: Some(Box::new(move |result| {
                let _ = answer.send(result.ok());
            })),
        });
        answered
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn what_comes_during_a_commit_is_the_next_batch() {
    let running = run([(SECOND, true), (SECOND, true)]);
    let first = running.increment();
    sleep(SECOND / 2).await;
    let others: Vec<_> = (0..5).map(|_| running.increment()).collect();
    assert_eq!(first.await.unwrap(), Some(1));
    assert_eq!(*running.counter.newest().borrow(), 1);
    for (index, other) in others.into_iter().enumerate() {
        assert_eq!(other.await.unwrap(), Some(index as u64 + 2));
    }
    assert_eq!(*running.sizes.lock().unwrap(), [1, 5]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_long_failure_fails_with_it() {
    let running = run([(SECOND, false)]);
    let first = running.increment();
    sleep(SECOND / 2).await;
    let second = running.increment();
    assert_eq!(first.await.unwrap(), None);
    assert_eq!(second.await.unwrap(), None);
    assert_eq!(*running.sizes.lock().unwrap(), [1]);
    assert!(!running.health.is_up());
    assert_eq!(running.increment().await.unwrap(), Some(1));
    assert!(running.health.is_up());
}

#[tokio::test(start_paused = true)]
async fn what_waits_behind_a_short_failure_has_its_own_chance() {
    let running = run([(LONG_FAILURE / 2, false)]);
    let first = running.increment();
    sleep(LONG_FAILURE / 4).await;
    let second = running.increment();
    assert_eq!(first.await.unwrap(), None);
    assert_eq!(second.await.unwrap(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn however_many_wait_a_batch_is_bounded() {
    let running = run([(SECOND, true)]);
    let first = running.increment();
    sleep(SECOND / 2).await;
    let waiting: Vec<_> = (0..2 * MAX_BATCH + 5)
        .map(|_| running.increment())
        .collect();
    assert_eq!(first.await.unwrap(), Some(1));
    for (index, answer) in waiting.into_iter().enumerate() {
        assert_eq!(answer.await.unwrap(), Some(index as u64 + 2));
    }
    assert_eq!(*running.sizes.lock().unwrap(), [1, MAX_BATCH, MAX_BATCH, 5]);
}

#[tokio::test(start_paused = true)]
async fn after_stop_what_was_waiting_is_committed_and_answered() {
    let running = run([(SECOND, true), (SECOND, true)]);
    let first = running.increment();
    sleep(SECOND / 2).await;
    let second = running.increment();
    running.stop.cancel();
    assert_eq!(first.await.unwrap(), Some(1));
    assert_eq!(second.await.unwrap(), Some(2));
    timeout(SECOND, running.task).await.unwrap().unwrap();
}
