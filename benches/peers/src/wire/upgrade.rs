//! The HTTP request that turns a connection into a WebSocket, and its answer (RFC 6455, section 4).

use anyhow::{Result, ensure};
use data_encoding::BASE64;
use sha1::{Digest, Sha1};

/// Asks for a WebSocket session; `sid` continues a session that began with polling.
#[must_use]
pub fn request(host: &str, sid: Option<&str>) -> String {
    let sid = sid.map_or(String::new(), |sid| format!("&sid={sid}"));
    format!(
        "GET /socket.io/?EIO=4&transport=websocket{sid} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
}

/// The answer that accepts a request with this `Sec-WebSocket-Key`.
#[must_use]
pub fn accept(key: &str) -> String {
    let digest = Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
    let accept = BASE64.encode(&digest);
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// Bytes of an HTTP head with its blank line, or nothing while it is incomplete.
#[must_use]
pub fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// The value of a header, whatever the case of its name.
#[must_use]
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(key, value)| key.trim().eq_ignore_ascii_case(name).then(|| value.trim()))
}

/// Fails with the status line unless the server switched protocols.
pub fn check(head: &[u8]) -> Result<()> {
    let status = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    ensure!(
        status.starts_with(b"HTTP/1.1 101"),
        "the server answered the upgrade with: {}",
        String::from_utf8_lossy(status)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_header_is_the_one_of_the_rfc() {
        // RFC 6455, section 1.3.
        assert_eq!(
            header(&accept("dGhlIHNhbXBsZSBub25jZQ=="), "sec-websocket-accept"),
            Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        );
    }

    #[test]
    fn another_status_is_an_error_that_shows_it() {
        let error = check(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap_err();
        assert!(error.to_string().contains("400 Bad Request"), "{error}");
        check(accept("x").as_bytes()).unwrap();
    }
}
