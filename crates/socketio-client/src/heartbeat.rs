//! The client's part of the Engine.IO heartbeat: to notice when the server is silent for too long.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use socketio_protocol::engine::Handshake;
use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that every sign of life moves.
pub(crate) struct Heartbeat {
    /// The server pings every `ping_interval`, and a ping may be late by `ping_timeout`.
    pub(crate) patience: Duration,
    deadline: Instant,
    /// Moved only when it fires, since signs of life are far more frequent than that.
    timer: Pin<Box<Sleep>>,
}

impl Heartbeat {
    pub(crate) fn new(handshake: &Handshake) -> Self {
        let patience = handshake
            .ping_interval
            .saturating_add(handshake.ping_timeout);
        let deadline = Instant::now() + patience;
        Self {
            patience,
            deadline,
            timer: Box::pin(sleep_until(deadline)),
        }
    }

    /// Something came from the server. The protocol counts pings alone; like the official client, any packet will do.
    pub(crate) fn alive(&mut self) {
        self.deadline = Instant::now() + self.patience;
    }

    /// Ready when the server has been silent for too long.
    pub(crate) fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= self.deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.deadline);
        }
    }
}
