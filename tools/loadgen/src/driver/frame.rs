//! WebSocket frames (RFC 6455, section 5): reading those of a server in place, and writing those of a client.
//!
//! Ours are masked with the key zero: the standard asks for a mask to confuse caches between browsers and servers, not
//! for secrecy, and so the payload stays legible in a capture and costs nothing.

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// One frame of a server: where its payload lies, and where the next frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) last: bool,
    pub(crate) payload: (usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    Masked,
    Compressed,
    TooLong,
}

impl Broken {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Masked => "the server masks its frames (not WebSocket)",
            Self::Compressed => "the server sets bits that nobody agreed on (compression?)",
            Self::TooLong => "the server sent a frame of more than 16 MiB",
        }
    }
}

const LONGEST: usize = 16 << 20;

impl Frame {
    /// The frame that begins at `at`, or `None` as long as it is not whole.
    #[inline]
    pub(crate) fn parse(bytes: &[u8], at: usize) -> Result<Option<Self>, Broken> {
        let Some(&[first, second]) = bytes.get(at..at + 2) else {
            return Ok(None);
        };
        if second & 0x80 != 0 {
            return Err(Broken::Masked);
        }
        if first & 0x70 != 0 {
            return Err(Broken::Compressed);
        }
        let wide = |from: usize, width: usize| {
            let bytes = bytes.get(from..from + width)?;
            Some(
                bytes
                    .iter()
                    .fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte)),
            )
        };
        let (length, begin) = match second {
            126 => (wide(at + 2, 2), at + 4),
            127 => (wide(at + 2, 8), at + 10),
            short => (Some(u64::from(short)), at + 2),
        };
        let Some(length) = length else {
            return Ok(None);
        };
        if length > LONGEST as u64 {
            return Err(Broken::TooLong);
        }
        let end = begin + length as usize;
        let frame = Self {
            opcode: first & 0x0f,
            last: first & 0x80 != 0,
            payload: (begin, end),
        };
        Ok((end <= bytes.len()).then_some(frame))
    }
}

/// Appends one whole frame of a client.
pub(crate) fn write(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        short @ 0..126 => out.push(0x80 | short as u8),
        medium @ 126..=0xffff => {
            out.push(0x80 | 0x7e);
            out.extend_from_slice(&(medium as u16).to_be_bytes());
        }
        long => {
            out.push(0x80 | 0x7f);
            out.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a server would send of what a client wrote: the same without the mask.
    fn unmasked(client: &[u8], header: usize) -> Vec<u8> {
        let mut bytes = client.to_vec();
        bytes[1] &= 0x7f;
        bytes.drain(header..header + 4);
        bytes
    }

    proptest! {
        // Long payloads take long to make up.
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_frame_is_whole_only_with_its_last_byte(payload in prop::collection::vec(any::<u8>(), 0..70_000)) {
            let mut client = Vec::new();
            write(&mut client, TEXT, &payload);
            let header = client.len() - payload.len() - 4;
            let mut bytes = vec![0xff; 3];
            bytes.extend(unmasked(&client, header));
            let frame = Frame::parse(&bytes, 3).unwrap().unwrap();
            prop_assert_eq!(&bytes[frame.payload.0..frame.payload.1], &payload[..]);
            prop_assert_eq!((frame.opcode, frame.last, frame.payload.1), (TEXT, true, bytes.len()));
            for cut in [4, 3 + header, bytes.len() - 1] {
                prop_assert_eq!(Frame::parse(&bytes[..cut.min(bytes.len() - 1)], 3).unwrap(), None);
            }
        }
    }

    #[test]
    fn what_no_server_may_send_is_refused() {
        assert_eq!(
            Frame::parse(&[0x81, 0x81, 0, 0, 0, 0, b'x'], 0),
            Err(Broken::Masked)
        );
        assert_eq!(Frame::parse(&[0xc1, 1, b'x'], 0), Err(Broken::Compressed));
        assert_eq!(
            Frame::parse(&[0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0], 0),
            Err(Broken::TooLong)
        );
    }
}
