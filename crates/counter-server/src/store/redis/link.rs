//! A connection to Redis that commits and listens: what other nodes publish comes over it too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, RedisResult, from_redis_value};

use crate::newest::Newest;

/// A connection that has subscribed to the channel for news.
pub(super) struct Link {
    pub(super) connection: MultiplexedConnection,
    lost: Arc<AtomicBool>,
}

impl Link {
    /// Connects and subscribes; from then on `newest` is raised to what is published. What was
    /// published before is for the caller to read.
    pub(super) async fn open(client: &Client, channel: &str, newest: &Newest) -> RedisResult<Self> {
        let lost = Arc::new(AtomicBool::new(false));
        let heard = {
            let (lost, newest) = (lost.clone(), newest.clone());
            move |push: PushInfo| {
                match push.kind {
                    PushKind::Disconnection => lost.store(true, Ordering::Relaxed),
                    PushKind::Message => newest.raise(published(push).unwrap_or(0)),
                    _ => {}
                }
                Ok::<_, ()>(())
            }
        };
        // The caller bounds the time, of connecting too.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_push_sender(heard);
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        connection.subscribe(channel).await?;
        Ok(Self { connection, lost })
    }

    /// Not yet known to be lost.
    pub(super) fn is_alive(&self) -> bool {
        !self.lost.load(Ordering::Relaxed)
    }
}

/// The count in a message, if it has one.
fn published(message: PushInfo) -> Option<u64> {
    let payload = message.data.into_iter().nth(1)?;
    from_redis_value(payload).ok()
}
