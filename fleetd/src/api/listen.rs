//! The sockets that the API is served on: those that systemd passes in, else one of our own.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use listenfd::ListenFd;
use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tracing::{debug, warn};

/// Who may use the API, beside root.
const GROUP: &str = "fleet";
const GROUPS: &str = "/etc/group";
/// The group may do everything that root may do with units; others nothing.
const MODE: u32 = 0o660;
/// How long a connection is silent before the kernel probes it; with the defaults of Linux it gives up eleven minutes later.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// A socket that takes connections.
#[derive(Debug)]
pub enum Listener {
    /// For this machine, guarded by file permissions.
    Unix(UnixListener),
    /// Guarded by TLS, or else by nothing.
    Tcp(TcpListener),
}

/// Whom TCP sockets let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpAccess {
    /// This machine alone.
    Loopback,
    /// Clients with a certificate: all sockets speak TLS.
    Certificate,
    /// Everybody who reaches the address.
    Everybody,
}

/// Lets the kernel find out whether a client is still there: one that lost its power says nothing.
pub(super) fn keep_alive(stream: &TcpStream) {
    let set = sockopt::set_socket_keepalive(stream, true)
        .and_then(|()| sockopt::set_tcp_keepidle(stream, KEEP_ALIVE));
    if let Err(error) = set {
        debug!(%error, "A connection of the API is not probed");
    }
}

/// Why the API cannot be served on a socket.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The socket does not listen, or is of another kind.
    #[error("cannot use the socket that systemd passed in as number {number}")]
    Passed {
        /// Its number, counted from 1.
        number: usize,
        /// What is wrong with it.
        source: io::Error,
    },
    /// Everybody who reaches the address could run anything here.
    #[error(
        "will not serve the API on {address}: whoever reaches it owns the cluster; listen on a loopback address, set api_cafile, api_certfile and api_keyfile for TLS, or set insecure_tcp=true if the network is trusted"
    )]
    PlainTcp {
        /// The address.
        address: SocketAddr,
    },
    /// Another fleetd is at work.
    #[error("another fleetd listens on {}", path.display())]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// The socket cannot be made.
    #[error("cannot listen on {}", path.display())]
    Own {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The sockets that systemd passed in, or one of our own at `path`.
///
/// # Errors
///
/// If any of them cannot be used, or lets in more people than `tcp` allows.
pub(super) fn open(path: &Path, tcp: TcpAccess) -> Result<Vec<Listener>, ListenError> {
    let passed = passed_in()?;
    if passed.is_empty() {
        return Ok(vec![Listener::Unix(own(path)?)]);
    }
    passed.iter().try_for_each(|listener| check(listener, tcp))?;
    Ok(passed)
}

fn passed_in() -> Result<Vec<Listener>, ListenError> {
    let mut passed = ListenFd::from_env();
    (0..passed.len())
        .map(|index| {
            take(&mut passed, index)
                .map_err(|source| ListenError::Passed { number: index + 1, source })
        })
        .collect()
}

fn take(passed: &mut ListenFd, index: usize) -> io::Result<Listener> {
    // A socket of the other kind stays where it is and can be taken again.
    if let Ok(Some(listener)) = passed.take_unix_listener(index) {
        listener.set_nonblocking(true)?;
        return Ok(Listener::Unix(UnixListener::from_std(listener)?));
    }
    match passed.take_tcp_listener(index)? {
        Some(listener) => {
            listener.set_nonblocking(true)?;
            Ok(Listener::Tcp(TcpListener::from_std(listener)?))
        }
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

fn check(listener: &Listener, tcp: TcpAccess) -> Result<(), ListenError> {
    match (listener, tcp) {
        (Listener::Tcp(listener), TcpAccess::Loopback) => match listener.local_addr() {
            Ok(address) if !address.ip().to_canonical().is_loopback() => {
                Err(ListenError::PlainTcp { address })
            }
            Ok(_) | Err(_) => Ok(()),
        },
        (Listener::Unix(_), _) | (_, TcpAccess::Certificate | TcpAccess::Everybody) => Ok(()),
    }
}

fn own(path: &Path) -> Result<UnixListener, ListenError> {
    let failed = |source| ListenError::Own { path: path.to_owned(), source };
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(ListenError::Taken { path: path.to_owned() });
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    match group_id(&std::fs::read_to_string(GROUPS).unwrap_or_default(), GROUP) {
        Some(group) => chown(path, None, Some(group)).map_err(failed)?,
        None => warn!(reason = "there is no group fleet", "Only root may use fleetctl"),
    }
    std::fs::set_permissions(path, PermissionsExt::from_mode(MODE)).map_err(failed)?;
    Ok(listener)
}

/// The number of a group in the text of `/etc/group`.
fn group_id(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then_some(())?;
        fields.nth(1)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_by_their_whole_name() {
        let groups = "root:x:0:\nfleetops:x:7:\nfleet:x:977:core,op\nbad\n";

        assert_eq!(group_id(groups, "fleet"), Some(977));
        assert_eq!(group_id(groups, "wheel"), None);
    }

    #[tokio::test]
    async fn tcp_is_refused_beyond_loopback_without_tls_unless_somebody_insists() {
        let everywhere = Listener::Tcp(TcpListener::bind("0.0.0.0:0").await.unwrap());
        let loopback = Listener::Tcp(TcpListener::bind("127.0.0.1:0").await.unwrap());

        assert!(matches!(
            check(&everywhere, TcpAccess::Loopback),
            Err(ListenError::PlainTcp { .. })
        ));
        assert!(check(&everywhere, TcpAccess::Everybody).is_ok());
        assert!(check(&everywhere, TcpAccess::Certificate).is_ok());
        assert!(check(&loopback, TcpAccess::Loopback).is_ok());
    }

    #[tokio::test]
    async fn a_socket_left_over_is_replaced_and_a_living_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fleet.sock");
        drop(own(&path).unwrap());

        let living = own(&path).unwrap();

        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert!(matches!(own(&path), Err(ListenError::Taken { .. })));
        drop(living);
    }
}
