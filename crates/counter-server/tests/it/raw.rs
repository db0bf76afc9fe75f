//! A client without a library, so that a test decides when it reads and how it ends.

use std::ops::Range;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Longer than anything takes on a machine that compiles meanwhile.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

const PREFIX: &str = r#"42["countUpdated","#;

/// One WebSocket connection, joined to `/`.
pub(crate) struct Raw {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    unread: Vec<u8>,
}

impl Raw {
    /// Connects and enters the namespace.
    pub(crate) async fn connect(url: &str) -> Self {
        Self::connect_with_receive_buffer(url, None).await
    }

    /// With a receive buffer of so many bytes: whoever does not read is behind soon.
    pub(crate) async fn connect_with_receive_buffer(url: &str, bytes: Option<u32>) -> Self {
        let mut raw = Self::open(url, "EIO=4", bytes).await;
        raw.enter().await;
        raw
    }

    /// Opens a WebSocket with this query and enters nothing.
    pub(crate) async fn open(url: &str, query: &str, bytes: Option<u32>) -> Self {
        let address = url.strip_prefix("http://").unwrap().parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = bytes {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let stream = socket.connect(address).await.unwrap();
        let (reader, writer) = stream.into_split();
        let mut raw = Self {
            reader,
            writer,
            unread: Vec::new(),
        };
        let request = format!(
            "GET /socket.io/?{query}&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
            Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        raw.writer.write_all(request.as_bytes()).await.unwrap();
        let head = loop {
            if let Some(at) = raw.unread.windows(4).position(|end| end == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(
                fill(&mut raw.reader, &mut raw.unread).await,
                "the server closed during the handshake"
            );
        };
        assert!(raw.unread.starts_with(b"HTTP/1.1 101 "), "{:?}", raw.unread);
        raw.unread.drain(..head);
        raw
    }

    /// Enters the namespace, and waits for the answer.
    pub(crate) async fn enter(&mut self) {
        self.send("40").await;
        while !self
            .next()
            .await
            .expect("the connection holds")
            .starts_with("40{")
        {}
    }

    /// Sends one text frame.
    pub(crate) async fn send(&mut self, text: &str) {
        self.writer.write_all(&frame(text)).await.unwrap();
    }

    /// Emits so many increments in one write.
    pub(crate) async fn increment(&mut self, times: u64) {
        let bytes = frame(r#"42["increment"]"#).repeat(times as usize);
        self.writer.write_all(&bytes).await.unwrap();
    }

    /// Emits increments with these ids.
    pub(crate) async fn emit_with_ack(&mut self, ids: Range<u64>) {
        let frames: Vec<u8> = ids
            .flat_map(|id| frame(&format!(r#"42{id}["increment"]"#)))
            .collect();
        self.writer.write_all(&frames).await.unwrap();
    }

    /// Emits increments with these ids, and at the same time, as soon as `start` is done, reads their
    /// answers.
    pub(crate) async fn increment_and_read(
        &mut self,
        ids: Range<u64>,
        start: impl Future<Output = ()>,
    ) -> Vec<String> {
        let Self {
            reader,
            writer,
            unread,
        } = self;
        let emit = async {
            for id in ids.clone() {
                writer
                    .write_all(&frame(&format!(r#"42{id}["increment"]"#)))
                    .await
                    .unwrap();
            }
        };
        let read = async {
            start.await;
            let mut answers = Vec::new();
            while answers.len() < (ids.end - ids.start) as usize {
                let text = next(reader, unread).await.expect("the connection holds");
                if text.starts_with("43") {
                    answers.push(text);
                }
            }
            answers
        };
        tokio::join!(emit, read).1
    }

    /// The next text frame; `None` once the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<String> {
        next(&mut self.reader, &mut self.unread).await
    }

    /// The next count, whatever comes before it; answers heartbeats.
    pub(crate) async fn next_count(&mut self) -> Option<u64> {
        loop {
            let text = self.next().await?;
            if text == "2" {
                self.send("3").await;
            }
            if let Some(count) = count_of(&text) {
                return Some(count);
            }
        }
    }

    /// All counts up to and including this one.
    pub(crate) async fn counts_until(&mut self, last: u64) -> Vec<u64> {
        let mut counts = Vec::new();
        while counts.last() != Some(&last) {
            counts.push(self.next_count().await.expect("the connection holds"));
        }
        counts
    }

    /// Ends the connection without a word: the peer gets a reset.
    pub(crate) fn vanish(self) {
        SockRef::from(self.reader.as_ref())
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}

/// Asks for one page, with a body if there is one; the whole answer.
pub(crate) async fn ask(url: &str, method: &str, path: &str, body: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // Whoever is refused may be answered before it has asked.
    let _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

async fn fill(reader: &mut OwnedReadHalf, unread: &mut Vec<u8>) -> bool {
    let read = timeout(PATIENCE, reader.read_buf(unread)).await;
    read.expect("the server says something")
        .is_ok_and(|bytes| bytes > 0)
}

async fn next(reader: &mut OwnedReadHalf, unread: &mut Vec<u8>) -> Option<String> {
    loop {
        if let [first, length, ..] = **unread {
            assert!(length < 126, "longer frames are not expected here");
            let end = 2 + usize::from(length);
            if unread.len() >= end {
                let frame: Vec<u8> = unread.drain(..end).collect();
                let is_close = first == 0x88;
                return (!is_close).then(|| String::from_utf8(frame[2..].to_vec()).unwrap());
            }
        }
        if !fill(reader, unread).await {
            return None;
        }
    }
}

/// The count of a `countUpdated` packet.
pub(crate) fn count_of(packet: &str) -> Option<u64> {
    let digits = packet.strip_prefix(PREFIX)?.strip_suffix(']')?;
    Some(digits.parse().unwrap())
}

/// A masked text frame; the mask is zero, so the text stays readable.
fn frame(text: &str) -> Vec<u8> {
    assert!(text.len() < 126);
    let mut bytes = vec![0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
    bytes.extend_from_slice(text.as_bytes());
    bytes
}
