//! A network that fails at the worst moment: it passes an increment on, and cuts the connection when the server answers.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// What makes the network fail.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cut {
    /// The acknowledgement: it is not passed on.
    AtAck,
    /// This count goes through, and the connection lasts so much longer.
    After(u64, Duration),
}

/// A proxy; it ends with the test.
pub(crate) struct Network {
    url: String,
    server: Arc<Mutex<String>>,
    cuts: Receiver<()>,
    resumed: SyncSender<()>,
    closed: Arc<AtomicBool>,
}

impl Network {
    /// To the server at `url`. Of the acknowledgements or counts that `cut` names, the first `times` meet it.
    pub(crate) fn to(url: &str, cut: Cut, times: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (cut_says, cuts) = sync_channel(times);
        let (resumed, wait) = sync_channel(times);
        let network = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            server: Arc::new(Mutex::new(url.to_owned())),
            cuts,
            resumed,
            closed: Arc::default(),
        };
        let (server, closed) = (Arc::clone(&network.server), Arc::clone(&network.closed));
        let mut left = times;
        thread::spawn(move || {
            for client in listener.incoming() {
                if closed.load(SeqCst) {
                    return;
                }
                let server = server.lock().unwrap().clone();
                let was_cut = pass(client.unwrap(), &server, (left > 0).then_some(cut));
                if was_cut.is_some() {
                    left -= 1;
                    // Until the test has seen it, and has done whatever it wants meanwhile.
                    if cut_says.send(()).is_err() || wait.recv().is_err() {
                        return;
                    }
                }
            }
        });
        network
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Waits for the next cut. Nobody gets through until [`Network::heal`].
    pub(crate) fn wait_for_cut(&self) {
        self.cuts.recv_timeout(Duration::from_secs(30)).unwrap();
    }

    /// Lets the next one through, to the server at `url`.
    pub(crate) fn heal(&self, url: &str) {
        url.clone_into(&mut self.server.lock().unwrap());
        self.resumed.send(()).unwrap();
    }

    /// Refuses whoever comes from now on.
    pub(crate) fn end(self) {
        self.closed.store(true, SeqCst);
        drop(self.resumed);
    }
}

/// One connection, from its beginning to its end: `Some` if it was cut.
fn pass(mut client: TcpStream, server: &str, cut: Option<Cut>) -> Option<()> {
    let mut server = TcpStream::connect(server.trim_start_matches("http://")).ok()?;
    let mut upstream = (client.try_clone().ok()?, server.try_clone().ok()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut upstream.0, &mut upstream.1);
        let _ = upstream.1.shutdown(Shutdown::Write);
    });
    let mut bytes = [0; 4096];
    loop {
        let length = server.read(&mut bytes).ok().filter(|length| *length > 0)?;
        let says = |text: &[u8]| bytes[..length].windows(text.len()).any(|part| part == text);
        match cut {
            // Acknowledgement ids begin at 0, and each of these tests looks at the first ones.
            Some(Cut::AtAck) if (0..9).any(|id| says(format!("43{id}[").as_bytes())) => break,
            Some(Cut::After(count, lasting))
                if says(format!("\"countUpdated\",{count}]").as_bytes()) =>
            {
                client.write_all(&bytes[..length]).ok()?;
                let (_keep, never) = sync_channel::<()>(0);
                assert_eq!(never.recv_timeout(lasting), Err(RecvTimeoutError::Timeout));
                break;
            }
            _ => client.write_all(&bytes[..length]).ok()?,
        }
    }
    let _ = (
        client.shutdown(Shutdown::Both),
        server.shutdown(Shutdown::Both),
    );
    Some(())
}
