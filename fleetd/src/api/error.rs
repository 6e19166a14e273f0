//! What can go wrong with a request, and how it is said: a status and a sentence in 1.0's envelope.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fleet_units::api::{ErrorBody, MetadataOperationError, PageTokenError};
use fleet_units::{MachineId, ParseError, UnitNameError};

use super::change::Refusal;
use crate::log::chain;
use crate::store::StoreError;

/// The largest body of a request for one unit.
pub(super) const MAX_BODY: usize = 512 * 1024;

/// Why a request is not answered as it hoped to be.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The header that says what the body is.
    #[error("expected 1 Content-Type, got {0}")]
    ContentTypes(usize),
    /// The body is something else.
    #[error("only acceptable Content-Type is application/json")]
    ContentType,
    /// The body is not what the request needs.
    #[error("unable to decode body: {0}")]
    Body(serde_json::Error),
    /// The body ended early.
    #[error("unable to read body: {0}")]
    Broken(axum::Error),
    /// The rest of the body does not come.
    #[error("the rest of the body did not come in time: send it again")]
    Slow,
    /// The body is too large.
    #[error("the body of this request may have {} KiB: move large contents of a unit into files of their own", .0 / 1024)]
    TooLarge(usize),
    /// The body speaks of too many units.
    #[error("one request may have {most} units, this one has {count}: send them in several")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// The name in the address is none.
    #[error(transparent)]
    Name(#[from] UnitNameError),
    /// The address is not text.
    #[error("the address is not UTF-8 text")]
    Address,
    /// Address and body speak of different units.
    #[error("name in URL {url:?} differs from unit name in request body {body:?}")]
    NameDiffers {
        /// The name in the address.
        url: String,
        /// The name in the body.
        body: String,
    },
    /// The contents are no unit file.
    #[error(transparent)]
    Contents(#[from] ParseError),
    /// The page token is none.
    #[error(transparent)]
    Token(#[from] PageTokenError),
    /// There is more than one page token.
    #[error("nextPageToken may be given once")]
    Tokens,
    /// The query cannot be taken apart.
    #[error("the query is no list of key=value pairs")]
    Query,
    /// The change is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The stored unit cannot be read.
    #[error("the stored unit cannot be read, so it cannot be changed ({0}): destroy it first")]
    Unreadable(String),
    /// The change of metadata means nothing.
    #[error(transparent)]
    Metadata(#[from] MetadataOperationError),
    /// A machine would have more metadata than everybody can hold.
    #[error(
        "the metadata of machine {0} would be larger than 16 KiB: remove keys that nobody needs, or keep such data elsewhere"
    )]
    MetadataTooLarge(MachineId),
    /// The stored metadata of a machine cannot be read.
    #[error(
        "the stored metadata cannot be read, so it cannot be changed ({reason}): remove the key {key} from the store first"
    )]
    UnreadableMetadata {
        /// Where it is stored.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such unit.
    #[error("unit does not exist")]
    NoUnit,
    /// No machine reports of such a unit.
    #[error("unit state does not exist")]
    NoState,
    /// There is nothing at this address.
    #[error("nothing is served at {0}: the API is at /fleet/v1/")]
    NotFound(String),
    /// The address takes other verbs.
    #[error("{0} is not supported here")]
    Method(String),
    /// The discovery document is there to be read.
    #[error("only HTTP GET supported against this resource")]
    OnlyGet,
    /// Others changed the same again and again.
    #[error("others changed the same meanwhile: look at it and try again")]
    Contended,
    /// Nothing can be said about the cluster.
    #[error("{PHRASE}{}", .0.detail())]
    Unavailable(Unavailable),
    /// The store refuses.
    #[error("{}", chain(.0))]
    Store(StoreError),
}

/// What 1.0 says, and what old tools look for.
const PHRASE: &str = "fleet server unable to communicate with etcd";

/// Why nothing can be said about the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// This machine is not registered yet.
    Pending,
    /// This machine may not join; a sentence says why.
    Refused(String),
    /// The store cannot be reached; a sentence says why.
    Unreachable(String),
    /// The store did not answer in time.
    Silent,
    /// fleetd is stopping.
    Stopping,
}

impl Unavailable {
    fn detail(&self) -> String {
        match self {
            Self::Pending | Self::Stopping => String::new(),
            Self::Refused(reason) | Self::Unreachable(reason) => format!(": {reason}"),
            Self::Silent => ": no answer in time".to_owned(),
        }
    }
}

impl From<Unavailable> for ApiError {
    fn from(reason: Unavailable) -> Self {
        Self::Unavailable(reason)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if let StoreError::Doubted(reason) = error {
            Self::Unavailable(Unavailable::Refused(reason))
        } else if error.is_transient() {
            Self::Unavailable(Unavailable::Unreachable(chain(&error)))
        } else {
            Self::Store(error)
        }
    }
}

impl ApiError {
    /// The status that tells programs the same.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::ContentTypes(_) | Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Body(_)
            | Self::Broken(_)
            | Self::Name(_)
            | Self::Address
            | Self::NameDiffers { .. }
            | Self::Contents(_)
            | Self::Token(_)
            | Self::Tokens
            | Self::Query
            | Self::OnlyGet
            | Self::Metadata(_)
            | Self::Refused(Refusal::Template(_) | Refusal::Directives(_)) => {
                StatusCode::BAD_REQUEST
            }
            Self::TooLarge(_)
            | Self::TooMany { .. }
            | Self::MetadataTooLarge(_)
            | Self::Refused(Refusal::TooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Refused(Refusal::NothingToCreate | Refusal::NothingToChange)
            | Self::Unreadable(_)
            | Self::UnreadableMetadata { .. }
            | Self::Contended => StatusCode::CONFLICT,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::NoUnit | Self::NoState | Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        let message = self.to_string();
        // Being pending is told to systemd and logged by others, once and not per request.
        if status.is_server_error() && !matches!(self, Self::Unavailable(Unavailable::Pending)) {
            tracing::warn!(reason = message, "Could not answer a request");
        }
        (status, Json(ErrorBody::new(status.as_u16(), message))).into_response()
    }
}
