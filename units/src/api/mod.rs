//! What the API says on the wire.
//!
//! Version 1 is that of fleet 1.0: fields in alphabetical order, empty ones omitted. What came
//! later is in [`v2`], beside it.

mod body;
mod error;
mod machine;
mod metadata;
mod page;
#[cfg(feature = "openapi")]
mod schema;
mod state;
mod unit;
pub mod v2;

pub use body::from_json;
pub use error::{ErrorBody, ErrorDetail};
pub use machine::{Machine, MachinePage};
pub use metadata::{MetadataChange, MetadataOperation, MetadataOperationError};
pub use page::{PageToken, PageTokenError};
pub use state::{UnitState, UnitStatePage};
pub use unit::{Unit, UnitPage};

#[cfg(test)]
mod tests;
