//! The HTTP request that opens a WebSocket (RFC 6455, section 4.1), over a stream that is already there.
//!
//! tungstenite's own handshake drops the stream with most of the body when the answer is not 101, and the body is where
//! Socket.IO servers say what is wrong.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WebSocketError,
        handshake::{
            client::{Response, generate_key, generate_request},
            derive_accept_key,
            machine::TryParse as _,
        },
        protocol::{Role, WebSocketConfig},
    },
};

use crate::{Error, Options, stream::ByteStream};

/// Bytes of the answer's head.
const MAX_HEAD: usize = 16 << 10;
/// Bytes of a refusal's body that are shown.
const MAX_EXCERPT: usize = 512;
/// How long the rest of a refusal's body may take.
const BODY_PATIENCE: Duration = Duration::from_secs(1);

/// Asks for a WebSocket, and hands the stream over to it.
pub(crate) async fn upgrade<S: ByteStream>(
    options: &Options,
    mut stream: S,
    config: WebSocketConfig,
) -> Result<WebSocketStream<S>, Error> {
    let (request, key) = request(options)?;
    let lost = |error| Error::from(WebSocketError::Io(error));
    stream.write_all(&request).await.map_err(lost)?;
    stream.flush().await.map_err(lost)?;

    let mut read = Vec::with_capacity(1024);
    let (head, response) = loop {
        if let Some(parsed) = Response::try_parse(&read).map_err(|error| no_http(&error))? {
            break parsed;
        }
        if read.len() > MAX_HEAD {
            return Err(Error::Protocol {
                reason: format!("more than {MAX_HEAD} bytes of HTTP headers"),
            });
        }
        if stream.read_buf(&mut read).await.map_err(lost)? == 0 {
            return Err(Error::Protocol {
                reason: "it closed the connection instead of answering HTTP".to_owned(),
            });
        }
    };
    let mut rest = read.split_off(head);
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let body = refusal(&mut stream, &response, &mut rest).await;
        return Err(Error::Http {
            status: response.status().as_u16(),
            body,
        });
    }
    let accept = response
        .headers()
        .get(header::SEC_WEBSOCKET_ACCEPT)
        .map(HeaderValue::as_bytes);
    if accept != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(Error::Protocol {
            reason: "its Sec-WebSocket-Accept does not fit the request".to_owned(),
        });
    }
    Ok(WebSocketStream::from_partially_read(stream, rest, Role::Client, Some(config)).await)
}

fn request(options: &Options) -> Result<(Vec<u8>, String), Error> {
    let mut request = http::Request::builder()
        .uri(options.target())
        .header(header::HOST, options.origin.address())
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, generate_key())
        .body(())
        .map_err(|error| Error::Url {
            url: options.target(),
            reason: error.to_string(),
        })?;
    for (name, value) in &options.headers {
        request.headers_mut().append(name, value.clone());
    }
    generate_request(request).map_err(|error| Error::Url {
        url: options.target(),
        reason: error.to_string(),
    })
}

fn no_http(error: &WebSocketError) -> Error {
    Error::Protocol {
        reason: format!("its answer is no HTTP ({error})"),
    }
}

/// The beginning of the body on one line: what came with the head, and what comes until the body or patience ends.
async fn refusal<S: ByteStream>(stream: &mut S, response: &Response, body: &mut Vec<u8>) -> String {
    let length = response.headers().get(header::CONTENT_LENGTH);
    let length = length
        .and_then(|length| length.to_str().ok()?.parse().ok())
        .unwrap_or(MAX_EXCERPT);
    let wanted = length.min(MAX_EXCERPT);
    // Whatever ends it, what has come by then is the excerpt.
    let _ = timeout(BODY_PATIENCE, async {
        while body.len() < wanted && stream.read_buf(body).await.is_ok_and(|count| count > 0) {}
    })
    .await;
    body.truncate(wanted);
    let text = String::from_utf8_lossy(body)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    if text.is_empty() {
        "empty body".to_owned()
    } else {
        text
    }
}
