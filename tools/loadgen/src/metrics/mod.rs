//! loadgen's own metrics for Prometheus, while it runs (`--metrics`): one endpoint in the process that conducts, for all
//! worker processes. It reads the board that the live view reads; nothing is recorded for it alone on the way of an
//! event.

mod exposition;
mod listener;
mod scene;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context as _;

use self::scene::Scene;
use crate::{board::Board, plan::Plan, verdict::State};

/// The endpoint; it stays until the process ends.
pub(crate) struct Metrics {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// One answer.
struct Page {
    text: String,
    /// Whether nothing in it will change any more.
    is_last: bool,
}

#[derive(Default)]
struct Shared {
    scene: Mutex<Option<Scene>>,
    /// Told of each scrape that saw the end of the run.
    last_scrape: Condvar,
}

impl Shared {
    /// Whoever panicked with the lock has left whole figures: each step on them is complete in itself.
    fn scene(&self) -> MutexGuard<'_, Option<Scene>> {
        self.scene.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scrape(&self) -> anyhow::Result<Page> {
        let scene = self.scene();
        Ok(Page {
            text: exposition::text(scene.as_ref())?,
            is_last: scene.as_ref().is_some_and(|scene| scene.has_ended),
        })
    }

    /// The whole of it has been written to somebody.
    fn was_delivered(&self, page: &Page) {
        if let Some(scene) = self.scene().as_mut().filter(|_| page.is_last) {
            scene.was_seen_ended = true;
            self.last_scrape.notify_all();
        }
    }
}

impl Metrics {
    pub(crate) fn listen(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).with_context(|| {
            format!(
                "cannot listen on {address} for --metrics; try {}:0",
                address.ip()
            )
        })?;
        let address = listener.local_addr()?;
        let shared = Arc::<Shared>::default();
        // Not joined: it is there until the process ends, and what it does is finished with each answer.
        std::thread::Builder::new().name("metrics".into()).spawn({
            let shared = Arc::clone(&shared);
            move || listener::serve(&listener, &shared)
        })?;
        Ok(Self { address, shared })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// The run begins, with these worker processes.
    pub(crate) fn begin(&self, plan: &Plan, board: &Arc<Board>, processes: Vec<u32>) {
        *self.shared.scene() = Some(Scene::new(plan, Arc::clone(board), processes));
    }

    /// To be called often: what happened until now belongs to the phase that each lane was in.
    pub(crate) fn observe(&self) {
        if let Some(scene) = self.shared.scene().as_mut() {
            scene.observe();
        }
    }

    /// The run is over and judged.
    pub(crate) fn end(&self, verdict: State) {
        if let Some(scene) = self.shared.scene().as_mut() {
            scene.observe();
            (scene.verdict, scene.has_ended) = (Some(verdict), true);
        }
    }

    /// Waits for one more scrape, but no longer than this.
    pub(crate) fn linger(&self, longest: Duration) {
        let unseen =
            |scene: &mut Option<Scene>| scene.as_ref().is_some_and(|scene| !scene.was_seen_ended);
        // Whether it was scraped or not, there is nothing left to wait for.
        let _ = self
            .shared
            .last_scrape
            .wait_timeout_while(self.shared.scene(), longest, unseen);
    }
}
