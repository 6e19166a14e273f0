//! One endpoint of etcd with its connection, made at first use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use etcd_client::{Client, ConnectOptions};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::sync::OnceCell;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use super::EtcdOptions;

/// etcd closes a connection that is pinged more often than every 5 s, or without an open stream.
const PING_INTERVAL: Duration = Duration::from_secs(6);
const PING_TIMEOUT: Duration = Duration::from_secs(2);

/// The kernel's probes find a machine that died or is cut off long before etcd's limit on pings
/// allows us to: seen in tests after 3 s on an idle connection, and 2.5 s after unanswered data.
const TCP_IDLE: Duration = Duration::from_secs(2);
const TCP_PROBE: Duration = Duration::from_secs(1);
const TCP_USER_TIMEOUT: Duration = Duration::from_millis(2500);

/// Why a connection to etcd cannot be set up as configured.
#[derive(Debug, thiserror::Error)]
pub enum EtcdOptionsError {
    /// The list of endpoints is empty.
    #[error("no endpoint of etcd is configured")]
    NoEndpoint,
    /// An endpoint is not a URL.
    #[error("`{endpoint}` is not a URL of etcd such as http://127.0.0.1:2379")]
    Endpoint {
        /// The endpoint as configured.
        endpoint: String,
    },
    /// An endpoint carries a user or password.
    #[error("a user or password in an endpoint of etcd is not supported; set them by themselves")]
    Userinfo,
    /// A certificate or key cannot be read.
    #[error("cannot read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// A certificate without its key, or a key without its certificate.
    #[error("a client certificate and its key are needed together")]
    HalfIdentity,
    /// The certificates cannot be used.
    #[error("cannot use the configured certificates")]
    Tls(#[source] tonic::transport::Error),
}

/// Files for TLS, in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Authorities that sign etcd's certificates; the system's if not given.
    pub ca: Option<PathBuf>,
    /// Certificate that this client shows.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

impl TlsFiles {
    pub(super) fn read(&self) -> Result<ClientTlsConfig, EtcdOptionsError> {
        let mut config = ClientTlsConfig::new();
        config = match &self.ca {
            Some(path) => config.ca_certificate(Certificate::from_pem(read(path)?)),
            None => config.with_native_roots(),
        };
        match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                Ok(config.identity(Identity::from_pem(read(cert)?, read(key)?)))
            }
            (None, None) => Ok(config),
            (Some(_), None) | (None, Some(_)) => Err(EtcdOptionsError::HalfIdentity),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, EtcdOptionsError> {
    fs::read(path).map_err(|source| EtcdOptionsError::File { path: path.to_owned(), source })
}

/// One endpoint; knows nothing of the others.
pub(super) struct Endpoint {
    pub(super) url: String,
    options: EtcdOptions,
    /// Replaced as a whole with other certificates. Held to take a copy only.
    link: Mutex<Arc<Link>>,
}

/// A connection with the certificates that it was made for.
struct Link {
    target: tonic::transport::Endpoint,
    connector: HttpConnector,
    options: ConnectOptions,
    channel: OnceLock<Channel>,
    client: OnceCell<Client>,
}

// The options hold a password.
impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Endpoint {
    pub(super) fn new(
        url: &str,
        options: &EtcdOptions,
        tls: &ClientTlsConfig,
    ) -> Result<Self, EtcdOptionsError> {
        let link = Mutex::new(Arc::new(Link::new(url, options, tls)?));
        Ok(Self { url: url.to_owned(), options: options.clone(), link })
    }

    /// Connects with these certificates from now on. What is under way ends on the old connection.
    pub(super) fn renew(&self, tls: &ClientTlsConfig) -> Result<(), EtcdOptionsError> {
        let link = Arc::new(Link::new(&self.url, &self.options, tls)?);
        *self.link() = link;
        Ok(())
    }

    /// The client of this endpoint. Without a password nothing is sent before the first request.
    pub(super) async fn client(&self) -> Result<Client, etcd_client::Error> {
        let link = Arc::clone(&self.link());
        link.client().await
    }

    fn link(&self) -> MutexGuard<'_, Arc<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn new(
        url: &str,
        options: &EtcdOptions,
        tls: &ClientTlsConfig,
    ) -> Result<Self, EtcdOptionsError> {
        let invalid = || EtcdOptionsError::Endpoint { endpoint: url.to_owned() };
        let target = tonic::transport::Endpoint::from_shared(url.to_owned());
        let mut target = target.map_err(|_| invalid())?;
        if target.uri().authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(EtcdOptionsError::Userinfo);
        }
        target = match target.uri().scheme_str() {
            Some("http") => target,
            Some("https") => target.tls_config(tls.clone()).map_err(EtcdOptionsError::Tls)?,
            _ => return Err(invalid()),
        };
        target = target
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(false);

        Ok(Self {
            target,
            connector: connector(options.request_timeout / 2),
            options: connect_options(options),
            channel: OnceLock::new(),
            client: OnceCell::new(),
        })
    }

    async fn client(&self) -> Result<Client, etcd_client::Error> {
        let connect = || {
            let channel = self
                .channel
                .get_or_init(|| self.target.connect_with_connector_lazy(self.connector.clone()));
            let channel = etcd_client::Channel::Tonic(channel.clone());
            Client::from_channel(channel, Some(self.options.clone()))
        };
        self.client.get_or_try_init(connect).await.cloned()
    }
}

fn connector(connect_timeout: Duration) -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    // Shorter than a request may take: a request that timed out while connecting was never sent.
    connector.set_connect_timeout(Some(connect_timeout));
    connector.set_keepalive(Some(TCP_IDLE));
    connector.set_keepalive_interval(Some(TCP_PROBE));
    connector.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
    connector
}

fn connect_options(options: &EtcdOptions) -> ConnectOptions {
    // With a leader required, a member that is cut off from its cluster says so at once.
    let connect = ConnectOptions::new().with_require_leader(true);
    match &options.credentials {
        Some(credentials) => connect
            .with_user(&credentials.username, &credentials.password)
            .with_auto_token_refresh(true),
        None => connect,
    }
}
