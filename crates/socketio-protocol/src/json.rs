//! A scanner that checks JSON (RFC 8259) and finds where its values end, without allocation and without recursion.
//!
//! `serde_json` cannot do this job: skipping a nested value allocates, and its errors count lines and columns.

use crate::Error;

/// Levels of nesting that a value may have; a level is a bit of a `u128`.
const MAX_DEPTH: u32 = u128::BITS;

/// A place in a text. Offsets in errors are offsets in the whole text.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

/// What stands between the quotes of a JSON string.
pub(crate) struct Quoted<'a> {
    pub(crate) raw: &'a str,
    pub(crate) has_escapes: bool,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The text from `start` up to here. Both stand beside ASCII, hence on character boundaries.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    pub(crate) fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes `byte`, after any white space, if it is next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.byte() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(crate) fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Error> {
        if self.take(byte) {
            Ok(())
        } else {
            self.fail(expected)
        }
    }

    /// Nothing but white space may follow.
    pub(crate) fn end(&mut self) -> Result<(), Error> {
        self.skip_space();
        if self.at == self.text.len() {
            Ok(())
        } else {
            self.fail("end of packet")
        }
    }

    /// Takes one value, and gives its text without the white space around it.
    pub(crate) fn value(&mut self) -> Result<&'a str, Error> {
        self.skip_space();
        let start = self.at;
        // The containers that are open around the current value: bit 0 is the innermost, 1 means object.
        let (mut depth, mut objects) = (0_u32, 0_u128);
        loop {
            self.skip_space();
            let opened = match self.byte() {
                Some(b'{') => Some(true),
                Some(b'[') => Some(false),
                _ => None,
            };
            if let Some(object) = opened {
                if depth == MAX_DEPTH {
                    return Err(Error::TooDeep { offset: self.at });
                }
                self.at += 1;
                if !self.take(if object { b'}' } else { b']' }) {
                    (depth, objects) = (depth + 1, (objects << 1) | u128::from(object));
                    if object {
                        self.key()?;
                    }
                    continue;
                }
            } else {
                self.scalar()?;
            }
            // A value has ended: so may the containers around it.
            loop {
                if depth == 0 {
                    return Ok(self.since(start));
                }
                let object = objects & 1 == 1;
                if self.take(b',') {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                let (close, expected) = if object {
                    (b'}', "',' or '}'")
                } else {
                    (b']', "',' or ']'")
                };
                self.expect(close, expected)?;
                (depth, objects) = (depth - 1, objects >> 1);
            }
        }
    }

    /// Takes a string, after any white space.
    pub(crate) fn string(&mut self, expected: &'static str) -> Result<Quoted<'a>, Error> {
        self.expect(b'"', expected)?;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.at += 1;
                    self.escape()?;
                }
                Some(0x20..) => self.at += 1,
                Some(_) => return self.fail("escaped control character"),
                None => return self.fail("'\"'"),
            }
        }
        let raw = self.since(start);
        self.at += 1;
        Ok(Quoted { raw, has_escapes })
    }

    fn escape(&mut self) -> Result<(), Error> {
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.byte().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return self.fail("hexadecimal digit");
                    }
                    self.at += 1;
                }
            }
            _ => return self.fail("escape sequence"),
        }
        Ok(())
    }

    fn key(&mut self) -> Result<(), Error> {
        self.string("key of an object")?;
        self.expect(b':', "':'")
    }

    fn scalar(&mut self) -> Result<(), Error> {
        let rest = &self.text.as_bytes()[self.at..];
        match rest.first() {
            Some(b'"') => self.string("string").map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => match ["true", "false", "null"]
                .iter()
                .find(|word| rest.starts_with(word.as_bytes()))
            {
                Some(word) => {
                    self.at += word.len();
                    Ok(())
                }
                None => self.fail("JSON value"),
            },
        }
    }

    fn number(&mut self) -> Result<(), Error> {
        self.at += usize::from(self.byte() == Some(b'-'));
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Error> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            self.fail("digit")
        } else {
            Ok(())
        }
    }

    pub(crate) fn fail<T>(&self, expected: &'static str) -> Result<T, Error> {
        Err(Error::Expected {
            expected,
            offset: self.at,
        })
    }
}
