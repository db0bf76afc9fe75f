//! The one hot message: `countUpdated N` as a whole WebSocket frame, and runs of such frames.
//!
//! Counts are consecutive integers, so whoever knows the last count sent and the newest can build
//! every frame between them. Frame: RFC 6455 section 5.2, unmasked, final, text. Payload: Engine.IO
//! message `4`, Socket.IO event `2`.

/// What every payload starts with, up to the count.
pub(crate) const PREFIX: &[u8] = br#"42["countUpdated","#;

/// A run is at most this long, so that a huge backlog is cut into passes: large enough that the
/// cost of a system call vanishes in the copy, small enough to stay in the processor's cache.
pub(crate) const MAX_RUN: usize = 64 * 1024;

const FINAL_TEXT: u8 = 0x81;
const HEADER: usize = 2;

/// Length of the frame of a count, in bytes. At most 41, so its header is always two bytes.
fn length(count: u64) -> usize {
    let digits = count.checked_ilog10().unwrap_or(0) as usize + 1;
    HEADER + PREFIX.len() + digits + 1
}

/// Appends the frame of a count.
pub(crate) fn append(count: u64, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(count);
    out.push(FINAL_TEXT);
    out.push((PREFIX.len() + digits.len() + 1) as u8);
    out.extend_from_slice(PREFIX);
    out.extend_from_slice(digits.as_bytes());
    out.push(b']');
}

/// The count of a payload, if it is a `countUpdated` that this server sends.
pub(crate) fn count_of(payload: &[u8]) -> Option<u64> {
    let digits = payload.strip_prefix(PREFIX)?.strip_suffix(b"]")?;
    str::from_utf8(digits).ok()?.parse().ok()
}

/// The last count in the answer to a poll, which holds whole packets.
pub(crate) fn last_count_in(answer: &[u8]) -> Option<u64> {
    let start = answer
        .windows(PREFIX.len())
        .rposition(|window| window == PREFIX)?;
    let event = &answer[start..];
    let end = event.iter().position(|byte| *byte == b']')?;
    count_of(&event[..=end])
}

/// The frames of consecutive counts, back to back.
#[derive(Debug, Default)]
pub(crate) struct Run {
    bytes: Vec<u8>,
    first: u64,
    until: u64,
}

impl Run {
    /// Builds the frames that lead from `last` towards `newest`, as many as fit. Whoever is more
    /// than `max_behind` counts behind gets the newest alone.
    pub(crate) fn build(&mut self, last: u64, newest: u64, max_behind: u64) {
        debug_assert!(last < newest, "nothing is missing");
        self.first = if newest - last > max_behind {
            newest
        } else {
            last + 1
        };
        self.bytes.clear();
        self.until = self.first;
        append(self.first, &mut self.bytes);
        while self.until < newest && self.bytes.len() + length(self.until + 1) <= MAX_RUN {
            self.until += 1;
            append(self.until, &mut self.bytes);
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The first count of the run.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// The last count of the run.
    pub(crate) fn until(&self) -> u64 {
        self.until
    }

    /// Length of the frames up to and including this count.
    pub(crate) fn bytes_until(&self, last: u64) -> usize {
        if last == self.until {
            return self.bytes.len();
        }
        (self.first..=last).map(length).sum()
    }

    /// Of a write that took `sent` bytes, at least one and not all: the last count of which
    /// anything left, and what did not leave of its frame.
    pub(crate) fn cut(&self, sent: usize) -> (u64, &[u8]) {
        let mut end = 0;
        let mut count = self.first;
        loop {
            end += length(count);
            if end >= sent {
                return (count, &self.bytes[sent..end]);
            }
            count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(last: u64, newest: u64, max_behind: u64) -> Run {
        let mut run = Run::default();
        run.build(last, newest, max_behind);
        run
    }

    #[test]
    fn a_frame_is_one_final_unmasked_text_frame() {
        let mut frame = Vec::new();
        append(1234, &mut frame);
        assert_eq!(frame, b"\x81\x1742[\"countUpdated\",1234]");
        assert_eq!(count_of(&frame[2..]), Some(1234));
    }

    #[test]
    fn lengths_are_those_of_the_frames() {
        for count in [0, 9, 10, 99, 100, u64::from(u32::MAX), u64::MAX] {
            let mut frame = Vec::new();
            append(count, &mut frame);
            assert_eq!(frame.len(), length(count), "{count}");
            assert!(frame.len() <= 41);
        }
    }

    #[test]
    fn only_our_own_event_is_a_count() {
        for other in [
            &b"42[\"countUpdated\",]"[..],
            b"42[\"countUpdated\",1,2]",
            b"43[1]",
            b"2",
        ] {
            assert_eq!(count_of(other), None);
        }
    }

    #[test]
    fn the_answer_to_a_poll_may_hold_several_packets() {
        let answer = b"40{\"sid\":\"x\"}\x1e42[\"countUpdated\",7]\x1e42[\"countUpdated\",9]\x1e2";
        assert_eq!(last_count_in(answer), Some(9));
        assert_eq!(last_count_in(b"22:42[\"countUpdated\",12]"), Some(12));
        assert_eq!(last_count_in(b"6"), None);
    }

    #[test]
    fn a_run_skips_nothing_and_is_bounded() {
        let first = run(7, 1_000_000, 1_000_000);
        assert_eq!(first.first(), 8);
        assert!(first.bytes().len() <= MAX_RUN && first.until() > 2_000);
        assert_eq!(
            run(first.until(), 1_000_000, 1_000_000).first(),
            first.until() + 1
        );
    }

    #[test]
    fn whoever_is_too_far_behind_gets_the_newest() {
        assert_eq!(run(0, 10, 10).first(), 1);
        let jump = run(0, 11, 10);
        assert_eq!((jump.first(), jump.until()), (11, 11));
    }

    #[test]
    fn a_cut_names_the_frame_that_it_falls_into() {
        let run = run(97, 120, 1_000);
        let mut ends = Vec::new();
        let mut whole = Vec::new();
        for count in 98..=120 {
            append(count, &mut whole);
            ends.push((whole.len(), count));
        }
        for sent in 1..whole.len() {
            let (end, count) = ends.iter().copied().find(|(end, _)| *end >= sent).unwrap();
            assert_eq!(run.cut(sent), (count, &whole[sent..end]));
        }
    }
}
