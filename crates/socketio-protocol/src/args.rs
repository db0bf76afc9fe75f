//! The arguments of an event or an acknowledgement, kept as the JSON text that goes over the wire.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::{Error, json::Scanner};

/// Arguments as they came: JSON values separated by commas, checked, each cut out only when asked for.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Args<'a> {
    /// What stands between the brackets of the array: checked by every constructor, so that cutting cannot fail.
    list: &'a str,
}

impl<'a> Args<'a> {
    /// Takes the text of a JSON array.
    pub fn parse(array: &'a str) -> Result<Self, Error> {
        let mut scanner = Scanner::new(array, 0);
        scanner.expect(b'[', "'['")?;
        let args = if scanner.take(b']') {
            Self::default()
        } else {
            Self::scan(&mut scanner)?
        };
        scanner.end()?;
        Ok(args)
    }

    /// Takes one value or more, and the `]` after them.
    pub(crate) fn scan(scanner: &mut Scanner<'a>) -> Result<Self, Error> {
        scanner.skip_space();
        let start = scanner.at();
        loop {
            scanner.value()?;
            let list = scanner.since(start);
            if !scanner.take(b',') {
                scanner.expect(b']', "',' or ']'")?;
                return Ok(Self { list });
            }
        }
    }

    /// The JSON text of the argument at `index`, counted from 0 (an event's name is not one of them).
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a str> {
        self.iter().nth(index)
    }

    /// The JSON text of each argument.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut scanner = Scanner::new(self.list, 0);
        std::iter::from_fn(move || {
            let value = scanner.value().ok()?;
            scanner.take(b',');
            Some(value)
        })
    }

    /// Whether there is no argument.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All arguments, deserialized. Fails on what is JSON but no [`Value`], as a number beyond `f64`.
    pub fn values(&self) -> Result<Vec<Value>, serde_json::Error> {
        self.iter().map(serde_json::from_str).collect()
    }

    /// The arguments as they go over the wire, without the brackets.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.list
    }
}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.list)
    }
}

/// Arguments to send, serialized one after the other; [`Args`] is its borrowed form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArgsBuf {
    list: String,
}

impl ArgsBuf {
    /// Serializes each of `values` as one argument.
    pub fn new<T: Serialize>(values: &[T]) -> Result<Self, serde_json::Error> {
        let mut args = Self::default();
        for value in values {
            args.push(value)?;
        }
        Ok(args)
    }

    /// Appends one argument. On an error nothing is appended.
    pub fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), serde_json::Error> {
        let json = serde_json::to_string(value)?;
        if !self.list.is_empty() {
            self.list.push(',');
        }
        self.list.push_str(&json);
        Ok(())
    }

    /// The arguments, ready to stand in a packet.
    #[must_use]
    pub fn as_args(&self) -> Args<'_> {
        Args { list: &self.list }
    }
}
