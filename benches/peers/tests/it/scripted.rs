//! A counter whose faults are planted: a script says what each client gets for each count.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use peers::wire::{frame, packet, upgrade};

/// What a script can have a client get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// These counts, in this order.
    Send(Vec<u64>),
    /// The end of the connection.
    Cut,
}

/// For the n-th client that joined and a new count: what it gets.
pub(crate) type Script = fn(client: usize, count: u64) -> Act;

/// How the server greets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greeting {
    /// A ping before everything else, and every frame in pieces of three bytes.
    PingFirstInPieces,
    /// As servers usually do, but without any count.
    NoCount,
    /// HTTP 400 instead of an upgrade.
    BadRequest,
    /// The namespace is refused.
    Refused,
}

struct State {
    script: Script,
    greeting: Greeting,
    count: u64,
    joined: Vec<TcpStream>,
}

/// The server, which ends with this value.
pub(crate) struct Scripted {
    address: SocketAddr,
    ends: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

impl Scripted {
    pub(crate) fn start(greeting: Greeting, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let ends = Arc::new(AtomicBool::new(false));
        let state = Arc::new(Mutex::new(State {
            script,
            greeting,
            count: 0,
            joined: Vec::new(),
        }));
        let stop = Arc::clone(&ends);
        let accepting = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&state);
                // Ends when the client leaves.
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self {
            address,
            ends,
            accepting: Some(accepting),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Serves one client until it leaves, answers wrongly, or is cut.
fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let greeting = state.lock().unwrap().greeting;
    let mut bytes = Vec::new();
    let head = loop {
        read_more(&mut stream, &mut bytes)?;
        if let Some(head) = upgrade::head_length(&bytes) {
            break head;
        }
    };
    bytes.drain(..head);
    if greeting == Greeting::BadRequest {
        return stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .ok();
    }
    stream.write_all(upgrade::accept("").as_bytes()).ok()?;
    if greeting == Greeting::PingFirstInPieces {
        send(&mut stream, packet::PING)?;
    }
    send(&mut stream, br#"0{"sid":"x"}"#)?;
    loop {
        while let Some((text, size)) = frame::first(&bytes)
            .unwrap()
            .map(|frame| (frame.unmasked(), frame.size))
        {
            bytes.drain(..size);
            state.lock().unwrap().obey(&text, &mut stream)?;
        }
        read_more(&mut stream, &mut bytes)?;
    }
}

impl State {
    fn obey(&mut self, text: &[u8], stream: &mut TcpStream) -> Option<()> {
        match text {
            packet::CONNECT if self.greeting == Greeting::Refused => {
                send(stream, br#"44{"message":"not today"}"#)?;
            }
            packet::CONNECT => {
                send(stream, br#"40{"sid":"y"}"#)?;
                if self.greeting != Greeting::NoCount {
                    send_count(stream, self.count)?;
                    self.joined.push(stream.try_clone().ok()?);
                }
            }
            packet::INCREMENT => {
                self.count += 1;
                for (client, stream) in self.joined.iter_mut().enumerate() {
                    match (self.script)(client, self.count) {
                        // A client that was cut is gone: writing to it may fail.
                        Act::Send(counts) => counts
                            .into_iter()
                            .filter_map(|count| send_count(stream, count))
                            .for_each(drop),
                        Act::Cut => drop(stream.shutdown(Shutdown::Both)),
                    }
                }
            }
            _ => {}
        }
        Some(())
    }
}

fn send_count(stream: &mut TcpStream, count: u64) -> Option<()> {
    let mut text = Vec::new();
    packet::count(&mut text, count);
    send(stream, &text)
}

fn send(stream: &mut TcpStream, text: &[u8]) -> Option<()> {
    let mut bytes = Vec::new();
    frame::from_server(&mut bytes, frame::TEXT, text);
    bytes
        .chunks(3)
        .try_for_each(|piece| stream.write_all(piece))
        .ok()
}

fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 1024];
    let came = stream.read(&mut buffer).ok().filter(|came| *came > 0)?;
    bytes.extend_from_slice(&buffer[..came]);
    Some(())
}
