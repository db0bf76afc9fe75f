//! The count in a Redis that several nodes share: one script per batch adds, remembers keys and
//! publishes the new count. <https://redis.io/docs/latest/develop/programmability/eval-intro/>
//!
//! An empty batch now and then finds out whether Redis is there, raises it where it has lost what
//! clients have seen, and reads what was published while nobody listened. For one Redis, or one
//! behind a name that follows the primary; not for Redis Cluster.

mod durability;
mod link;

use std::time::Duration;

use prometheus::IntCounter;
use redis::{Client, RedisError, RedisResult, Script};
use tokio::time::{Instant, timeout, timeout_at};

use self::link::Link;
use super::address::RedisAddress;
use super::{Batch, Committed, Committing, Error, OpenError, Store, prunable};
use crate::failpoint;
use crate::newest::Newest;

/// Connecting and committing take no longer than this together.
const PATIENCE: Duration = Duration::from_secs(2);

/// At the start there is time for a slow name server.
const START_PATIENCE: Duration = Duration::from_secs(5);

/// After so long without a commit an empty one is due: it bounds how long an outage, its end, or a
/// lost message go unnoticed.
const HEARTBEAT: Duration = Duration::from_millis(250);

/// The count in Redis.
pub(crate) struct Redis {
    database: Database,
    max_keys: usize,
    script: Script,
    newest: Newest,
    reconnects: IntCounter,
    /// Nothing after a failure.
    link: Option<Link>,
}

/// One counter in one database of a Redis.
pub(crate) struct Database {
    address: RedisAddress,
    client: Client,
    count: String,
    keys: String,
    channel: String,
}

impl Database {
    /// Connects to nothing yet.
    pub(crate) fn new(address: RedisAddress, prefix: &str) -> Result<Self, OpenError> {
        // Fails if there is a provider already, which is then as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::open(address.info().clone());
        Ok(Self {
            client: client.map_err(|error| refused(&address, &error))?,
            count: format!("{prefix}:count"),
            keys: format!("{prefix}:keys"),
            // The databases of a Redis share its channels.
            channel: format!("{prefix}:{}:newest", address.database()),
            address,
        })
    }

    /// The stored count, if there is one.
    pub(crate) async fn show(&self) -> Result<Option<u64>, OpenError> {
        self.within(START_PATIENCE, async {
            let mut connection = self.client.get_multiplexed_async_connection().await?;
            redis::cmd("GET")
                .arg(&self.count)
                .query_async(&mut connection)
                .await
        })
        .await
    }

    /// Sets the count, and forgets the keys that were counted above it.
    pub(crate) async fn set(&self, count: u64) -> Result<(), OpenError> {
        let above = format!("({count}");
        let mut pipe = redis::pipe();
        pipe.atomic();
        pipe.cmd("SET").arg(&self.count).arg(count);
        pipe.cmd("ZREMRANGEBYSCORE")
            .arg(&self.keys)
            .arg(above)
            .arg("+inf");
        pipe.cmd("PUBLISH").arg(&self.channel).arg(count);
        self.within(START_PATIENCE, async {
            let mut connection = self.client.get_multiplexed_async_connection().await?;
            pipe.exec_async(&mut connection).await
        })
        .await
    }

    async fn within<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, OpenError> {
        match timeout(patience, work).await {
            Ok(done) => done.map_err(|error| refused(&self.address, &error)),
            Err(_) => Err(OpenError::Redis {
                address: self.address.to_string(),
                reason: format!("no answer within {patience:?}"),
            }),
        }
    }
}

fn refused(address: &RedisAddress, error: &RedisError) -> OpenError {
    OpenError::Redis {
        address: address.to_string(),
        reason: error.to_string(),
    }
}

/// A `RedisError` repeats its source in its text, so only the text is kept.
fn reason(error: &RedisError) -> Box<dyn std::error::Error + Send + Sync> {
    error.to_string().into()
}

impl Redis {
    /// Connects, warns if an acknowledgement of this Redis is worth less than it should be, and reads
    /// the count.
    pub(crate) async fn open(
        database: Database,
        max_keys: usize,
        newest: &Newest,
        reconnects: &IntCounter,
    ) -> Result<Self, OpenError> {
        let mut store = Self {
            database,
            max_keys,
            script: Script::new(include_str!("redis/commit.lua")),
            newest: newest.clone(),
            reconnects: reconnects.clone(),
            link: None,
        };
        let start = async {
            let mut link = store.connect().await?;
            durability::check(&mut link.connection).await;
            let committed = store.run(&mut link, &Batch::default()).await?;
            Ok((link, committed.newest))
        };
        let (link, count) = store.database.within(START_PATIENCE, start).await?;
        store.newest.raise(count);
        store.link = Some(link);
        Ok(store)
    }

    async fn connect(&self) -> RedisResult<Link> {
        Link::open(&self.database.client, &self.database.channel, &self.newest).await
    }

    /// Runs the script. An error with a code is an answer of Redis: the script changed nothing.
    async fn run(&self, link: &mut Link, batch: &Batch) -> RedisResult<Committed> {
        let mut call = self.script.key(&self.database.count);
        call.key(&self.database.keys)
            .arg(batch.at_least)
            .arg(batch.forget_until)
            .arg(self.max_keys)
            .arg(prunable(batch.keys.len()))
            .arg(&self.database.channel);
        let mut without_key = 0_u64;
        for key in &batch.keys {
            match key {
                None => without_key += 1,
                Some(key) => {
                    call.arg(without_key).arg(key.as_str());
                    without_key = 0;
                }
            }
        }
        call.arg(without_key);
        let answer: Vec<u64> = call.invoke_async(&mut link.connection).await?;
        committed(batch, &answer).ok_or_else(|| {
            let kind = redis::ErrorKind::UnexpectedReturnType;
            (kind, "the script answered something else").into()
        })
    }

    async fn try_commit(&mut self, batch: &Batch) -> Result<Committed, Error> {
        let deadline = Instant::now() + PATIENCE;
        // Only a commit that succeeds puts it back.
        let mut link = match self.link.take().filter(Link::is_alive) {
            Some(link) => link,
            None => timeout_at(deadline, self.connect())
                .await
                .map_err(|_| Error::Unavailable(Silent.into()))?
                .inspect(|_| self.reconnects.inc())
                .map_err(|error| Error::Unavailable(reason(&error)))?,
        };
        failpoint::reach("redis-before-commit");
        let committed = timeout_at(deadline, self.run(&mut link, batch))
            .await
            .map_err(|_| Error::Unconfirmed(Silent.into()))?
            .map_err(|error| match error.code() {
                Some(_) => Error::Unavailable(reason(&error)),
                None => Error::Unconfirmed(reason(&error)),
            })?;
        failpoint::reach("redis-after-commit");
        self.link = Some(link);
        Ok(committed)
    }
}

/// Redis kept silent.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {PATIENCE:?}")]
struct Silent;

impl Store for Redis {
    fn commit(&mut self, batch: Batch) -> Committing<'_> {
        Box::pin(async move { self.try_commit(&batch).await })
    }

    fn idle(&self, _: bool) -> Option<Duration> {
        Some(HEARTBEAT)
    }
}

/// What the script answers, spread over the increments; nothing if it does not fit them.
fn committed(batch: &Batch, answer: &[u64]) -> Option<Committed> {
    let (&[stored, newest], of_keys) = answer.split_first_chunk()?;
    let mut of_keys = of_keys.iter().copied();
    let mut count = stored.max(batch.at_least);
    let counts: Option<Vec<u64>> = batch
        .keys
        .iter()
        .map(|key| {
            // A key that was seen before has a count that is not the next one.
            let next = count + 1;
            let of_this = match key {
                None => next,
                Some(_) => of_keys.next()?,
            };
            count = count.max(of_this);
            (of_this <= next).then_some(of_this)
        })
        .collect();
    let fits = count == newest && of_keys.next().is_none();
    counts.filter(|_| fits).map(|counts| Committed {
        counts,
        newest,
        stored,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Key;

    #[test]
    fn the_answer_of_the_script_is_spread_over_the_increments() {
        let key = |text| Key::new(text);
        let batch = Batch {
            keys: vec![None, key("a"), None, key("old"), key("a"), None],
            ..Batch::default()
        };
        let answer = [10, 14, 12, 7, 12];
        let expected = Committed {
            counts: vec![11, 12, 13, 7, 12, 14],
            newest: 14,
            stored: 10,
        };
        assert_eq!(committed(&batch, &answer), Some(expected));
        for wrong in [
            &[][..],
            &[10],
            &[10, 14],
            &[10, 15, 12, 7, 12],
            &[10, 14, 12, 7, 12, 1],
        ] {
            assert_eq!(committed(&batch, wrong), None, "{wrong:?}");
        }
    }
}
