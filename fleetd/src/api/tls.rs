//! TLS on the TCP sockets of the API: clients see this machine's certificate and have to show one of
//! theirs, as whoever may use the API may run anything. Certificates may be exchanged while the
//! sockets go on listening.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::serve;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info};

use super::listen::keep_alive;

/// Nobody needs longer to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Hands shaken at the same time; whoever comes then waits in the socket's queue.
const HANDSHAKES: usize = 64;

/// Where the certificates are, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Authorities that sign the clients' certificates.
    pub ca: PathBuf,
    /// Certificate that clients are shown, with those between it and its authority.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Why the API cannot speak TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds something else.
    #[error("cannot read {what} from {path}", path = path.display())]
    File {
        /// What it should hold.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// What the files hold is of no use, alone or together.
    #[error("cannot use {what} in {path}", path = path.display())]
    Unusable {
        /// What it holds.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Certificates that are ready for use.
#[derive(Clone, Debug)]
pub struct Tls(Arc<ServerConfig>);

impl TlsFiles {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// If they cannot be read or used.
    pub fn read(&self) -> Result<Tls, TlsError> {
        let unusable = |what, path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::Unusable { what, path, source }
        };
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        for authority in certificates(&self.ca)? {
            let added = roots.add(authority).map_err(Box::from);
            added.map_err(unusable("an authority", &self.ca))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let verifier = verifier.build().map_err(Box::from);
        let verifier = verifier.map_err(unusable("the authorities", &self.ca))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|source| TlsError::File {
            what: "a key",
            path: self.key.clone(),
            source,
        })?;
        let chain = certificates(&self.cert)?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_client_cert_verifier(verifier).with_single_cert(chain, key)
            });
        let config = config.map_err(Box::from);
        let what = "the certificate with its key";
        let mut config = config.map_err(unusable(what, &self.cert))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Tls(Arc::new(config)))
    }
}

/// At least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File { what: "certificates", path: path.to_owned(), source };
    let read = CertificateDer::pem_file_iter(path).map_err(failed)?;
    let read = read.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    if read.is_empty() { Err(failed(pem::Error::NoItemsFound)) } else { Ok(read) }
}

type Connection = (TlsStream<TcpStream>, SocketAddr);

/// Connections with clients that have shown a certificate.
#[derive(Debug)]
pub(super) struct TlsListener {
    connections: mpsc::Receiver<Connection>,
    address: io::Result<SocketAddr>,
}

impl TlsListener {
    /// Takes connections of a socket until `stop`. Hands are shaken in tasks of their own, so that
    /// nobody waits for somebody who is slow. A connection gets the newest certificates.
    pub(super) fn new(
        socket: TcpListener,
        tls: watch::Receiver<Tls>,
        tracker: &TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let address = socket.local_addr();
        let (sender, connections) = mpsc::channel(1);
        let taking = take(socket, tls, sender, tracker.clone(), stop.clone());
        tracker.spawn(stop.clone().run_until_cancelled_owned(taking));
        Self { connections, address }
    }
}

async fn take(
    mut socket: TcpListener,
    tls: watch::Receiver<Tls>,
    connections: mpsc::Sender<Connection>,
    tracker: TaskTracker,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (stream, peer) = serve::Listener::accept(&mut socket).await;
        keep_alive(&stream);
        let acceptor = TlsAcceptor::from(tls.borrow().0.clone());
        let connections = connections.clone();
        tracker.spawn(stop.clone().run_until_cancelled_owned(async move {
            match timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    // If nobody takes it, fleetd ends.
                    let (Ok(()) | Err(_)) = connections.send((stream, peer)).await;
                }
                Ok(Err(error)) => info!(%peer, %error, "A client of the API is not let in"),
                Err(_) => debug!(%peer, "A client of the API did not shake hands"),
            }
            drop(place);
        }));
    }
}

impl serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Connection {
        match self.connections.recv().await {
            Some(connection) => connection,
            // Told to stop, as whoever serves is too.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.address {
            Ok(address) => Ok(*address),
            Err(error) => Err(error.kind().into()),
        }
    }
}
