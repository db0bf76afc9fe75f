//! From what was said about the server to a [`Target`]: address, request and names, checked and resolved.

use std::net::ToSocketAddrs as _;

use anyhow::{Context as _, bail, ensure};
use url::Url;

use crate::{cli::TargetArgs, plan::Target, usage::WrongUsage};

pub(crate) fn target(text: &str, args: &TargetArgs) -> anyhow::Result<Target> {
    let named = Named::parse(text).map_err(WrongUsage)?;
    let (path, headers) = request(args).map_err(WrongUsage)?;
    let mut addresses = (&*named.host, named.port)
        .to_socket_addrs()
        .with_context(|| format!("cannot find the host of {text}"))?;
    let address = addresses
        .next()
        .with_context(|| format!("the host of {text} has no address"))?;
    Ok(Target {
        url: text.to_owned(),
        address,
        tls_name: named.tls.then_some(named.host),
        host: named.header,
        path,
        headers,
    })
}

/// What a URL names.
struct Named {
    tls: bool,
    host: String,
    port: u16,
    /// For `Host:`.
    header: String,
}

impl Named {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let url = Url::parse(text).or_else(|_| Url::parse(&format!("http://{text}")));
        let url =
            url.with_context(|| format!("{text:?} is no URL; write http://127.0.0.1:3000"))?;
        let tls = match url.scheme() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            other => bail!("{text:?} begins with {other:?}; write http, https, ws or wss"),
        };
        let host = url
            .host_str()
            .with_context(|| format!("{text:?} names no host"))?;
        Ok(Self {
            tls,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url
                .port_or_known_default()
                .unwrap_or(if tls { 443 } else { 80 }),
            header: url
                .port()
                .map_or(host.to_owned(), |port| format!("{host}:{port}")),
        })
    }
}

/// The path with its query, and the header lines.
fn request(args: &TargetArgs) -> anyhow::Result<(String, String)> {
    ensure!(
        args.path.starts_with('/'),
        "--path begins with /, as in /socket.io/"
    );
    let mut path = format!("{}?", args.path);
    for pair in &args.query {
        let (name, value) = pair
            .split_once('=')
            .with_context(|| format!("--query {pair:?} is not NAME=VALUE"))?;
        let encoded = url::form_urlencoded::Serializer::new(String::new())
            .append_pair(name, value)
            .finish();
        path.push_str(&encoded);
        path.push('&');
    }
    let mut headers = String::new();
    for header in &args.header {
        let (name, value) = header
            .split_once(':')
            .with_context(|| format!("--header {header:?} is not NAME: VALUE"))?;
        let clean = |part: &str| !part.contains(['\r', '\n']) && !part.is_empty();
        ensure!(
            clean(name.trim()) && clean(value.trim()),
            "--header {header:?} is not NAME: VALUE"
        );
        headers.extend([name.trim(), ": ", value.trim(), "\r\n"]);
    }
    Ok((path, headers))
}

pub(crate) fn namespace(name: &str) -> anyhow::Result<String> {
    let name = if name.starts_with('/') {
        name.to_owned()
    } else {
        format!("/{name}")
    };
    ensure!(!name.contains(','), "a namespace has no comma: {name:?}");
    Ok(name)
}

pub(crate) fn auth(text: &str) -> anyhow::Result<String> {
    let value: serde_json::Value =
        serde_json::from_str(text).with_context(|| format!("--auth {text:?} is no JSON"))?;
    ensure!(
        value.is_object(),
        "--auth is a JSON object, as in {{\"token\":\"…\"}}"
    );
    Ok(value.to_string())
}
