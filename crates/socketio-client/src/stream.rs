//! From an origin to a byte stream: host name, TCP, and TLS where the scheme wants it.

use std::{io, net::SocketAddr, sync::Arc};

use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream, lookup_host},
};
use tokio_rustls::TlsConnector;

use crate::{Error, Options};

/// Bytes to and from the server, encrypted or not.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for T {}

/// Connects to the first address of the host that accepts.
pub(crate) async fn tcp(options: &Options) -> Result<TcpStream, Error> {
    let failed = |source| Error::Connect {
        address: options.origin.address(),
        source,
    };
    let host = options.origin.bare_host();
    let mut last = io::Error::new(
        io::ErrorKind::NotFound,
        "the host has no address that fits the source address",
    );
    for address in lookup_host((host, options.origin.port))
        .await
        .map_err(failed)?
    {
        if options
            .source
            .is_some_and(|source| source.is_ipv4() != address.is_ipv4())
        {
            continue;
        }
        match from_source(options, address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

async fn from_source(options: &Options, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(source) = options.source {
        socket.bind(SocketAddr::new(source, 0))?;
    }
    let stream = socket.connect(address).await?;
    // Packets are small and each is somebody's click.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Opens a TLS session over `stream`.
pub(crate) async fn tls(
    options: &Options,
    stream: TcpStream,
) -> Result<impl ByteStream + use<>, Error> {
    let failed = |source| Error::Tls {
        address: options.origin.address(),
        source,
    };
    let config = match &options.tls {
        Some(config) => Arc::clone(config),
        None => system_trust().map_err(failed)?,
    };
    let name = ServerName::try_from(options.origin.bare_host().to_owned());
    let name = name.map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(failed)
}

/// Trusts whom the system trusts (or `SSL_CERT_FILE`, `SSL_CERT_DIR`).
fn system_trust() -> io::Result<Arc<ClientConfig>> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _unreadable) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no trusted certificates on this system; install ca-certificates or set SSL_CERT_FILE",
        ));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
