//! The part of a connection that goes over HTTP long-polling, until a WebSocket takes over
//! (<https://socket.io/docs/v4/engine-io-protocol/>, "Upgrade"). One request at a time: what is to be said waits for
//! the answer before it, and a poll is always the last.

use super::{connection::Gone, endpoint::Endpoint, http::Answer, link::Link};

pub(crate) struct Polling {
    pub(crate) link: Link,
    pub(crate) session: Option<String>,
    /// Packets for the next POST, parted by the record separator.
    say: String,
    /// Whether a request waits for its answer.
    waiting: bool,
}

/// Between packets in one body.
const SEPARATOR: char = '\u{1e}';

impl Polling {
    pub(crate) fn new(link: Link) -> Self {
        Self {
            link,
            session: None,
            say: String::new(),
            waiting: false,
        }
    }

    pub(crate) fn say(&mut self, packet: &str) {
        if !self.say.is_empty() {
            self.say.push(SEPARATOR);
        }
        self.say.push_str(packet);
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Sends the next request, if none is on its way.
    pub(crate) fn ask(&mut self, endpoint: &Endpoint) -> Result<(), Gone> {
        if self.waiting {
            return Ok(());
        }
        let say = std::mem::take(&mut self.say);
        let body = (!say.is_empty()).then_some(&*say);
        self.waiting = true;
        Ok(self
            .link
            .send(&endpoint.poll(self.session.as_deref(), body))?)
    }

    /// Takes one answer out of `bytes`: its packets, and its length.
    pub(crate) fn answer(&mut self, bytes: &[u8]) -> Result<Option<(Vec<String>, usize)>, Gone> {
        let Some(answer) = Answer::parse(bytes).map_err(Gone::because)? else {
            return Ok(None);
        };
        self.waiting = false;
        if answer.status != 200 {
            return Err(Gone::because(answer.describe()));
        }
        let length = answer.length;
        let body = String::from_utf8(answer.body)
            .map_err(|_| Gone::because("the polling answer is no text"))?;
        // A POST is answered "ok".
        let packets = body
            .split(SEPARATOR)
            .filter(|packet| !matches!(*packet, "ok" | ""))
            .map(str::to_owned);
        Ok(Some((packets.collect(), length)))
    }
}
