//! What the public port answers: the page, the browser client, and Socket.IO.

use std::convert::Infallible;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, Method, Request, Response, StatusCode, header};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use hyper::body::Incoming;
use socketioxide::service::SocketIoService;
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::services::ServeDir;

use crate::config::{Config, Origin};

const PAGE: &str = include_str!("../../../web/index.html");
const PAGE_SCRIPT: &str = include_str!("../../../web/counter.js");
const BROWSER_CLIENT: &str = include_str!("../../../web/socket.io.js");

type NotFound = engineioxide::service::NotFoundService;
type SocketIo = BoxCloneSyncService<Request<Incoming>, Response<Body>, Infallible>;

/// The service behind every accepted connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Site {
    socket_io: SocketIo,
    pages: Router,
    origins: Vec<Origin>,
}

impl Site {
    pub(crate) fn new(
        config: &Config,
        socket_io: SocketIoService<NotFound>,
    ) -> anyhow::Result<Self> {
        let socket_io = tower::ServiceBuilder::new()
            .map_response(|response: Response<_>| response.map(Body::new))
            .option_layer(cors(&config.allow_origin))
            .service(socket_io);
        Ok(Self {
            socket_io: BoxCloneSyncService::new(socket_io),
            pages: pages(config)?,
            origins: config.allow_origin.clone(),
        })
    }

    /// Answers one request.
    pub(crate) async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path();
        if !path.starts_with("/socket.io/") || path == "/socket.io/socket.io.js" {
            return self.pages.oneshot(request).await;
        }
        if !self.allows(&request) {
            let refusal = "this origin is not allowed; start the server with --allow-origin\n";
            return Ok((StatusCode::FORBIDDEN, refusal).into_response());
        }
        self.socket_io.oneshot(request).await
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
    const JAVASCRIPT: [(HeaderName, &str); 1] =
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
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
