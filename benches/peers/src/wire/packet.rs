//! The few Engine.IO 4 / Socket.IO 5 packets that a counter exchanges in the namespace `/`
//! (<https://github.com/socketio/engine.io-protocol>, <https://github.com/socketio/socket.io-protocol>).

/// Client to server: join the namespace `/`. Its answer begins with the same two characters.
pub const CONNECT: &[u8] = b"40";
/// Server to client: the heartbeat.
pub const PING: &[u8] = b"2";
/// Client to server: the answer to the heartbeat.
pub const PONG: &[u8] = b"3";
/// Client to server: one increment, without acknowledgement, as the tutorial sends it.
pub const INCREMENT: &[u8] = br#"42["increment"]"#;

const COUNT: &[u8] = br#"42["countUpdated","#;

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// The session is open; its JSON handshake.
    Open(&'a [u8]),
    /// A heartbeat that wants an answer.
    Ping,
    /// The namespace is joined.
    Connected,
    /// The namespace is refused, with the server's reason.
    Refused(&'a [u8]),
    /// `countUpdated` with this count.
    Count(u64),
    /// The server ends the session (Engine.IO `1`) or the namespace (Socket.IO `41`).
    Closed,
    /// Anything else, which no count depends on.
    Other,
}

/// Reads the text of one packet from a server. The count comes first: it is all but every packet.
#[inline]
#[must_use]
pub fn read(text: &[u8]) -> Packet<'_> {
    if let Some(rest) = text.strip_prefix(COUNT) {
        return rest
            .strip_suffix(b"]")
            .and_then(number)
            .map_or(Packet::Other, Packet::Count);
    }
    match text {
        [b'0', handshake @ ..] => Packet::Open(handshake),
        [b'1'] | [b'4', b'1', ..] => Packet::Closed,
        [b'2'] => Packet::Ping,
        [b'4', b'0', ..] => Packet::Connected,
        [b'4', b'4', reason @ ..] => Packet::Refused(reason),
        _ => Packet::Other,
    }
}

/// Appends `countUpdated` with this count.
pub fn count(out: &mut Vec<u8>, count: u64) {
    out.extend_from_slice(COUNT);
    out.extend_from_slice(count.to_string().as_bytes());
    out.push(b']');
}

/// The value of up to 19 ASCII digits.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'9' => Some(value * 10 + u64::from(digit - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_read_back_as_it_was_written() {
        for value in [0, 9, 10, 4_294_967_296, 9_999_999_999_999_999_999] {
            let mut text = Vec::new();
            count(&mut text, value);
            assert_eq!(read(&text), Packet::Count(value));
        }
    }

    #[test]
    fn only_digits_are_a_count() {
        for text in [
            "42[\"countUpdated\",]",
            "42[\"countUpdated\",-1]",
            "42[\"countUpdated\",1.5]",
            "42[\"countUpdated\",1",
        ] {
            assert_eq!(read(text.as_bytes()), Packet::Other, "{text}");
        }
    }

    #[test]
    fn the_words_of_a_session_are_told_apart() {
        assert_eq!(read(br#"0{"sid":"x"}"#), Packet::Open(br#"{"sid":"x"}"#));
        assert_eq!(read(b"2"), Packet::Ping);
        assert_eq!(read(br#"40{"sid":"x"}"#), Packet::Connected);
        assert_eq!(
            read(br#"44{"message":"no"}"#),
            Packet::Refused(br#"{"message":"no"}"#)
        );
        assert_eq!(read(b"41"), Packet::Closed);
        assert_eq!(read(b"3probe"), Packet::Other);
    }
}
