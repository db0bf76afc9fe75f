//! The admin listener: `/metrics` for Prometheus, `/live` and `/ready` for whatever runs us.
//! Never on the public port.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use crate::metrics::Metrics;
use crate::store::Health;

/// Whether new clients may be sent here.
#[derive(Debug, Clone)]
pub(crate) struct Readiness {
    accepting: Arc<AtomicBool>,
    store: Health,
}

impl Readiness {
    /// Not ready until it is set.
    pub(crate) fn new(store: Health) -> Self {
        Self {
            accepting: Arc::default(),
            store,
        }
    }

    pub(crate) fn set(&self, ready: bool) {
        self.accepting.store(ready, Ordering::Relaxed);
    }

    /// Why new clients should go elsewhere, if so.
    fn problem(&self) -> Option<String> {
        if !self.accepting.load(Ordering::Relaxed) {
            return Some("starting or stopping".to_owned());
        }
        self.store.problem()
    }
}

pub(crate) fn router(metrics: Arc<Metrics>, readiness: Readiness) -> Router {
    Router::new()
        .route("/live", get(async || "live\n"))
        .route("/ready", get(async move || ready(&readiness)))
        .route("/metrics", get(async move || exposition(&metrics)))
}

fn ready(readiness: &Readiness) -> impl IntoResponse + use<> {
    match readiness.problem() {
        None => (StatusCode::OK, "ready\n".to_owned()),
        Some(problem) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {problem}\n"),
        ),
    }
}

fn exposition(metrics: &Metrics) -> impl IntoResponse + use<> {
    match metrics.text() {
        Ok(text) => (
            [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )],
            text,
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
