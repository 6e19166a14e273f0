//! What a failed call means: whether it was carried out, and who may repeat it.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use etcd_client::Error;
use tonic::{Code, ConnectError, Status};

/// The words of etcd-client, which hides the answer itself.
pub(super) const LEASE_GONE: &str = "lease not found";

/// What is known about a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It was certainly not carried out; another endpoint may do it.
    NotDone,
    /// As [`Fault::NotDone`], because the token must be renewed.
    StaleToken,
    /// It may have been carried out.
    Unknown,
    /// The revision that it names is compacted.
    Compacted,
    /// A lease that it names does not exist.
    LeaseGone,
    /// etcd says no, and will say so again.
    Refused,
}

impl Fault {
    /// Whether the endpoint did its part: asking another would bring the same answer.
    pub(super) const fn is_answer(self) -> bool {
        match self {
            Self::Compacted | Self::LeaseGone | Self::Refused | Self::StaleToken => true,
            Self::NotDone | Self::Unknown => false,
        }
    }
}

/// A failed call, for people and for the decision what comes next.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    endpoint: String,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Silent(Duration),
    Error(Error),
}

impl Failure {
    /// The request was sent, and this came back.
    pub(super) fn new(endpoint: &str, error: Error) -> Self {
        Self {
            fault: fault_of(&error),
            endpoint: endpoint.to_owned(),
            reason: Reason::Error(error),
        }
    }

    /// The request was sent, and nothing came back.
    pub(super) fn silent(endpoint: &str, waited: Duration) -> Self {
        let endpoint = endpoint.to_owned();
        Self { fault: Fault::Unknown, endpoint, reason: Reason::Silent(waited) }
    }

    /// The same before the request itself went out.
    pub(super) fn before_request(mut self) -> Self {
        if self.fault == Fault::Unknown {
            self.fault = Fault::NotDone;
        }
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.endpoint)?;
        match &self.reason {
            Reason::Silent(waited) => write!(f, "no answer within {} ms", waited.as_millis()),
            Reason::Error(Error::GRpcStatus(status)) => match connect_error(status) {
                Some(error) => write!(f, "cannot connect: {}", root(error)),
                None => f.write_str(status.message()),
            },
            Reason::Error(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

fn fault_of(error: &Error) -> Fault {
    match error {
        Error::GRpcStatus(status) => fault_of_status(status),
        Error::LeaseKeepAliveError(text) if text == LEASE_GONE => Fault::LeaseGone,
        Error::IoError(_)
        | Error::TransportError(_)
        | Error::WatchError(_)
        | Error::LeaseKeepAliveError(_)
        | Error::EndpointError(_)
        | Error::Internal(_) => Fault::Unknown,
        Error::InvalidArgs(_)
        | Error::InvalidUri(_)
        | Error::Utf8Error(_)
        | Error::ElectError(_)
        | Error::InvalidMetadataValue(_)
        | Error::EndpointsNotManaged => Fault::Refused,
    }
}

fn fault_of_status(status: &Status) -> Fault {
    if connect_error(status).is_some() {
        return Fault::NotDone;
    }
    match (status.code(), status.message()) {
        // All of these are said before the request is proposed to the cluster. "leader changed",
        // "request timed out" and "server stopped" are not.
        (Code::Unavailable, "etcdserver: no leader" | "etcdserver: not capable")
        | (Code::ResourceExhausted, "etcdserver: too many requests")
        | (Code::FailedPrecondition, "etcdserver: not leader")
        | (Code::Unauthenticated | Code::Unimplemented, _) => Fault::NotDone,
        (Code::InvalidArgument, "etcdserver: revision of auth store is old") => Fault::StaleToken,
        (Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted") => {
            Fault::Compacted
        }
        (Code::NotFound, "etcdserver: requested lease not found") => Fault::LeaseGone,
        (
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::Internal
            | Code::Unavailable,
            _,
        ) => Fault::Unknown,
        (
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::DataLoss,
            _,
        ) => Fault::Refused,
    }
}

fn connect_error(status: &Status) -> Option<&ConnectError> {
    let mut source = status.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}

fn root<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(code: Code, message: &str) -> Fault {
        fault_of(&Error::GRpcStatus(Status::new(code, message)))
    }

    #[test]
    fn a_request_that_was_never_proposed_is_not_done() {
        assert_eq!(fault(Code::Unavailable, "etcdserver: no leader"), Fault::NotDone);
        assert_eq!(fault(Code::ResourceExhausted, "etcdserver: too many requests"), Fault::NotDone);
    }

    #[test]
    fn a_request_lost_with_its_leader_may_be_done() {
        for message in ["etcdserver: leader changed", "etcdserver: request timed out"] {
            assert_eq!(fault(Code::Unavailable, message), Fault::Unknown, "{message}");
        }
        assert_eq!(fault(Code::Unknown, "h2 protocol error: error reading a body"), Fault::Unknown);
    }

    #[test]
    fn a_connection_that_never_was_means_not_done() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let mut status = Status::unavailable("tcp connect error");
        status.set_source(std::sync::Arc::new(ConnectError(Box::new(refused))));

        assert_eq!(fault_of_status(&status), Fault::NotDone);
        assert_eq!(
            Failure::new("http://a:2379", Error::GRpcStatus(status)).to_string(),
            "http://a:2379: cannot connect: connection refused"
        );
    }

    #[test]
    fn answers_are_told_apart() {
        let answers = [
            (Code::OutOfRange, "etcdserver: mvcc: required revision has been compacted"),
            (Code::NotFound, "etcdserver: requested lease not found"),
            (Code::InvalidArgument, "etcdserver: request is too large"),
            (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
        ]
        .map(|(code, message)| fault(code, message));

        assert_eq!(answers, [Fault::Compacted, Fault::LeaseGone, Fault::Refused, Fault::Refused]);
    }
}
