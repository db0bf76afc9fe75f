//! Socket.IO 5 packets: `<type>[<namespace>,][<acknowledgement id>][<JSON>]`.
//!
//! Reference: <https://socket.io/docs/v4/socket-io-protocol/>. What the protocol leaves open is read as the official
//! parser reads it, with one difference: an event's name must be a string.

use std::{borrow::Cow, fmt::Write as _};

use crate::{Args, Error, engine, json::Scanner};

/// One Socket.IO packet. A namespace begins with `/`; the main one is `/` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// To join a namespace, and the answer to it.
    Connect {
        /// The namespace to join, or that was joined.
        namespace: &'a str,
        /// JSON object: the client's credentials, or the server's `{"sid": …}`.
        payload: Option<&'a str>,
    },
    /// Leaves a namespace.
    Disconnect {
        /// The namespace that ends.
        namespace: &'a str,
    },
    /// An event with its arguments.
    Event(Event<'a>),
    /// The answer to an event that asked for one.
    Ack(Ack<'a>),
    /// The server refuses a namespace.
    ConnectError {
        /// The namespace that was asked for.
        namespace: &'a str,
        /// JSON object or string: why.
        payload: &'a str,
    },
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// Where it happens.
    pub namespace: &'a str,
    /// Set if the sender wants an acknowledgement with this id.
    pub id: Option<u64>,
    /// Its name; borrowed unless it has escape sequences.
    pub name: Cow<'a, str>,
    /// Its arguments.
    pub args: Args<'a>,
}

/// An acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack<'a> {
    /// Where the event happened.
    pub namespace: &'a str,
    /// The id that the event came with.
    pub id: u64,
    /// What the receiver of the event answers.
    pub args: Args<'a>,
}

impl<'a> Packet<'a> {
    /// Reads the data of one [`engine::Packet::Message`].
    pub fn decode(text: &'a str) -> Result<Self, Error> {
        let found = text.chars().next().ok_or(Error::Empty { offset: 0 })?;
        if !('0'..='6').contains(&found) {
            return Err(Error::UnknownType { found, offset: 0 });
        }
        if matches!(found, '5' | '6') {
            return Err(Error::Binary { offset: 0 });
        }
        let (namespace, at) = namespace(text, 1);
        match found {
            '0' => Ok(Self::Connect {
                namespace,
                payload: payload(text, at, "JSON object", b"{")?,
            }),
            '1' => {
                Scanner::new(text, at).end()?;
                Ok(Self::Disconnect { namespace })
            }
            '2' => event(text, namespace, at).map(Self::Event),
            '3' => ack(text, namespace, at).map(Self::Ack),
            _ => {
                let expected = "JSON object or string";
                let payload = payload(text, at, expected, b"{\"")?;
                let payload = payload.ok_or(Error::Expected {
                    expected,
                    offset: at,
                })?;
                Ok(Self::ConnectError { namespace, payload })
            }
        }
    }

    /// The namespace that the packet belongs to.
    #[must_use]
    pub fn namespace(&self) -> &'a str {
        match self {
            Self::Connect { namespace, .. }
            | Self::Disconnect { namespace }
            | Self::ConnectError { namespace, .. } => namespace,
            Self::Event(event) => event.namespace,
            Self::Ack(ack) => ack.namespace,
        }
    }

    /// Appends the packet to `out`.
    pub fn encode(&self, out: &mut String) {
        let (digit, id) = match self {
            Self::Connect { .. } => ('0', None),
            Self::Disconnect { .. } => ('1', None),
            Self::Event(event) => ('2', event.id),
            Self::Ack(ack) => ('3', Some(ack.id)),
            Self::ConnectError { .. } => ('4', None),
        };
        out.push(digit);
        if self.namespace() != "/" {
            out.push_str(self.namespace());
            out.push(',');
        }
        if let Some(id) = id {
            write!(out, "{id}").expect("a String takes whatever is written");
        }
        match self {
            Self::Connect { payload, .. } => out.push_str(payload.unwrap_or_default()),
            Self::Disconnect { .. } => {}
            Self::Event(event) => {
                out.push('[');
                write_string(&event.name, out);
                if !event.args.is_empty() {
                    out.push(',');
                }
                out.push_str(event.args.as_str());
                out.push(']');
            }
            Self::Ack(ack) => {
                out.push('[');
                out.push_str(ack.args.as_str());
                out.push(']');
            }
            Self::ConnectError { payload, .. } => out.push_str(payload),
        }
    }

    /// Appends the packet to `out` as a whole [`engine::Packet::Message`]: the text of one WebSocket frame.
    pub fn encode_message(&self, out: &mut String) {
        out.push(engine::MESSAGE);
        self.encode(out);
    }
}

/// The namespace that stands at `at`, and the offset after it. Its comma may be missing only at the end.
fn namespace(text: &str, at: usize) -> (&str, usize) {
    let rest = &text[at..];
    if !rest.starts_with('/') {
        return ("/", at);
    }
    match rest.find(',') {
        Some(comma) => (&rest[..comma], at + comma + 1),
        None => (rest, text.len()),
    }
}

/// The digits at `at`, and the offset after them.
fn ack_id(text: &str, at: usize) -> Result<(Option<u64>, usize), Error> {
    let rest = &text[at..];
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return Ok((None, at));
    }
    let id = rest[..digits]
        .parse()
        .map_err(|_| Error::AckIdTooLarge { offset: at })?;
    Ok((Some(id), at + digits))
}

/// The JSON that fills the rest from `at`, if there is any; it must begin with one of `first`.
fn payload<'a>(
    text: &'a str,
    at: usize,
    expected: &'static str,
    first: &[u8],
) -> Result<Option<&'a str>, Error> {
    let mut scanner = Scanner::new(text, at);
    scanner.skip_space();
    match scanner.byte() {
        None => return Ok(None),
        Some(byte) if first.contains(&byte) => {}
        Some(_) => return scanner.fail(expected),
    }
    let json = scanner.value()?;
    scanner.end()?;
    Ok(Some(json))
}

fn event<'a>(text: &'a str, namespace: &'a str, at: usize) -> Result<Event<'a>, Error> {
    let (id, at) = ack_id(text, at)?;
    let mut scanner = Scanner::new(text, at);
    scanner.expect(b'[', "'['")?;
    scanner.skip_space();
    let start = scanner.at();
    let quoted = scanner.string("event name in quotes")?;
    let name = if quoted.has_escapes {
        let name = serde_json::from_str(scanner.since(start));
        // What the scanner accepts and `String` cannot hold: half of a surrogate pair.
        Cow::Owned(name.map_err(|_| Error::Expected {
            expected: "event name of whole characters",
            offset: start,
        })?)
    } else {
        Cow::Borrowed(quoted.raw)
    };
    let args = if scanner.take(b',') {
        Args::scan(&mut scanner)?
    } else {
        scanner.expect(b']', "',' or ']'")?;
        Args::default()
    };
    scanner.end()?;
    Ok(Event {
        namespace,
        id,
        name,
        args,
    })
}

fn ack<'a>(text: &'a str, namespace: &'a str, at: usize) -> Result<Ack<'a>, Error> {
    let (id, after) = ack_id(text, at)?;
    let id = id.ok_or(Error::Expected {
        expected: "acknowledgement id",
        offset: at,
    })?;
    let mut scanner = Scanner::new(text, after);
    scanner.expect(b'[', "'['")?;
    let args = if scanner.take(b']') {
        Args::default()
    } else {
        Args::scan(&mut scanner)?
    };
    scanner.end()?;
    Ok(Ack {
        namespace,
        id,
        args,
    })
}

/// Appends `text` as a JSON string; the runs between characters that need an escape go in whole.
fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|character| matches!(character, '"' | '\\' | '\0'..='\x1f')) {
        let escaped = rest.as_bytes()[at];
        out.push_str(&rest[..at]);
        match escaped {
            b'"' | b'\\' => out.extend(['\\', escaped as char]),
            control => write!(out, "\\u{control:04x}").expect("a String takes whatever is written"),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}
