//! Where and how to connect.

use std::{net::IpAddr, sync::Arc, time::Duration};

use http::HeaderMap;
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::Error;

/// Where and how to connect. The fields may be changed after [`Options::new`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The path of the Socket.IO server; `/socket.io/`.
    pub path: String,
    /// The namespace to join: the path of the URL, as with the official client; `/` if it has none.
    pub namespace: String,
    /// Credentials that go with CONNECT: a JSON object, the `auth` of the official client.
    pub auth: Option<Value>,
    /// Headers of the WebSocket request.
    pub headers: HeaderMap,
    /// Parameters of the WebSocket request, beside `EIO` and `transport`; those of the URL to begin with.
    pub query: Vec<(String, String)>,
    /// How long connecting may take as a whole, until the namespace is joined; 10 seconds.
    pub connect_timeout: Duration,
    /// How long `call` waits for an acknowledgement; 10 seconds.
    pub ack_timeout: Duration,
    /// The local address to connect from; the system chooses if there is none.
    pub source: Option<IpAddr>,
    /// Bytes that one message of the server may have; 16 MiB.
    pub max_message: usize,
    /// For `https` and `wss`: whom to trust. The system's certificates if there is none.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    pub(crate) origin: Origin,
}

/// The part of a URL that names a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) secure: bool,
    /// As it stands in a URL, an IPv6 address hence in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Options {
    /// Takes an `http`, `https`, `ws` or `wss` URL; its path names the namespace, its query goes to the server.
    pub fn new(url: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| Error::Url {
            url: url.to_owned(),
            reason: reason.to_owned(),
        };
        let parsed = Url::parse(url).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => {
                wrong("it has no scheme; try http://HOST:PORT")
            }
            other => wrong(&other.to_string()),
        })?;
        let secure = match parsed.scheme() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            _ => {
                return Err(wrong(
                    "the scheme must be http, https, ws or wss; try http://HOST:PORT",
                ));
            }
        };
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(wrong(
                "user name and password have no meaning here; send a header or auth",
            ));
        }
        let host = parsed
            .host()
            .ok_or_else(|| wrong("it names no host"))?
            .to_string();
        let port = parsed
            .port_or_known_default()
            .ok_or_else(|| wrong("it names no port"))?;
        Ok(Self {
            path: "/socket.io/".to_owned(),
            namespace: parsed.path().to_owned(),
            auth: None,
            headers: HeaderMap::new(),
            query: parsed.query_pairs().into_owned().collect(),
            connect_timeout: Duration::from_secs(10),
            ack_timeout: Duration::from_secs(10),
            source: None,
            max_message: 16 << 20,
            tls: None,
            origin: Origin { secure, host, port },
        })
    }

    /// The path and query of the WebSocket request.
    pub(crate) fn target(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("EIO", "4")
            .append_pair("transport", "websocket")
            .extend_pairs(&self.query);
        format!("{}?{}", self.path, query.finish())
    }
}

impl Origin {
    /// `HOST:PORT`, as in a Host header and in messages.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The host as the system's resolver and TLS want it: an IPv6 address without its brackets.
    pub(crate) fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_the_url_is_the_namespace_and_its_query_goes_to_the_server() {
        let options = Options::new("https://example.org/admin?token=a%26b").unwrap();
        assert_eq!(options.namespace, "/admin");
        assert_eq!(
            options.target(),
            "/socket.io/?EIO=4&transport=websocket&token=a%26b"
        );
        assert_eq!(
            options.origin,
            Origin {
                secure: true,
                host: "example.org".into(),
                port: 443
            }
        );
    }

    #[test]
    fn an_ipv6_address_keeps_its_brackets_only_where_they_belong() {
        let origin = Options::new("ws://[::1]:3000").unwrap().origin;
        assert_eq!(
            (origin.address(), origin.bare_host()),
            ("[::1]:3000".into(), "::1")
        );
    }

    #[test]
    fn a_wrong_url_is_told_with_what_would_be_right() {
        for url in ["127.0.0.1:3000", "localhost:3000", "ftp://localhost"] {
            let message = Options::new(url).unwrap_err().to_string();
            assert!(message.contains("try http://HOST:PORT"), "{message}");
        }
        assert!(
            Options::new("http://me:secret@localhost")
                .unwrap_err()
                .to_string()
                .contains("header or auth")
        );
    }
}
