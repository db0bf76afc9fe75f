//! One session in its polling stage, and its way out of it (Engine.IO protocol 4, "HTTP long-polling" and "Upgrade").

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::Upgrade;
use crate::client::tally::{Jumps, Tally};
use crate::client::target::Target;
use crate::wire::frame;
use crate::wire::packet::{self, Packet};
use crate::wire::upgrade;

/// Separates packets in the body of a poll (Engine.IO protocol 4, "Payload").
const SEPARATOR: u8 = 0x1e;

/// A session in its polling stage. Polls and posts share one kept connection, one after the other.
pub(super) struct Poller {
    target: Target,
    deadline: Instant,
    http: BufReader<TcpStream>,
    sid: String,
    /// What came by polling.
    pub(super) tally: Tally,
    /// Answers that held counts.
    pub(super) polls: u64,
}

impl Poller {
    /// Opens a session and joins `/`.
    pub(super) fn open(target: Target, deadline: Instant) -> Result<Self> {
        let tally = Tally::with_jumps(Jumps::Allowed);
        let http = BufReader::new(connect(target, deadline)?);
        let mut poller = Self {
            target,
            deadline,
            http,
            sid: String::new(),
            tally,
            polls: 0,
        };
        poller.ask()?;
        let body = poller.answer()?;
        let Packet::Open(handshake) = packet::read(&body) else {
            bail!("the first poll brought no handshake")
        };
        let handshake: Value =
            serde_json::from_slice(handshake).context("the handshake is no JSON")?;
        handshake["sid"]
            .as_str()
            .context("the handshake has no session id")?
            .clone_into(&mut poller.sid);
        poller.post(packet::CONNECT)?;
        Ok(poller)
    }

    fn request(&mut self, method: &str, body: &[u8]) -> Result<()> {
        let sid = if self.sid.is_empty() {
            String::new()
        } else {
            format!("&sid={}", self.sid)
        };
        let mut request = format!(
            "{method} /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/plain;charset=UTF-8\r\n\
             Content-Length: {}\r\n\r\n",
            self.target.host(),
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.http
            .get_mut()
            .write_all(&request)
            .context("cannot send a poll")
    }

    /// Sends a poll, whose answer comes when the server has something to say.
    pub(super) fn ask(&mut self) -> Result<()> {
        self.request("GET", &[])
    }

    fn post(&mut self, body: &[u8]) -> Result<()> {
        self.request("POST", body)?;
        let answer = self.answer()?;
        ensure!(
            answer == b"ok",
            "a post was answered with {:?}",
            String::from_utf8_lossy(&answer)
        );
        Ok(())
    }

    /// Reads one HTTP answer.
    fn answer(&mut self) -> Result<Vec<u8>> {
        self.http
            .get_ref()
            .set_read_timeout(Some(remaining(self.deadline)?))?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            ensure!(
                self.http
                    .read_line(&mut head)
                    .context("no answer to a poll")?
                    > 0,
                "the server closed a poll"
            );
        }
        let length =
            upgrade::header(&head, "content-length").context("an answer without Content-Length")?;
        let mut body = vec![0; length.parse().context("Content-Length is no number")?];
        self.http
            .read_exact(&mut body)
            .context("half an answer to a poll")?;
        let status = head.lines().next().unwrap_or_default();
        ensure!(
            status.contains(" 200 "),
            "a poll was answered with {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(body)
    }

    /// Reads the answer to the poll that was asked, and takes its packets in.
    pub(super) fn poll(&mut self) -> Result<()> {
        let body = self.answer()?;
        let (mut counted, mut pinged) = (false, false);
        for text in body.split(|byte| *byte == SEPARATOR) {
            match packet::read(text) {
                Packet::Count(count) => {
                    self.tally.receive(count);
                    counted = true;
                }
                Packet::Ping => pinged = true,
                Packet::Closed | Packet::Refused(_) => bail!(
                    "the server ended the session: {}",
                    String::from_utf8_lossy(text)
                ),
                Packet::Open(_) | Packet::Connected | Packet::Other => {}
            }
        }
        self.polls += u64::from(counted);
        if pinged {
            self.post(packet::PONG)
        } else {
            Ok(())
        }
    }

    /// Opens the WebSocket while a poll is under way, as the official client does, and leaves polling when it works.
    pub(super) fn upgrade(mut self) -> Result<Upgrade> {
        let mut stream = connect(self.target, self.deadline)?;
        stream.write_all(upgrade::request(&self.target.host(), Some(&self.sid)).as_bytes())?;
        let mut unread = Vec::new();
        let head = read_until(&mut stream, &mut unread, |bytes| {
            Ok(upgrade::head_length(bytes))
        })?;
        upgrade::check(&head)?;
        self.ask()?;
        send_text(&mut stream, b"2probe")?;
        let probe = read_until(&mut stream, &mut unread, |bytes| {
            Ok(frame::first(bytes)?.map(|frame| frame.size))
        })?;
        ensure!(
            probe.ends_with(b"3probe"),
            "the probe was answered with {:?}",
            String::from_utf8_lossy(&probe)
        );
        self.poll()?;
        send_text(&mut stream, b"5")?;
        self.tally.jumps = Jumps::LoseAfterNext;
        stream.set_nonblocking(true)?;
        Ok(Upgrade {
            stream,
            unread,
            tally: self.tally,
            polls: self.polls,
        })
    }
}

fn connect(target: Target, deadline: Instant) -> Result<TcpStream> {
    let stream = TcpStream::connect(target.address())
        .with_context(|| format!("cannot connect to {target}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(remaining(deadline)?))?;
    Ok(stream)
}

fn remaining(deadline: Instant) -> Result<Duration> {
    deadline
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
        .context("not upgraded before the load ended")
}

fn send_text(stream: &mut TcpStream, text: &[u8]) -> Result<()> {
    let mut bytes = Vec::new();
    frame::from_client(&mut bytes, frame::TEXT, text);
    stream
        .write_all(&bytes)
        .context("cannot send on the WebSocket")
}

/// Reads until `complete` finds a whole unit, answers it, and leaves what came after it in `unread`.
fn read_until(
    stream: &mut TcpStream,
    unread: &mut Vec<u8>,
    complete: impl Fn(&[u8]) -> Result<Option<usize>>,
) -> Result<Vec<u8>> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(length) = complete(unread)? {
            return Ok(unread.drain(..length).collect());
        }
        let came = stream
            .read(&mut buffer)
            .context("no answer on the WebSocket")?;
        ensure!(
            came > 0,
            "the server closed the WebSocket before the upgrade"
        );
        unread.extend_from_slice(&buffer[..came]);
    }
}
