//! Units on the wire.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{TargetState, UnitOption};

/// A unit, asked for or answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Unit {
    /// What its machine has brought about; absent for global units.
    #[serde(deserialize_with = "state", skip_serializing_if = "Option::is_none")]
    pub current_state: Option<TargetState>,
    /// What is asked for.
    #[serde(deserialize_with = "state", skip_serializing_if = "Option::is_none")]
    pub desired_state: Option<TargetState>,
    /// The machine that holds it.
    #[serde(rename = "machineID", skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = crate::UnitName))]
    pub name: String,
    /// Its options.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<UnitOption>,
    /// Its text byte for byte. Not in 1.0, whose clients and servers ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A page of units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct UnitPage {
    /// Token of the page that follows.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::PageToken>))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// Units, sorted by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<Unit>,
}

/// Reads a state; 1.0's clients may say `""` for none.
pub(super) fn state<'de, D: Deserializer<'de>>(from: D) -> Result<Option<TargetState>, D::Error> {
    match Option::<String>::deserialize(from)?.as_deref() {
        None | Some("") => Ok(None),
        Some(word) => word.parse().map(Some).map_err(serde::de::Error::custom),
    }
}
