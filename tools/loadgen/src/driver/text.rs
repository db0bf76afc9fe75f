//! What loadgen looks for in the text of a packet, and what it says. The expected event is found by comparing bytes;
//! everything else takes the ordinary way through `socketio_protocol`.

use memchr::memmem;
use serde_json::Value;

use crate::plan::{Correlate, Plan};

/// Recognises the expected event and reads its number.
pub(crate) struct Expected {
    /// All of the packet up to its first argument.
    head: Vec<u8>,
    /// Stands before the number; empty: the number is the first argument.
    token: Vec<u8>,
}

/// Writes the emitted event.
pub(crate) struct Emission {
    namespace: String,
    ack: bool,
    event: String,
    payload: Option<String>,
    token: String,
}

/// Emits of other runs, and of other phases of this one, have other tokens.
pub(crate) fn token(seed: u64, phase: u64) -> String {
    format!("lg{seed:x}p{phase}n")
}

fn prefix(namespace: &str) -> String {
    if namespace == "/" {
        String::new()
    } else {
        format!("{namespace},")
    }
}

impl Expected {
    pub(crate) fn new(plan: &Plan, phase: u64) -> Self {
        let head = format!("42{}[{},", prefix(&plan.namespace), plan.expect).into_bytes();
        let token = match plan.correlate {
            Correlate::Payload => token(plan.seed, phase).into_bytes(),
            Correlate::Value | Correlate::Position => Vec::new(),
        };
        Self { head, token }
    }

    #[inline]
    pub(crate) fn number(&self, text: &[u8]) -> Option<u64> {
        let mut rest = text.strip_prefix(&self.head[..])?;
        if !self.token.is_empty() {
            rest = &rest[memmem::find(rest, &self.token)? + self.token.len()..];
        }
        leading_number(rest)
    }
}

/// The decimal number that `text` begins with.
#[inline]
pub(crate) fn leading_number(text: &[u8]) -> Option<u64> {
    let mut number = None;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = Some(
            number
                .unwrap_or(0_u64)
                .checked_mul(10)?
                .checked_add(u64::from(digit))?,
        );
    }
    number
}

impl Emission {
    pub(crate) fn new(plan: &Plan, phase: u64) -> Self {
        Self {
            namespace: prefix(&plan.namespace),
            ack: plan.ack,
            event: plan.emit.clone(),
            payload: plan.payload.clone(),
            token: token(plan.seed, phase),
        }
    }

    /// The text of the emit with this acknowledgement id and number.
    pub(crate) fn text(&self, id: u64, number: u64) -> String {
        let id = if self.ack {
            id.to_string()
        } else {
            String::new()
        };
        let argument = self.payload.as_ref().map_or(String::new(), |template| {
            format!(
                ",{}",
                fill(template, &format!("{}{number}", self.token), number)
            )
        });
        format!("42{}{id}[{}{argument}]", self.namespace, self.event)
    }
}

/// Puts `id` and `sequence` into a template, and as many characters as `{size:N}` says.
pub(crate) fn fill(template: &str, id: &str, sequence: u64) -> String {
    let mut text = template
        .replace("{id}", id)
        .replace("{seq}", &sequence.to_string());
    while let Some((start, end, size)) = placeholder(&text) {
        text.replace_range(start..end, &"x".repeat(size));
    }
    text
}

fn placeholder(text: &str) -> Option<(usize, usize, usize)> {
    let start = text.find("{size:")?;
    let end = start + text[start..].find('}')?;
    Some((start, end + 1, text[start + 6..end].parse().ok()?))
}

/// What an acknowledgement says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Number(u64),
    /// The server refused; the reason is counted by name.
    Error,
    Other,
}

impl Answer {
    pub(crate) fn of(argument: Option<&str>) -> Self {
        match argument.map(|text| (text.parse(), text)) {
            Some((Ok(number), _)) => Self::Number(number),
            Some((Err(_), text)) => match serde_json::from_str(text) {
                Ok(Value::Object(object)) if object.contains_key("error") => Self::Error,
                _ => Self::Other,
            },
            None => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    #[test]
    fn the_count_is_read_from_the_expected_event_and_no_other() {
        let expected = Expected::new(&plan(1, false, 1, 1), 1);
        assert_eq!(expected.number(br#"42["countUpdated",17]"#), Some(17));
        assert_eq!(expected.number(br#"42["countUpdated",0,"more"]"#), Some(0));
        for other in [
            r#"42["countUpdate",17]"#,
            r#"42/a,["countUpdated",17]"#,
            r#"42["countUpdated",null]"#,
            "2",
        ] {
            assert_eq!(expected.number(other.as_bytes()), None, "{other}");
        }
        assert_eq!(
            leading_number(b"99999999999999999999]"),
            None,
            "no wrapping"
        );
    }

    #[test]
    fn a_payload_is_recognised_by_its_id_wherever_it_stands() {
        let mut plan = plan(1, false, 1, 1);
        plan.correlate = Correlate::Payload;
        plan.namespace = "/chat".into();
        plan.payload = Some(r#"{"text":"{id}","n":{seq},"fill":"{size:5}"}"#.into());
        plan.ack = false;
        plan.emit = "\"say\"".into();
        plan.expect = plan.emit.clone();
        let text = Emission::new(&plan, 3).text(0, 12);
        assert_eq!(
            text,
            r#"42/chat,["say",{"text":"lg0p3n12","n":12,"fill":"xxxxx"}]"#
        );
        assert_eq!(Expected::new(&plan, 3).number(text.as_bytes()), Some(12));
        assert_eq!(
            Expected::new(&plan, 4).number(text.as_bytes()),
            None,
            "of another phase"
        );
    }

    #[test]
    fn an_answer_is_a_number_or_an_error() {
        assert_eq!(Answer::of(Some("17")), Answer::Number(17));
        assert_eq!(Answer::of(Some(r#"{"error":"no"}"#)), Answer::Error);
        assert_eq!(Answer::of(Some("null")), Answer::Other);
        assert_eq!(Answer::of(None), Answer::Other);
    }
}
