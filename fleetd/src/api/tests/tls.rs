//! TLS on TCP sockets: who is let in, and certificates that are exchanged.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::api::{ApiSettings, Doors, Listener, Tls, TlsFiles, Unavailable, serve};
use crate::log::chain;
use crate::registry::key::KeyPrefix;
use crate::store::embedded::EmbeddedStore;

/// An authority that signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut parameters = named(name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(parameters, key).unwrap())
    }

    fn sign(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        Identity { certificate: named(name).signed_by(&key, &self.0).unwrap(), key }
    }
}

fn named(name: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters
}

fn write(directory: &Path, authority: &Authority, identity: &Identity) -> TlsFiles {
    let at = |name: &str, text: String| {
        let path = directory.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    TlsFiles {
        ca: at("ca.pem", authority.0.pem()),
        cert: at("cert.pem", identity.certificate.pem()),
        key: at("key.pem", identity.key.serialize_pem()),
    }
}

struct Server {
    address: SocketAddr,
    certificates: watch::Sender<Tls>,
    _readiness: watch::Sender<Result<(), Unavailable>>,
    _stop: DropGuard,
}

impl Server {
    async fn new(files: &TlsFiles) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let certificates = watch::Sender::new(files.read().unwrap());
        let (readiness, ready) = watch::channel(Ok(()));
        let settings = ApiSettings {
            prefix: KeyPrefix::new("/fleet"),
            token_limit: 100.try_into().unwrap(),
            metrics: Arc::default(),
        };
        let stop = CancellationToken::new();
        let tls = Some(certificates.subscribe());
        let doors = Doors { listeners: vec![Listener::Tcp(socket)], tls };
        let store = EmbeddedStore::in_memory().unwrap();
        serve(settings, store, ready, doors, &TaskTracker::new(), &stop);
        Self { address, certificates, _readiness: readiness, _stop: stop.drop_guard() }
    }

    /// The status line of an answer.
    async fn ask(&self, trusted: &Authority, shown: Option<&Identity>) -> Result<String, String> {
        let mut roots = RootCertStore::empty();
        roots.add(trusted.0.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
                builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
            }
        };
        let asked = async {
            let stream = TcpStream::connect(self.address).await?;
            let name = "localhost".try_into().unwrap();
            let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
            let request = "GET /fleet/v1/machines HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).await?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await?;
            Ok::<_, std::io::Error>(String::from_utf8_lossy(&answer).into_owned())
        };
        let answer = asked.await.map_err(|error| error.to_string())?;
        Ok(answer.lines().next().unwrap_or_default().to_owned())
    }
}

fn good() -> Result<String, String> {
    Ok("HTTP/1.1 200 OK".to_owned())
}

#[tokio::test]
async fn only_who_shows_a_certificate_of_the_right_authority_is_answered() {
    let directory = TempDir::new().unwrap();
    let (ours, foreign) = (Authority::new("ours"), Authority::new("foreign"));
    let server = Server::new(&write(directory.path(), &ours, &ours.sign("server"))).await;
    // Somebody who connects and says nothing holds nobody up.
    let _silent = TcpStream::connect(server.address).await.unwrap();

    let client = ours.sign("client");
    assert_eq!(server.ask(&ours, Some(&client)).await, good());
    for shown in [None, Some(&foreign.sign("client"))] {
        let refused = server.ask(&ours, shown).await.unwrap_err();
        assert!(refused.contains("alert"), "{refused}");
    }
    let plain = async {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /fleet/v1/machines HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let (Ok(_) | Err(_)) = stream.read_to_end(&mut answer).await;
        answer
    };
    assert!(!plain.await.starts_with(b"HTTP"));
}

#[tokio::test]
async fn exchanged_certificates_count_for_new_connections_on_the_same_socket() {
    let directory = TempDir::new().unwrap();
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let server = Server::new(&write(directory.path(), &old, &old.sign("server"))).await;
    let (old_client, new_client) = (old.sign("client"), new.sign("client"));
    assert_eq!(server.ask(&old, Some(&old_client)).await, good());

    let files = write(directory.path(), &new, &new.sign("server"));
    server.certificates.send_replace(files.read().unwrap());

    assert_eq!(server.ask(&new, Some(&new_client)).await, good());
    assert!(server.ask(&old, Some(&old_client)).await.is_err());
    assert!(server.ask(&new, Some(&old_client)).await.is_err());
}

#[test]
fn files_that_cannot_be_used_are_named_with_what_they_should_hold() {
    let directory = TempDir::new().unwrap();
    let authority = Authority::new("a");
    let files = write(directory.path(), &authority, &authority.sign("server"));
    let refusal = |files: &TlsFiles| chain(&files.read().unwrap_err());
    let at = |name: &str| directory.path().join(name).display().to_string();

    std::fs::write(directory.path().join("empty"), "").unwrap();
    let empty = directory.path().join("empty");
    let other = directory.path().join("other-key.pem");
    std::fs::write(&other, authority.sign("other").key.serialize_pem()).unwrap();

    let no_ca = refusal(&TlsFiles { ca: empty, ..files.clone() });
    assert_eq!(no_ca, format!("cannot read certificates from {}: no items found", at("empty")));
    let no_key = refusal(&TlsFiles { key: files.ca.clone(), ..files.clone() });
    assert_eq!(no_key, format!("cannot read a key from {}: no items found", at("ca.pem")));
    let wrong = refusal(&TlsFiles { key: other, ..files });
    let start = format!("cannot use the certificate with its key in {}: ", at("cert.pem"));
    assert!(wrong.starts_with(&start), "{wrong}");
}
