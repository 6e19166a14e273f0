//! Machines on the wire.

use serde::{Deserialize, Serialize};

use crate::Metadata;

/// A machine that is present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Machine {
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub id: String,
    /// The metadata that counts.
    #[serde(skip_serializing_if = "Metadata::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, String>))]
    pub metadata: Metadata,
    /// Its published address, or nothing.
    #[serde(rename = "primaryIP", skip_serializing_if = "String::is_empty")]
    pub primary_ip: String,
}

/// A page of machines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MachinePage {
    /// Machines, sorted by id.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<Machine>,
    /// Token of the page that follows.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::PageToken>))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
}
