//! TLS with fleet's API. The server's certificate is always checked; 1.0 did that only for those who
//! showed one of their own.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, RootCertStore,
};

/// Files for TLS, in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// Authorities that sign the server's certificate; the system's if not given.
    pub(crate) ca: Option<PathBuf>,
    /// Certificate to show, and its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

/// What servers without TLS do when they are greeted in it, unless they answer in plain text.
const HUNG_UP: &str = "it hung up when TLS began; write http://HOST:PORT if it speaks none";

impl TlsFiles {
    /// Makes a stream to a host one that is encrypted, with a host that is the one it says.
    pub(super) async fn secure<S>(&self, host: &str, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| io::Error::other(format!("`{host}` is no name for a certificate")))?;
        let connector = TlsConnector::from(Arc::new(self.config()?));
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::other(HUNG_UP),
            _ => explained(&error).unwrap_or(error),
        };
        connector.connect(name, stream).await.map_err(refused)
    }

    fn config(&self) -> io::Result<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(self.authorities()?);
        let Some((cert, key)) = &self.identity else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(cert)?;
        let key_der = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
        builder.with_client_auth_cert(chain, key_der).map_err(|error| unusable(cert, &error))
    }

    fn authorities(&self) -> io::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            Some(path) => {
                for authority in certificates(path)? {
                    roots.add(authority).map_err(|error| unusable(path, &error))?;
                }
            }
            None => {
                let system = rustls_native_certs::load_native_certs();
                // Some systems have certificates that nobody can read; the others do.
                let (_, _unusable) = roots.add_parsable_certificates(system.certs);
            }
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| unusable(path, &error))?;
    let read = read.collect::<Result<Vec<_>, _>>().map_err(|error| unusable(path, &error))?;
    if read.is_empty() {
        return Err(io::Error::other(format!("there is no certificate in {}", path.display())));
    }
    Ok(read)
}

fn unusable(path: &Path, error: &dyn std::error::Error) -> io::Error {
    io::Error::other(format!("cannot use {}: {error}", path.display()))
}

/// Says what to do about an error of TLS, if that is one and there is something to do.
pub(super) fn explained(error: &io::Error) -> Option<io::Error> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    let advice = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is signed by nobody who is trusted here; --ca-file names an authority"
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it asks for a certificate; --cert-file and --key-file name one"
        }
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::DecryptError
            | AlertDescription::CertificateExpired,
        ) => "it does not accept the certificate that --cert-file names",
        Error::InvalidMessage(_) => "it speaks no TLS; write http://HOST:PORT if that is meant",
        other => return Some(io::Error::other(other.to_string())),
    };
    Some(io::Error::other(advice))
}
