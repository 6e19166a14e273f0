//! Where fleet's API answers.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use super::pipe::Pipe;
use super::tls::TlsFiles;

/// The socket of the fleetd on this machine.
pub(crate) const DEFAULT: &str = "unix:///var/run/fleet.sock";

/// An address of fleet's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A socket on this machine.
    Unix(PathBuf),
    /// A host and a port, without TLS.
    Tcp {
        /// Name or address; an IPv6 address without its brackets.
        host: String,
        /// Port.
        port: u16,
    },
    /// A host and a port, with TLS.
    Tls {
        /// Name or address; an IPv6 address without its brackets.
        host: String,
        /// Port.
        port: u16,
        /// Certificates.
        files: Box<TlsFiles>,
    },
    /// One of these, through a program.
    Piped(Pipe),
}

impl Endpoint {
    /// The same address, with these certificates if it takes any.
    pub(crate) fn with_tls(self, files: TlsFiles) -> Self {
        match self {
            Self::Tls { host, port, .. } => Self::Tls { host, port, files: Box::new(files) },
            Self::Unix(_) | Self::Tcp { .. } | Self::Piped(_) => self,
        }
    }

    /// Gives the scheme of addresses there; 1.0 shows those of a socket as of http.
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Self::Unix(_) | Self::Tcp { .. } => "http",
            Self::Tls { .. } => "https",
            Self::Piped(pipe) => pipe.far.scheme(),
        }
    }

    /// Gives what stands in the `Host` header.
    pub(crate) fn authority(&self) -> String {
        match self {
            Self::Unix(_) => "domain-sock".to_owned(),
            Self::Tcp { host, port } | Self::Tls { host, port, .. } if host.contains(':') => {
                format!("[{host}]:{port}")
            }
            Self::Tcp { host, port } | Self::Tls { host, port, .. } => format!("{host}:{port}"),
            Self::Piped(pipe) => pipe.far.authority(),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { .. } => write!(f, "http://{}", self.authority()),
            Self::Tls { .. } => write!(f, "https://{}", self.authority()),
            Self::Piped(pipe) => write!(f, "{} through {}", pipe.far, pipe.through),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // 1.0 took a list and used its first.
        let first = text.split(',').next().unwrap_or_default().trim();
        let (scheme, rest) = first
            .split_once("://")
            .ok_or_else(|| EndpointError::NoScheme { endpoint: first.to_owned() })?;
        match scheme {
            "unix" | "file" => unix(first, rest),
            "http" => {
                let (host, port) = authority(first, rest, 80)?;
                Ok(Self::Tcp { host, port })
            }
            "https" => {
                let (host, port) = authority(first, rest, 443)?;
                Ok(Self::Tls { host, port, files: Box::default() })
            }
            _ => Err(EndpointError::UnknownScheme {
                endpoint: first.to_owned(),
                scheme: scheme.to_owned(),
            }),
        }
    }
}

/// Why a text is no address of fleet's API.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndpointError {
    /// Nothing says how to connect.
    #[error("URL scheme undefined: `{endpoint}`; write unix:///PATH or http://HOST:PORT")]
    NoScheme {
        /// What was written.
        endpoint: String,
    },
    /// A scheme that fleet's API does not speak.
    #[error("`{endpoint}` has the scheme `{scheme}`; write unix:///PATH or http://HOST:PORT")]
    UnknownScheme {
        /// What was written.
        endpoint: String,
        /// Its scheme.
        scheme: String,
    },
    /// A socket address with one slash too few.
    #[error(
        "unable to connect to host \"{host}\" with scheme \"unix\"; write unix:///PATH with three slashes"
    )]
    HostInUnix {
        /// What stands where a host would.
        host: String,
    },
    /// A port that is none.
    #[error("`{endpoint}` has no valid host and port; write http://HOST:PORT")]
    BadAuthority {
        /// What was written.
        endpoint: String,
    },
}

fn unix(endpoint: &str, rest: &str) -> Result<Endpoint, EndpointError> {
    if rest.starts_with('/') && rest.len() > 1 {
        return Ok(Endpoint::Unix(PathBuf::from(rest)));
    }
    match rest.split('/').next() {
        Some(host) if !host.is_empty() => Err(EndpointError::HostInUnix { host: host.to_owned() }),
        _ => Err(EndpointError::BadAuthority { endpoint: endpoint.to_owned() }),
    }
}

fn authority(
    endpoint: &str,
    rest: &str,
    default_port: u16,
) -> Result<(String, u16), EndpointError> {
    let bad = || EndpointError::BadAuthority { endpoint: endpoint.to_owned() };
    let authority = rest.trim_end_matches('/');
    let (host, port) = match authority.strip_prefix('[') {
        Some(bracketed) => {
            let (host, after) = bracketed.split_once(']').ok_or_else(bad)?;
            (host, after.strip_prefix(':'))
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() || host.contains('/') {
        return Err(bad());
    }
    let port = port.map_or(Ok(default_port), str::parse).map_err(|_| bad())?;
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match text.parse::<Endpoint>() {
            Ok(endpoint) => endpoint.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn sockets_and_hosts_are_told_apart_and_the_rest_is_refused_with_what_to_write() {
        let endpoints = [
            "unix:///var/run/fleet.sock",
            "file:///tmp/f.sock",
            "http://10.0.0.1:49153/",
            "http://[::1]:49153,http://other:1",
            "http://host",
            "unix://var/run/fleet.sock",
            "unix://",
            "10.0.0.1:49153",
            "http://host:x",
            "http://",
            "https://host:1",
            "https://[::1]/",
            "ftp://host",
        ];
        insta::assert_snapshot!(endpoints.map(shown).join("\n"), @r#"
        unix:///var/run/fleet.sock
        unix:///tmp/f.sock
        http://10.0.0.1:49153
        http://[::1]:49153
        http://host:80
        error: unable to connect to host "var" with scheme "unix"; write unix:///PATH with three slashes
        error: `unix://` has no valid host and port; write http://HOST:PORT
        error: URL scheme undefined: `10.0.0.1:49153`; write unix:///PATH or http://HOST:PORT
        error: `http://host:x` has no valid host and port; write http://HOST:PORT
        error: `http://` has no valid host and port; write http://HOST:PORT
        https://host:1
        https://[::1]:443
        error: `ftp://host` has the scheme `ftp`; write unix:///PATH or http://HOST:PORT
        "#);
    }
}
