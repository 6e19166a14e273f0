//! Why fleet's API gave no answer, in sentences that name the address.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use fleet_units::api::ErrorBody;

use super::endpoint::Endpoint;
use super::tls;

/// A request that did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody could be reached.
    #[error("cannot connect to fleet at {endpoint}: {}", reason(.fault))]
    Connect {
        /// The address.
        endpoint: Endpoint,
        /// What the system says, as a part of the sentence.
        fault: io::Error,
    },
    /// Somebody took the connection and kept silent.
    #[error("no answer from fleet at {endpoint} within {} s", .after.as_secs_f64())]
    Silent {
        /// The address.
        endpoint: Endpoint,
        /// How long it was waited for.
        after: Duration,
    },
    /// Somebody else lives at the address.
    #[error("{endpoint} does not answer as fleet does: {what}")]
    NotFleet {
        /// The address.
        endpoint: Endpoint,
        /// What came in place of fleet's answer.
        what: String,
    },
    /// The connection broke before the answer was complete.
    #[error("the connection to fleet at {endpoint} broke: {what}")]
    Broken {
        /// The address.
        endpoint: Endpoint,
        /// How.
        what: String,
    },
    /// fleet refused, and says why.
    #[error("{}", refusal(*.code, .message, .endpoint))]
    Refused {
        /// The address.
        endpoint: Endpoint,
        /// The HTTP status.
        code: u16,
        /// fleet's sentence; 1.0 often sends none.
        message: String,
    },
}

impl ClientError {
    pub(super) fn connect(endpoint: &Endpoint, fault: io::Error) -> Self {
        Self::Connect { endpoint: endpoint.clone(), fault }
    }

    pub(super) fn not_fleet(endpoint: &Endpoint, what: impl Into<String>) -> Self {
        Self::NotFleet { endpoint: endpoint.clone(), what: what.into() }
    }

    /// Tells an exchange that broke from one with somebody who speaks no HTTP.
    pub(super) fn exchange(endpoint: &Endpoint, error: &hyper::Error) -> Self {
        if error.is_parse() {
            return Self::not_fleet(endpoint, "it speaks no HTTP");
        }
        let what = if error.is_incomplete_message() {
            "it was closed before the answer was complete".to_owned()
        } else {
            let fault = error.source().and_then(|source| source.downcast_ref::<io::Error>());
            match fault.and_then(tls::explained) {
                Some(advice) => advice.to_string(),
                None => error.source().map_or_else(|| error.to_string(), ToString::to_string),
            }
        };
        Self::Broken { endpoint: endpoint.clone(), what }
    }

    /// Only an odd host name makes a request that HTTP has no room for.
    pub(super) fn unaskable(endpoint: &Endpoint, error: &hyper::http::Error) -> Self {
        Self::Broken { endpoint: endpoint.clone(), what: error.to_string() }
    }

    /// Reads what stands in an answer that is no success.
    pub(super) fn refused(endpoint: &Endpoint, code: u16, body: &[u8]) -> Self {
        match fleet_units::api::from_json::<ErrorBody>(body) {
            Ok(ErrorBody { error }) => {
                Self::Refused { endpoint: endpoint.clone(), code, message: error.message }
            }
            Err(_) => Self::not_fleet(endpoint, format!("status {code} and {}", describe(body))),
        }
    }
}

/// Says in a few words what a body is that should have been fleet's.
pub(super) fn describe(body: &[u8]) -> &'static str {
    let start = String::from_utf8_lossy(&body[..body.len().min(512)]).to_ascii_lowercase();
    let start = start.trim_start();
    if start.is_empty() {
        "an empty body"
    } else if start.starts_with("<!doctype html") || start.contains("<html") {
        "an HTML page"
    } else if start.starts_with(['{', '[']) {
        "JSON that is not fleet's"
    } else {
        "a body that is not JSON"
    }
}

fn reason(fault: &io::Error) -> String {
    match fault.kind() {
        io::ErrorKind::NotFound => {
            "there is no such socket; does fleetd run on this machine? (--endpoint names another)"
                .to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "permission denied: you need to be in group fleet or root".to_owned()
        }
        io::ErrorKind::ConnectionRefused => "nobody listens there; does fleetd run?".to_owned(),
        _ => fault.to_string(),
    }
}

fn refusal(code: u16, message: &str, endpoint: &Endpoint) -> String {
    if message.is_empty() {
        return format!("fleet at {endpoint} answered with status {code} and gave no reason");
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn each_way_not_to_answer_is_one_sentence_with_the_address() {
        let socket = Endpoint::Unix(PathBuf::from("/run/fleet.sock"));
        let host = Endpoint::Tcp { host: "::1".to_owned(), port: 80 };
        let fault = |kind: io::ErrorKind| ClientError::connect(&socket, kind.into());
        let envelope = br#"{"error":{"code":503,"message":"no engine leads at the moment"}}"#;
        let errors = [
            fault(io::ErrorKind::NotFound),
            fault(io::ErrorKind::PermissionDenied),
            fault(io::ErrorKind::ConnectionRefused),
            fault(io::ErrorKind::TimedOut),
            ClientError::Silent { endpoint: host.clone(), after: Duration::from_millis(2500) },
            ClientError::not_fleet(&host, describe(b"\n<!DOCTYPE html><html>")),
            ClientError::refused(&host, 502, b"<html>bad gateway</html>"),
            ClientError::refused(&host, 500, b""),
            ClientError::refused(&host, 500, br#"{"error":{"code":500,"message":""}}"#),
            ClientError::refused(&host, 503, envelope),
        ];
        insta::assert_snapshot!(errors.map(|error| error.to_string()).join("\n"), @r#"
        cannot connect to fleet at unix:///run/fleet.sock: there is no such socket; does fleetd run on this machine? (--endpoint names another)
        cannot connect to fleet at unix:///run/fleet.sock: permission denied: you need to be in group fleet or root
        cannot connect to fleet at unix:///run/fleet.sock: nobody listens there; does fleetd run?
        cannot connect to fleet at unix:///run/fleet.sock: timed out
        no answer from fleet at http://[::1]:80 within 2.5 s
        http://[::1]:80 does not answer as fleet does: an HTML page
        http://[::1]:80 does not answer as fleet does: status 502 and an HTML page
        http://[::1]:80 does not answer as fleet does: status 500 and an empty body
        fleet at http://[::1]:80 answered with status 500 and gave no reason
        no engine leads at the moment
        "#);
    }
}
