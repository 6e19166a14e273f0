//! Unit states on the wire: what systemd says of a unit on one machine.

use serde::{Deserialize, Serialize};

/// State of a unit on a machine, in systemd's words.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct UnitState {
    /// Hash of the unit that systemd was given.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub hash: String,
    /// The machine.
    #[serde(rename = "machineID", skip_serializing_if = "String::is_empty")]
    pub machine_id: String,
    /// Name of the unit.
    #[cfg_attr(feature = "openapi", schema(value_type = crate::UnitName))]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// ActiveState: active, inactive, failed, ...
    #[serde(skip_serializing_if = "String::is_empty")]
    pub systemd_active_state: String,
    /// LoadState: loaded, not-found, ...
    #[serde(skip_serializing_if = "String::is_empty")]
    pub systemd_load_state: String,
    /// SubState: running, dead, ...
    #[serde(skip_serializing_if = "String::is_empty")]
    pub systemd_sub_state: String,
}

/// A page of unit states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct UnitStatePage {
    /// Token of the page that follows.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<super::PageToken>))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<String>,
    /// States, sorted by name, then by machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<UnitState>,
}
