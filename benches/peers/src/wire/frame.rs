//! WebSocket frames (RFC 6455, section 5.2), read in place and built by appending.
//!
//! Whole messages only: no server and no client of this comparison splits a message into fragments.

use anyhow::{Result, ensure};

/// Opcode of a text frame.
pub const TEXT: u8 = 0x1;
/// Opcode of a close frame.
pub const CLOSE: u8 = 0x8;
/// Opcode of a ping frame of the WebSocket protocol itself.
pub const PING: u8 = 0x9;
/// Opcode of a pong frame of the WebSocket protocol itself.
pub const PONG: u8 = 0xA;

/// A frame longer than this is a broken stream, not a count.
const LONGEST: usize = 1 << 20;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
/// In place of a short length: two bytes of length follow.
const MEDIUM: u8 = 126;
/// In place of a short length: eight bytes of length follow.
const LONG: u8 = 127;

/// One frame at the beginning of a stretch of bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What the frame is: [`TEXT`], [`CLOSE`], [`PING`], [`PONG`] or something unexpected.
    pub opcode: u8,
    /// The masking key, when the frame came from a client.
    pub mask: Option<[u8; 4]>,
    /// The bytes as they came, still masked when there is a key.
    pub payload: &'a [u8],
    /// Bytes of header and payload together.
    pub size: usize,
}

impl Frame<'_> {
    /// The payload with the mask taken off.
    #[must_use]
    pub fn unmasked(&self) -> Vec<u8> {
        let mask = self.mask.unwrap_or_default();
        self.payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, key)| byte ^ key)
            .collect()
    }
}

/// The first frame of `bytes`, or nothing while it is incomplete.
#[inline]
pub fn first(bytes: &[u8]) -> Result<Option<Frame<'_>>> {
    let [start, second, ..] = *bytes else {
        return Ok(None);
    };
    let (length, header) = match second & !MASKED {
        MEDIUM => match bytes {
            [_, _, a, b, ..] => (usize::from(u16::from_be_bytes([*a, *b])), 4),
            _ => return Ok(None),
        },
        LONG => match bytes
            .get(2..10)
            .and_then(|field| <[u8; 8]>::try_from(field).ok())
        {
            Some(field) => (usize::try_from(u64::from_be_bytes(field))?, 10),
            None => return Ok(None),
        },
        short => (usize::from(short), 2),
    };
    ensure!(
        start & FINAL != 0,
        "a fragmented message came, which nothing here sends"
    );
    ensure!(
        length <= LONGEST,
        "a frame of {length} bytes came; the stream is out of step"
    );
    let (mask, header) = if second & MASKED == 0 {
        (None, header)
    } else {
        match bytes
            .get(header..header + 4)
            .and_then(|key| key.try_into().ok())
        {
            Some(key) => (Some(key), header + 4),
            None => return Ok(None),
        }
    };
    let size = header + length;
    let Some(payload) = bytes.get(header..size) else {
        return Ok(None);
    };
    Ok(Some(Frame {
        opcode: start & 0x0F,
        mask,
        payload,
        size,
    }))
}

/// Appends a frame as a server sends it, without a mask.
pub fn from_server(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    header(out, opcode, payload.len(), 0);
    out.extend_from_slice(payload);
}

/// Appends a frame as a client sends it. The key is zero: it is valid, and costs no pass over the payload.
pub fn from_client(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    header(out, opcode, payload.len(), MASKED);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

fn header(out: &mut Vec<u8>, opcode: u8, length: usize, masked: u8) {
    out.push(FINAL | opcode);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => out.push(masked | short),
        (_, Ok(medium)) => {
            out.push(masked | MEDIUM);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(masked | LONG);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_any_length_is_read_back_and_never_before_its_last_byte() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload: Vec<u8> = (0..length).map(|i| i as u8).collect();
            for build in [from_server, from_client] {
                let mut bytes = Vec::new();
                build(&mut bytes, TEXT, &payload);
                assert_eq!(
                    first(&bytes[..bytes.len() - 1]).unwrap(),
                    None,
                    "{length} bytes"
                );
                let frame = first(&bytes).unwrap().unwrap();
                assert_eq!((frame.opcode, frame.size), (TEXT, bytes.len()));
                assert_eq!(frame.unmasked(), payload);
            }
        }
    }

    #[test]
    fn the_mask_is_taken_off_byte_by_byte() {
        // The example of RFC 6455, section 5.7.
        let masked = [
            0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
        ];
        assert_eq!(first(&masked).unwrap().unwrap().unmasked(), b"Hello");
    }

    #[test]
    fn a_fragment_and_an_absurd_length_are_errors() {
        assert!(first(&[0x01, 0x00]).is_err());
        assert!(first(&[0x81, 127, 0xff, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }
}
