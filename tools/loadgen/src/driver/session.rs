//! The packets of Engine.IO and Socket.IO on a connection: handshake, namespace, heartbeats, acknowledgements, and the
//! way from polling to the WebSocket (<https://socket.io/docs/v4/engine-io-protocol/>).

use socketio_protocol::{Packet, engine};

use super::{
    connection::{Connection, Gone, Listener, Side, Stage},
    endpoint::Endpoint,
    link::Link,
    text::{Answer, Expected},
};
use crate::time::SECOND;

impl Connection {
    /// Every packet but the expected event.
    #[cold]
    pub(super) fn text(
        &mut self,
        side: Side,
        bytes: &[u8],
        endpoint: &Endpoint,
        listener: &mut impl Listener,
    ) -> Result<(), Gone> {
        let packet = std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| engine::Packet::decode(text).ok());
        match packet {
            Some(engine::Packet::Open(json)) => self.opened(json, side, endpoint),
            Some(engine::Packet::Close) => Err(Gone::because("the server closed the session")),
            Some(engine::Packet::Ping(data)) => {
                listener.heartbeat();
                self.reply(side, &format!("3{data}"))
            }
            Some(engine::Packet::Pong("probe")) if self.stage == Stage::Probing => {
                self.stage = Stage::Joining;
                self.finish_upgrade(listener)
            }
            Some(engine::Packet::Message(text)) => self.message(text, side, endpoint, listener),
            Some(engine::Packet::Pong(_) | engine::Packet::Upgrade | engine::Packet::Noop) => {
                Ok(())
            }
            None => {
                listener.malformed();
                Ok(())
            }
        }
    }

    fn reply(&mut self, side: Side, text: &str) -> Result<(), Gone> {
        match (side, &mut self.polling) {
            (Side::Polling, Some(polling)) => {
                polling.say(text);
                Ok(())
            }
            _ => self.send(text.as_bytes()),
        }
    }

    fn opened(&mut self, json: &str, side: Side, endpoint: &Endpoint) -> Result<(), Gone> {
        let handshake = engine::Handshake::decode(json);
        let handshake =
            handshake.map_err(|error| Gone::because(format!("the server's handshake: {error}")))?;
        let patience = handshake.ping_interval + handshake.ping_timeout;
        // A second more than the server allows itself: a late heartbeat on a busy machine is not a lost server.
        self.patience = crate::time::nanos(patience).saturating_add(SECOND);
        if side == Side::Web {
            self.stage = Stage::Joining;
        } else if let Some(polling) = &mut self.polling {
            polling.session = Some(handshake.sid);
        }
        self.reply(side, &endpoint.join)
    }

    fn message(
        &mut self,
        text: &str,
        side: Side,
        endpoint: &Endpoint,
        listener: &mut impl Listener,
    ) -> Result<(), Gone> {
        match Packet::decode(text) {
            Ok(Packet::Connect { .. }) if side == Side::Web && self.stage == Stage::Joining => {
                self.stage = Stage::Joined;
                listener.joined();
            }
            Ok(Packet::Connect { .. }) if self.web.is_none() => {
                self.web = Some(Link::connect(endpoint, self.from)?);
            }
            Ok(Packet::ConnectError { payload, .. }) => {
                return Err(Gone::because(format!(
                    "the server refused the namespace: {payload}"
                )));
            }
            Ok(Packet::Disconnect { .. }) => {
                return Err(Gone::because("the server ended the namespace"));
            }
            Ok(Packet::Ack(ack)) => listener.acked(ack.id, Answer::of(ack.args.get(0))),
            Ok(Packet::Connect { .. } | Packet::Event(_))
            | Err(socketio_protocol::Error::Binary { .. }) => {}
            Err(_) => listener.malformed(),
        }
        Ok(())
    }

    /// Takes the answers of long-polling, and asks on, until the WebSocket stands.
    pub(super) fn polled(
        &mut self,
        endpoint: &Endpoint,
        expected: &Expected,
        bytes: &[u8],
        listener: &mut impl Listener,
    ) -> Result<usize, Gone> {
        let mut at = 0;
        while let Some(polling) = &mut self.polling
            && let Some((packets, length)) = polling.answer(&bytes[at..])?
        {
            at += length;
            for packet in packets {
                match expected.number(packet.as_bytes()) {
                    Some(number) => listener.expected(number),
                    None => self.text(Side::Polling, packet.as_bytes(), endpoint, listener)?,
                }
            }
            self.finish_upgrade(listener)?;
            if let Some(polling) = &mut self.polling {
                polling.ask(endpoint)?;
            }
        }
        Ok(at)
    }

    /// Moves to the WebSocket as soon as the probe is answered and no poll is on its way.
    fn finish_upgrade(&mut self, listener: &mut impl Listener) -> Result<(), Gone> {
        let ready = self
            .polling
            .as_ref()
            .is_some_and(|polling| !polling.is_waiting());
        if ready && self.stage == Stage::Joining {
            self.polling = None;
            self.stage = Stage::Joined;
            self.send(b"5")?;
            listener.joined();
        }
        Ok(())
    }
}
