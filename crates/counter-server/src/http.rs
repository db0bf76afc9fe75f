//! What the public port answers: the page, the browser client, and Socket.IO.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use hyper::body::Incoming;
use socketioxide::service::SocketIoService;
use socketioxide::socket::Sid;
use tokio::time::timeout;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::services::ServeDir;

use crate::config::{Config, Origin};
use crate::connection::{Connection, WebSocket};
use crate::fanout::Fanout;
use crate::frames;
use crate::metrics::Refused;

const PAGE: &str = include_str!("../../../web/index.html");
const PAGE_SCRIPT: &str = include_str!("../../../web/counter.js");
const BROWSER_CLIENT: &str = include_str!("../../../web/socket.io.js");

const JAVASCRIPT: [(HeaderName, &str); 1] =
    [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];

/// The packets of a polling client must be complete this long after their headers.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

type NotFound = engineioxide::service::NotFoundService;
type SocketIo = BoxCloneSyncService<Request<Incoming>, Response<Body>, Infallible>;

/// The service behind every accepted connection.
pub(crate) struct Site {
    socket_io: SocketIo,
    pages: Router,
    origins: Vec<Origin>,
    fanout: Fanout,
}

impl Site {
    pub(crate) fn new(
        config: &Config,
        socket_io: SocketIoService<NotFound>,
        fanout: Fanout,
    ) -> anyhow::Result<Arc<Self>> {
        let socket_io = tower::ServiceBuilder::new()
            .map_response(|response: Response<_>| response.map(Body::new))
            .option_layer(cors(&config.allow_origin))
            .service(socket_io);
        Ok(Arc::new(Self {
            socket_io: BoxCloneSyncService::new(socket_io),
            pages: pages(config)?,
            origins: config.allow_origin.clone(),
            fanout,
        }))
    }

    /// Answers one request.
    pub(crate) async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        connection: Arc<Connection>,
    ) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path();
        if !path.starts_with("/socket.io/") || path == "/socket.io/socket.io.js" {
            return self.pages.clone().oneshot(request).await;
        }
        if !self.allows(&request) {
            self.fanout.metrics().refused(Refused::Origin);
            let refusal = "this origin is not allowed; start the server with --allow-origin\n";
            return Ok((StatusCode::FORBIDDEN, refusal).into_response());
        }
        let request = bare(request, &connection);
        let upgrading = upgrading_session(&request);
        if let Some(session) = upgrading {
            self.fanout.upgrade(session, &connection);
        }
        let polling = polling_session(&request);
        let is_post = request.method() == Method::POST;
        let answered = self.socket_io.clone().oneshot(request);
        let response = if is_post {
            let Ok(response) = timeout(BODY_TIMEOUT, answered).await else {
                self.fanout.metrics().refused(Refused::Timeout);
                return Ok(StatusCode::REQUEST_TIMEOUT.into_response());
            };
            response?
        } else {
            answered.await?
        };
        if response.status().is_client_error() {
            self.fanout.metrics().refused(Refused::Request);
        }
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            connection.expect_upgrade(upgrading.is_none());
        }
        match polling {
            Some(session) => Ok(self.note_polled(session, response).await),
            None => Ok(response),
        }
    }

    /// Tells the fan-out which count leaves in the answer to a poll.
    async fn note_polled(&self, session: Sid, response: Response<Body>) -> Response<Body> {
        let (parts, body) = response.into_parts();
        let Ok(body) = axum::body::to_bytes(body, usize::MAX).await else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        if let Some(count) = frames::last_count_in(&body) {
            self.fanout.polled(session, count);
        }
        Response::from_parts(parts, Body::from(body))
    }

    /// Whether a page of this origin may connect. Browsers always say their origin with a
    /// WebSocket request, and nothing but the server can refuse it.
    fn allows(&self, request: &Request<Incoming>) -> bool {
        let Some(origin) = request.headers().get(header::ORIGIN) else {
            return true;
        };
        self.origins.is_empty()
            || self.origins.iter().any(|allowed| match allowed {
                Origin::Any => true,
                Origin::Exact(exact) => exact == origin,
            })
    }
}

/// The request with only what socketioxide reads, copied: it keeps the request as long as the
/// session, and what hyper read is slices of a buffer of 8 KiB.
fn bare(request: Request<Incoming>, connection: &Arc<Connection>) -> Request<Incoming> {
    let (mut parts, body) = request.into_parts();
    let mut headers = HeaderMap::new();
    for name in [
        header::SEC_WEBSOCKET_KEY,
        header::CONTENT_TYPE,
        header::ORIGIN,
    ] {
        if let Some(value) = parts.headers.get(&name)
            && let Ok(copy) = HeaderValue::from_bytes(value.as_bytes())
        {
            headers.insert(name, copy);
        }
    }
    if headers.contains_key(header::SEC_WEBSOCKET_KEY) {
        parts
            .extensions
            .insert(WebSocket(Arc::downgrade(connection)));
    }
    // A clone has room for what it holds, a new map for six headers, 104 bytes each.
    parts.headers = headers.clone();
    if let Ok(copy) = Uri::try_from(parts.uri.to_string()) {
        parts.uri = copy;
    }
    Request::from_parts(parts, body)
}

/// The session of a WebSocket request that continues one that began with polling.
fn upgrading_session(request: &Request<Incoming>) -> Option<Sid> {
    session_over("websocket", request)
}

/// The session that polls with this request.
fn polling_session(request: &Request<Incoming>) -> Option<Sid> {
    session_over("polling", request).filter(|_| request.method() == Method::GET)
}

fn session_over(transport: &str, request: &Request<Incoming>) -> Option<Sid> {
    let pairs = || request.uri().query().unwrap_or_default().split('&');
    let value = |name: &str| pairs().find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    value("sid")
        .filter(|_| value("transport") == Some(transport))?
        .parse()
        .ok()
}

fn cors(origins: &[Origin]) -> Option<CorsLayer> {
    let exact = origins.iter().filter_map(|origin| match origin {
        Origin::Any => None,
        Origin::Exact(exact) => Some(exact.clone()),
    });
    let allowed = if origins.contains(&Origin::Any) {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(exact)
    };
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE]);
    (!origins.is_empty()).then_some(layer)
}

fn pages(config: &Config) -> anyhow::Result<Router> {
    let client = match &config.client_bundle {
        None => Bytes::from_static(BROWSER_CLIENT.as_bytes()),
        Some(path) => fs::read(path)
            .with_context(|| format!("cannot read the client bundle {}", path.display()))?
            .into(),
    };
    let router = Router::new().route(
        "/socket.io/socket.io.js",
        get(async move || (JAVASCRIPT, client.clone())),
    );
    Ok(match &config.public_dir {
        None => router
            .route("/", get(async || Html(PAGE)))
            .route("/counter.js", get(async || (JAVASCRIPT, PAGE_SCRIPT))),
        Some(directory) => router.fallback_service(public_directory(directory)?),
    })
}

fn public_directory(path: &Path) -> anyhow::Result<ServeDir> {
    let shown = path.display();
    let metadata =
        fs::metadata(path).with_context(|| format!("cannot read the public directory {shown}"))?;
    ensure!(
        metadata.is_dir(),
        "cannot serve {shown}: not a directory; give --public-dir a directory"
    );
    fs::read_dir(path).with_context(|| format!("cannot list the public directory {shown}"))?;
    Ok(ServeDir::new(path))
}
