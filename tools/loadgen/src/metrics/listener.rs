//! As much of an HTTP server (RFC 9112) as a scraper needs: one request per connection, one connection at a time.

use std::{
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use super::Shared;

/// A client that is slower than this is no scraper.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a request.
const LONGEST: usize = 8 << 10;

pub(super) fn serve(listener: &TcpListener, shared: &Shared) {
    for stream in listener.incoming() {
        // A scraper that went away asks again.
        let _ = stream.and_then(|stream| answer(stream, shared));
    }
}

fn answer(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        let length = stream.read(&mut bytes)?;
        if length == 0 || request.len() > LONGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        request.extend_from_slice(&bytes[..length]);
    }
    let request = String::from_utf8_lossy(&request);
    let path = match request.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["GET", path] => path.split('?').next(),
        _ => None,
    };
    if path != Some("/metrics") {
        return write(
            &mut stream,
            "404 Not Found",
            "loadgen's metrics are at /metrics\n",
        );
    }
    match shared.scrape() {
        Ok(page) => {
            write(&mut stream, "200 OK", &page.text)?;
            shared.was_delivered(&page);
            Ok(())
        }
        Err(error) => write(
            &mut stream,
            "500 Internal Server Error",
            &format!("{error:#}\n"),
        ),
    }
}

fn write(stream: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    let (kind, length) = (prometheus::TEXT_FORMAT, body.len());
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())
}
