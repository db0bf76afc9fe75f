//! What every client of one target needs, made once: the address, the bytes of the requests, and the TLS settings.

use std::{fmt::Write as _, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use rustls::pki_types::ServerName;
use socketio_protocol::Packet;

use super::tls;
use crate::plan::{Plan, Target, Transport};

/// The key of every handshake: it only has to be 16 bytes in Base64 (RFC 6455, section 4.1); nothing depends on its
/// being secret. With it goes the one answer that a WebSocket server may give.
const KEY: &str = "bG9hZGdlbi1sb2FkZ2VuIQ==";

pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    pub(crate) transport: Transport,
    /// Path with query up to Engine.IO's parameters, and the header lines of every request.
    path: String,
    headers: String,
    /// The text that joins the namespace.
    pub(crate) join: String,
}

impl Endpoint {
    pub(crate) fn new(plan: &Plan, target: &Target) -> anyhow::Result<Self> {
        let tls = match &target.tls_name {
            Some(name) => {
                let name = ServerName::try_from(name.clone())
                    .with_context(|| format!("cannot verify {name:?}"))?;
                Some((tls::config(&plan.tls)?, name))
            }
            None => None,
        };
        let mut join = String::new();
        Packet::Connect {
            namespace: &plan.namespace,
            payload: plan.auth.as_deref(),
        }
        .encode_message(&mut join);
        Ok(Self {
            address: target.address,
            tls,
            transport: plan.transport,
            path: target.path.clone(),
            headers: format!("Host: {}\r\n{}", target.host, target.headers),
            join,
        })
    }

    /// The request that opens a WebSocket, for a session that began with polling if there is one.
    pub(crate) fn websocket(&self, session: Option<&str>) -> Vec<u8> {
        let mut request = format!("GET {}EIO=4&transport=websocket", self.path);
        if let Some(session) = session {
            write!(request, "&sid={session}").expect("a String takes whatever is written");
        }
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key";
        write!(
            request,
            " HTTP/1.1\r\n{}{upgrade}: {KEY}\r\n\r\n",
            self.headers
        )
        .expect("a String takes whatever is written");
        request.into_bytes()
    }

    /// A request of long-polling: a GET, or a POST if there is something to say.
    pub(crate) fn poll(&self, session: Option<&str>, body: Option<&str>) -> Vec<u8> {
        let method = if body.is_some() { "POST" } else { "GET" };
        let session = session.map_or(String::new(), |session| format!("&sid={session}"));
        let length = body.map_or(String::new(), |body| {
            format!(
                "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {}\r\n",
                body.len()
            )
        });
        let (path, headers, body) = (&self.path, &self.headers, body.unwrap_or_default());
        format!("{method} {path}EIO=4&transport=polling{session} HTTP/1.1\r\n{headers}{length}\r\n{body}").into_bytes()
    }
}
