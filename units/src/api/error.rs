//! The envelope of errors.

use serde::{Deserialize, Serialize};

/// Body of a response that is not a success.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

impl ErrorBody {
    /// The body for a status code and a sentence.
    pub fn new(code: u16, message: impl Into<String>) -> Self {
        Self { error: ErrorDetail { code, message: message.into() } }
    }
}

/// What went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ErrorDetail {
    /// The HTTP status code.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub code: u16,
    /// A sentence that a person can act on.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub message: String,
}
