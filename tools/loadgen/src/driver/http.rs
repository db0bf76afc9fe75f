//! Answers of HTTP/1.1 (RFC 9112), as far as handshakes and long-polling need them.

/// An answer that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    head: &'a str,
    /// Bytes that belong to it.
    pub(crate) length: usize,
}

/// Longer heads than any server sends.
const LONGEST_HEAD: usize = 64 << 10;

impl<'a> Answer<'a> {
    /// The answer that `bytes` begin with, or `None` as long as it is not whole.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Option<Self>, String> {
        let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
            let known = bytes.len() < 5 || bytes.starts_with(b"HTTP/");
            return if known && bytes.len() < LONGEST_HEAD {
                Ok(None)
            } else {
                Err("no HTTP answer".into())
            };
        };
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "the HTTP answer is no text")?;
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let status =
            status.ok_or_else(|| format!("no HTTP answer: {}", excerpt(head.as_bytes())))?;
        let mut answer = Self {
            status,
            body: Vec::new(),
            head,
            length: end + 4,
        };
        if status == 101 {
            return Ok(Some(answer));
        }
        let rest = &bytes[end + 4..];
        if answer
            .header("transfer-encoding")
            .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
        {
            let Some((body, length)) = chunks(rest)? else {
                return Ok(None);
            };
            answer.body = body;
            answer.length += length;
        } else {
            let length = answer
                .header("content-length")
                .and_then(|length| length.parse().ok())
                .unwrap_or(0);
            let Some(body) = rest.get(..length) else {
                return Ok(None);
            };
            answer.body = body.to_vec();
            answer.length += length;
        }
        Ok(Some(answer))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        let line = self
            .head
            .split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        line.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next()
    }

    /// For an error message.
    pub(crate) fn describe(&self) -> String {
        if self.body.is_empty() {
            return format!("HTTP status {}", self.status);
        }
        format!("HTTP status {}: {}", self.status, excerpt(&self.body))
    }
}

/// The body in chunks and its length on the wire.
fn chunks(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = memchr::memmem::find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let size = std::str::from_utf8(&bytes[at..at + line]).ok();
        let size =
            size.and_then(|size| usize::from_str_radix(size.split(';').next()?.trim(), 16).ok());
        let size = size
            .filter(|size| *size < LONGEST_HEAD * 256)
            .ok_or("a chunk of the HTTP answer has no size")?;
        at += line + 2;
        let Some(chunk) = bytes.get(at..at + size + 2) else {
            return Ok(None);
        };
        body.extend_from_slice(&chunk[..size]);
        at += size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

fn excerpt(bytes: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(bytes).chars().take(160).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Option<(u16, String)> {
        let answer = Answer::parse(text.as_bytes()).unwrap()?;
        Some((answer.status, String::from_utf8(answer.body).unwrap()))
    }

    #[test]
    fn a_body_has_a_length_or_comes_in_chunks() {
        assert_eq!(
            body("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP"),
            Some((200, "ok".into()))
        );
        let chunked =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n0{\r\n1\r\n}\r\n0\r\n\r\n";
        assert_eq!(body(chunked), Some((200, "0{}".into())));
        for cut in 0..chunked.len() {
            assert_eq!(body(&chunked[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn an_error_says_the_status_and_the_body() {
        let text = "HTTP/1.1 400 Bad Request\r\nContent-Length: 31\r\n\r\n{\"code\":0,\"message\":\"unknown\"}\n";
        let answer = Answer::parse(text.as_bytes()).unwrap().unwrap();
        assert_eq!(
            answer.describe(),
            r#"HTTP status 400: {"code":0,"message":"unknown"}"#
        );
        assert!(Answer::parse(b"SSH-2.0-OpenSSH_9.6\r\n").is_err());
    }
}
