//! What has left on a connection: HTTP first, then the head of the 101 response, then frames.
//!
//! Both doors write only whole frames, so it is enough to know the length of a frame when it
//! begins, and to count down. RFC 6455 section 5.2.

use std::io;

use crate::frames;

/// What the bytes that come next belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// HTTP, as long as nobody upgrades.
    Http,
    /// The head of the 101 response; so many bytes of its end, `\r\n\r\n`, were seen.
    Head(usize),
    /// Between two frames.
    Boundary,
    /// In a frame of this kind, so many bytes before its end.
    Within(Kind, usize),
}

/// What a frame is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `countUpdated` with this count.
    Count(u64),
    /// An acknowledgement.
    Ack,
    /// What only precedes a session's first count: the ping after the handshake, and CONNECT.
    Prelude,
    /// The answer to the probe of an upgrade.
    Probe,
    /// A WebSocket Close.
    Close,
    /// Anything else.
    Other,
}

const HEAD_END: &[u8] = b"\r\n\r\n";
const CLOSE: u8 = 8;
const ACK: &[u8] = b"43";
const PROBE: &[u8] = b"3probe";
const PING: &[u8] = b"2";
const CONNECT: &[u8] = b"40";

impl Wire {
    /// Accounts for `sent` bytes at the start of `bytes` and calls `ended` for each frame that
    /// they complete.
    ///
    /// # Errors
    /// A frame begins whose header is not all there: the writer does not write whole frames.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        sent: usize,
        mut ended: impl FnMut(Kind),
    ) -> io::Result<()> {
        let mut at = 0;
        while at < sent {
            match *self {
                Self::Http => return Ok(()),
                Self::Head(seen) => {
                    let (length, matched) = head(seen, &bytes[at..sent]);
                    at += length;
                    *self = if matched == HEAD_END.len() {
                        Self::Boundary
                    } else {
                        Self::Head(matched)
                    };
                }
                Self::Boundary => {
                    let (kind, length) = frame(&bytes[at..])?;
                    *self = Self::Within(kind, length);
                }
                Self::Within(kind, left) => {
                    let step = left.min(sent - at);
                    at += step;
                    *self = if step == left {
                        Self::Boundary
                    } else {
                        Self::Within(kind, left - step)
                    };
                    if step == left {
                        ended(kind);
                    }
                }
            }
        }
        Ok(())
    }
}

/// How many of these bytes belong to the head of which `seen` bytes of the end were seen, and how
/// many are seen after them.
pub(super) fn head(mut seen: usize, bytes: &[u8]) -> (usize, usize) {
    for (at, byte) in bytes.iter().enumerate() {
        seen = if *byte == HEAD_END[seen] {
            seen + 1
        } else {
            usize::from(*byte == HEAD_END[0])
        };
        if seen == HEAD_END.len() {
            return (at + 1, seen);
        }
    }
    (bytes.len(), seen)
}

/// Kind and length, header included, of the frame that starts here.
pub(super) fn frame(bytes: &[u8]) -> io::Result<(Kind, usize)> {
    let cut = || {
        io::Error::new(
            io::ErrorKind::InvalidData,
            "a frame header was written in parts",
        )
    };
    let [first, second, ..] = *bytes else {
        return Err(cut());
    };
    let (header, payload) = match second & 0x7f {
        126 => {
            let length = bytes
                .get(2..4)
                .and_then(|b| b.try_into().ok())
                .ok_or_else(cut)?;
            (4, usize::from(u16::from_be_bytes(length)))
        }
        127 => {
            let length = bytes
                .get(2..10)
                .and_then(|b| b.try_into().ok())
                .ok_or_else(cut)?;
            (10, u64::from_be_bytes(length) as usize)
        }
        short => (2, usize::from(short)),
    };
    let payload_seen = bytes.get(header..header + payload).unwrap_or_default();
    let kind = if first & 0x0f == CLOSE {
        Kind::Close
    } else if let Some(count) = frames::count_of(payload_seen) {
        Kind::Count(count)
    } else if payload_seen.starts_with(ACK) {
        Kind::Ack
    } else if payload_seen == PROBE {
        Kind::Probe
    } else if payload_seen == PING || payload_seen.starts_with(CONNECT) {
        Kind::Prelude
    } else {
        Kind::Other
    };
    Ok((kind, header + payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(wire: &mut Wire, bytes: &[u8], sent: usize) -> Vec<Kind> {
        let mut kinds = Vec::new();
        wire.advance(bytes, sent, |kind| kinds.push(kind)).unwrap();
        kinds
    }

    #[test]
    fn the_head_of_the_response_may_come_in_any_pieces() {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n";
        for cut in 0..head.len() {
            let mut wire = Wire::Head(0);
            ended(&mut wire, head, cut);
            assert_ne!(wire, Wire::Boundary);
            ended(&mut wire, &head[cut..], head.len() - cut);
            assert_eq!(wire, Wire::Boundary);
        }
    }

    #[test]
    fn frames_end_when_their_last_byte_left() {
        let mut bytes = b"\x81\x0243\x88\x00".to_vec();
        frames::append(5, &mut bytes);
        bytes.extend([0x81, 126, 0, 200]);
        bytes.extend([b'x'; 200]);
        let kinds = [Kind::Ack, Kind::Close, Kind::Count(5), Kind::Other];
        assert_eq!(ended(&mut Wire::Boundary, &bytes, bytes.len()), kinds);

        for cut in 0..bytes.len() {
            let mut wire = Wire::Boundary;
            let mut seen = ended(&mut wire, &bytes, cut);
            seen.extend(ended(&mut wire, &bytes[cut..], bytes.len() - cut));
            assert_eq!(seen, kinds, "cut at {cut}");
        }
    }

    #[test]
    fn a_header_in_parts_is_an_error() {
        assert!(Wire::Boundary.advance(&[0x81], 1, |_| ()).is_err());
        assert!(Wire::Boundary.advance(&[0x81, 126, 0], 3, |_| ()).is_err());
    }
}
