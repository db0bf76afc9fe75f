//! What can be wrong with a packet, and at which byte of the text that was given to decode.

/// Why a text is no packet. Every variant has the byte offset, counted from the start of the text given to decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text ends where the packet type should stand.
    #[error("empty packet")]
    Empty {
        /// Byte offset of the end of the text.
        offset: usize,
    },
    /// The packet type is none that the protocol knows.
    #[error("unknown packet type {found:?} at byte {offset}")]
    UnknownType {
        /// The character in the place of the type.
        found: char,
        /// Byte offset of that character.
        offset: usize,
    },
    /// A packet with binary attachments, which this crate does not decode.
    #[error("packet with binary attachments at byte {offset}, which is not supported")]
    Binary {
        /// Byte offset of the packet type.
        offset: usize,
    },
    /// The acknowledgement id does not fit into 64 bits.
    #[error("acknowledgement id at byte {offset} is too large")]
    AckIdTooLarge {
        /// Byte offset of the first digit.
        offset: usize,
    },
    /// The packet has something else where the protocol wants `expected`.
    #[error("{expected} expected at byte {offset}")]
    Expected {
        /// What should stand there, in words.
        expected: &'static str,
        /// Byte offset of what stands there instead.
        offset: usize,
    },
    /// JSON nested deeper than 128 levels.
    #[error("JSON nested too deeply at byte {offset}")]
    TooDeep {
        /// Byte offset of the bracket that goes too deep.
        offset: usize,
    },
    /// The JSON is well formed, but not what the packet must hold.
    #[error("{reason} at byte {offset}")]
    Content {
        /// What is wrong, in words.
        reason: String,
        /// Byte offset of the place.
        offset: usize,
    },
}

impl Error {
    /// The byte offset of the fault, counted from the start of the text given to decode.
    #[must_use]
    pub fn offset(&self) -> usize {
        match self {
            Self::Empty { offset }
            | Self::UnknownType { offset, .. }
            | Self::Binary { offset }
            | Self::AckIdTooLarge { offset }
            | Self::Expected { offset, .. }
            | Self::TooDeep { offset }
            | Self::Content { offset, .. } => *offset,
        }
    }
}
