//! How late the runtime is: a task that is to wake at a given moment, and wakes when its turn comes.

use std::time::Duration;

use prometheus::Histogram;
use tokio::time::{Instant, sleep_until};

/// Often enough for a rate over seconds, and five wake-ups a second cost nothing.
const PERIOD: Duration = Duration::from_millis(200);

/// Never ends by itself.
pub(crate) async fn watch(lag: Histogram) {
    loop {
        let due = Instant::now() + PERIOD;
        sleep_until(due).await;
        lag.observe(due.elapsed().as_secs_f64());
    }
}
