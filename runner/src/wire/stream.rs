//! The bytes of one connection: unencrypted or encrypted.

use crate::out::Shown as _;
use std::{
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

/// The transport that a listener requires.
#[derive(Clone, Debug, Default)]
pub enum Transport {
    #[default]
    Clear,
    /// TLS, with a certificate that these authorities signed for the address.
    Tls(Arc<ClientConfig>),
    /// TLS without usable certificates: the reason.
    Unusable(String),
}

impl Transport {
    /// TLS trusting the certificates of a PEM file alone.
    pub fn trusting(file: &Path) -> Self {
        if file.as_os_str().is_empty() {
            return Self::Unusable(NO_AUTHORITY.to_owned());
        }
        match client_config(file) {
            Ok(config) => Self::Tls(Arc::new(config)),
            Err(why) => Self::Unusable(format!("{}: {why}", file.shown())),
        }
    }

    /// Connects to `HOST:PORT`.
    pub(crate) async fn connect(&self, address: &str) -> io::Result<Stream> {
        if let Self::Unusable(why) = self {
            return Err(io::Error::other(why.clone()));
        }
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let Self::Tls(config) = self else { return Ok(Stream::Clear(tcp)) };
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(config.clone());
        Ok(Stream::Tls(Box::new(connector.connect(name, tcp).await?)))
    }
}

const NO_AUTHORITY: &str = "`ssl.ca.location` is not set: kplan needs the certificates that it may trust, on Debian for \
                            public ones /etc/ssl/certs/ca-certificates.crt";

fn client_config(file: &Path) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| e.to_string())? {
        roots.add(certificate.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions();
    Ok(builder.map_err(|e| e.to_string())?.with_root_certificates(roots).with_no_client_auth())
}

/// An open connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Resolves when the peer closes the connection, or sends unexpected data.
    pub(crate) async fn disturbed(&self) {
        let mut byte = [0];
        let tcp = match self {
            Self::Clear(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        };
        let _ = tcp.peek(&mut byte).await;
    }
}

/// Does the same to whichever stream it is.
macro_rules! either {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Clear($stream) => $call,
            Stream::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };
    use tokio_rustls::{
        TlsAcceptor,
        rustls::{ServerConfig, pki_types::PrivateKeyDer},
    };

    use super::*;
    use crate::cluster::certificates::Authority;

    /// Answers one TLS connection with what it reads; the address.
    async fn echo(authority: &Authority, hosts: &[String]) -> String {
        let pem = authority.issue(hosts).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).expect("a key");
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain.expect("a chain"), key)
            .expect("they belong together");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound").to_string();
        tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.expect("a client");
            // A client that does not trust us goes away.
            let Ok(mut tls) = TlsAcceptor::from(Arc::new(config)).accept(tcp).await else { return };
            let mut byte = [0];
            tls.read_exact(&mut byte).await.expect("a byte");
            tls.write_all(&byte).await.expect("sent");
        });
        address
    }

    fn trusting(authority: &Authority) -> Transport {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), authority.pem()).expect("written");
        Transport::trusting(file.path())
    }

    #[tokio::test]
    async fn a_certificate_for_this_address_by_this_authority_is_taken() {
        let authority = Authority::new("one").expect("an authority");
        let address = echo(&authority, &["127.0.0.1".to_owned()]).await;
        let mut stream = trusting(&authority).connect(&address).await.expect("trusted");
        stream.write_all(b"x").await.expect("sent");
        assert_eq!(stream.read_u8().await.expect("an answer"), b'x');
    }

    #[tokio::test]
    async fn another_authority_or_another_address_is_refused() {
        let (one, other) = (Authority::new("one"), Authority::new("other"));
        let (one, other) = (one.expect("an authority"), other.expect("an authority"));
        let address = echo(&one, &["127.0.0.1".to_owned()]).await;
        let error = trusting(&other).connect(&address).await.expect_err("a stranger's");
        assert!(error.to_string().contains("UnknownIssuer"), "{error}");
        let address = echo(&one, &["elsewhere".to_owned()]).await;
        let error = trusting(&one).connect(&address).await.expect_err("another's");
        assert!(error.to_string().contains("not valid for name"), "{error}");
    }

    #[tokio::test]
    async fn without_a_certificate_to_trust_nothing_is_opened() {
        let transport = Transport::trusting(Path::new("/nonexistent/ca.pem"));
        let error = transport.connect("127.0.0.1:1").await.expect_err("no file");
        assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
        let error = Transport::trusting(Path::new("")).connect("127.0.0.1:1").await;
        let error = error.expect_err("no file is named").to_string();
        assert!(error.contains("`ssl.ca.location` is not set"), "{error}");
    }
}
