//! A Socket.IO counter whose faults are known: it delays, stalls, drops, repeats, swaps and refuses as told, and keeps
//! the truth of each delivery, from the kernel's receive stamp of the increment to the moment of the write.

use std::{
    collections::BinaryHeap,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
        mpsc::{self, Receiver, RecvTimeoutError, Sender, SyncSender},
    },
    time::Duration,
};

use nix::sys::socket::{setsockopt, sockopt::ReceiveTimestampns};

use crate::wire::{message, now, receive, text, updated};

/// What to do to the copy of one count for one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plant {
    Drop,
    Repeat,
    /// Goes out after the next one.
    Swap,
}

pub(crate) struct Faults {
    /// From the increment to its broadcast.
    pub(crate) delay: Duration,
    /// At this count, the server does nothing for so long.
    pub(crate) stall: Option<(u64, Duration)>,
    /// After each delivery.
    pub(crate) pause: Duration,
    /// Of the connections, those after this one are refused.
    pub(crate) refuse_after: Option<u64>,
    pub(crate) acknowledge: bool,
    /// By count and client: those that only receive are counted from 1.
    pub(crate) plant: fn(u64, u64) -> Option<Plant>,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            stall: None,
            pause: Duration::ZERO,
            refuse_after: None,
            acknowledge: true,
            plant: |_, _| None,
        }
    }
}

/// What the server did.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// Of each delivery: the count, and milliseconds from the increment's arrival to the write.
    pub(crate) latencies: Vec<(u64, f64)>,
    /// Counts of each kind of plant, by count.
    pub(crate) planted: Vec<(u64, Plant)>,
}

pub(crate) struct Server {
    url: String,
    stop: Arc<AtomicBool>,
    truth: Arc<Mutex<Truth>>,
}

/// A count that waits for its broadcast, the earliest first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due(std::cmp::Reverse<(u64, u64)>, u64);

struct Client {
    stream: TcpStream,
    emits: Arc<AtomicBool>,
    held: Option<Vec<u8>>,
}

enum News {
    Joined(Client),
    /// A client emitted; when it reached the kernel.
    Increment(u64),
}

impl Server {
    pub(crate) fn start(faults: Faults) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, truth) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(Mutex::new(Truth::default())),
        );
        let (news, inbox) = mpsc::sync_channel(100_000);
        let faults = Arc::new(faults);
        let count = Arc::new(AtomicU64::new(0));
        std::thread::spawn({
            let (stop, faults, count) =
                (Arc::clone(&stop), Arc::clone(&faults), Arc::clone(&count));
            move || accept(&listener, &stop, &faults, &count, &news)
        });
        std::thread::spawn({
            let truth = Arc::clone(&truth);
            move || {
                Writer {
                    faults,
                    truth,
                    clients: Vec::new(),
                    due: BinaryHeap::new(),
                    next: 0,
                    count,
                }
                .run(&inbox);
            }
        });
        Self { url, stop, truth }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What happened so far to counts after this one.
    pub(crate) fn truth(&self, after: u64) -> Truth {
        let truth = self.truth.lock().expect("no panic");
        Truth {
            latencies: truth
                .latencies
                .iter()
                .copied()
                .filter(|(count, _)| *count > after)
                .collect(),
            planted: truth
                .planted
                .iter()
                .copied()
                .filter(|(count, _)| *count > after)
                .collect(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        // Wakes the accepting thread; it may be gone already.
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

fn accept(
    listener: &TcpListener,
    stop: &AtomicBool,
    faults: &Arc<Faults>,
    count: &Arc<AtomicU64>,
    news: &SyncSender<News>,
) {
    for (id, stream) in (1..).zip(listener.incoming()) {
        if stop.load(SeqCst) {
            return;
        }
        let Ok(mut stream) = stream else { continue };
        if faults.refuse_after.is_some_and(|most| id > most) {
            let _ = stream
                .write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nfull");
            continue;
        }
        let (faults, count, news) = (Arc::clone(faults), Arc::clone(count), news.clone());
        std::thread::spawn(move || serve(stream, &faults, &count, &news));
    }
}

/// One client, until it leaves. Errors are its leaving.
fn serve(
    mut stream: TcpStream,
    faults: &Faults,
    count: &AtomicU64,
    news: &SyncSender<News>,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    setsockopt(&stream, ReceiveTimestampns, &true).ok()?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        request.push(byte[0]);
    }
    // The answer to loadgen's key, which never changes.
    let accept = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: B5uZpQz/z9ZLI4hy386PZ8BvcWQ=\r\n\r\n";
    stream.write_all(accept.as_bytes()).ok()?;
    let open = r#"0{"sid":"x","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    stream.write_all(&text(open)).ok()?;
    let emits = Arc::new(AtomicBool::new(false));
    let mut unread = Vec::new();
    loop {
        let (arrived, bytes) = receive(&stream)?;
        unread.extend_from_slice(&bytes);
        while let Some((message, length)) = message(&unread) {
            unread.drain(..length);
            match message.as_str() {
                "40" => {
                    stream.write_all(&text(r#"40{"sid":"y"}"#)).ok()?;
                    news.send(News::Joined(Client {
                        stream: stream.try_clone().ok()?,
                        emits: Arc::clone(&emits),
                        held: None,
                    }))
                    .ok()?;
                }
                emit if emit.contains("increment") => {
                    emits.store(true, SeqCst);
                    let ack = emit
                        .strip_prefix("42")
                        .unwrap_or_default()
                        .split('[')
                        .next()
                        .unwrap_or_default();
                    // Counted here, so that the acknowledgement is right; broadcast later, in this order.
                    let number = count.fetch_add(1, SeqCst) + 1;
                    if faults.acknowledge && !ack.is_empty() {
                        stream
                            .write_all(&text(&format!("43{ack}[{number}]")))
                            .ok()?;
                    }
                    news.send(News::Increment(arrived)).ok()?;
                }
                _ => {}
            }
        }
    }
}

/// The one thread that broadcasts.
struct Writer {
    faults: Arc<Faults>,
    truth: Arc<Mutex<Truth>>,
    clients: Vec<Client>,
    due: BinaryHeap<Due>,
    next: u64,
    count: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<News>) {
        loop {
            let wait = self
                .due
                .peek()
                .map_or(Duration::from_mins(1), |Due(due, _)| {
                    // The last stretch is spun away: a timer wakes too late.
                    Duration::from_nanos(due.0.0.saturating_sub(now() + 300_000))
                });
            match inbox.recv_timeout(wait) {
                Ok(News::Joined(client)) => self.join(client),
                Ok(News::Increment(arrived)) => {
                    self.next += 1;
                    let due = arrived + self.faults.delay.as_nanos() as u64;
                    self.due
                        .push(Due(std::cmp::Reverse((due, self.next)), arrived));
                }
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(Due(due, arrived)) = self.due.pop() {
                        while now() < due.0.0 {
                            std::hint::spin_loop();
                        }
                        self.broadcast(due.0.1, arrived);
                    }
                }
                Err(RecvTimeoutError::Disconnected) if self.due.is_empty() => return,
                Err(RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    fn join(&mut self, mut client: Client) {
        // What has been counted and not been broadcast yet is still to come.
        let waiting = self.due.len() as u64;
        let count = self.next - waiting;
        debug_assert!(count <= self.count.load(SeqCst));
        if client.stream.write_all(&updated(count)).is_ok() {
            self.clients.push(client);
        }
    }

    fn broadcast(&mut self, count: u64, arrived: u64) {
        if let Some((at, length)) = self.faults.stall
            && at == count
        {
            wait(length);
        }
        let mut truth = self.truth.lock().expect("no panic");
        let mut listeners = 0;
        self.clients.retain_mut(|client| {
            let mut plant = None;
            if !client.emits.load(SeqCst) {
                listeners += 1;
                plant = (self.faults.plant)(count, listeners);
            }
            truth.planted.extend(plant.map(|plant| (count, plant)));
            let mut bytes = match plant {
                Some(Plant::Drop) => Vec::new(),
                Some(Plant::Repeat) => updated(count).repeat(2),
                Some(Plant::Swap) => {
                    client.held = Some(updated(count));
                    return true;
                }
                None => updated(count),
            };
            bytes.extend(client.held.take().unwrap_or_default());
            let before = now();
            let written = client.stream.write_all(&bytes);
            let written_at = before.midpoint(now());
            if plant != Some(Plant::Drop) {
                truth
                    .latencies
                    .push((count, (written_at - arrived) as f64 / 1e6));
            }
            if !self.faults.pause.is_zero() {
                wait(self.faults.pause);
            }
            written.is_ok()
        });
    }
}

/// Does nothing, on a thread of its own kind: a server that is busy.
fn wait(length: Duration) {
    let (keep, never): (Sender<()>, _) = mpsc::channel();
    let _ = never.recv_timeout(length);
    drop(keep);
}
