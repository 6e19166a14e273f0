//! What changes to units would come to.

use serde::{Deserialize, Serialize};

use super::{Candidate, is_false};
use crate::TargetState;

/// What changes to units would come to, had they been made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PlanReply {
    /// The units that were to be changed, in their order, then all others that would move, sorted by
    /// name.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub units: Vec<PlannedUnit>,
    /// Whether no engine leads at the moment, so that nothing would be done before one does.
    #[serde(skip_serializing_if = "is_false")]
    pub leaderless: bool,
}

/// What would become of one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PlannedUnit {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub name: String,
    /// Whether it was to be changed, or is merely touched by what was.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub asked: bool,
    /// Why its change would be refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What in its new contents does not do what its author meant, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What would be asked for.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub desired_state: TargetState,
    /// Machines that hold it, or would.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub machines: Vec<PlannedCopy>,
    /// Whether it would have no machine, although it wants one.
    #[serde(skip_serializing_if = "is_false")]
    pub pending: bool,
    /// All machines with all that keeps it off them, if it would have none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub obstacles: Vec<Candidate>,
}

/// What would become of a unit on one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct PlannedCopy {
    /// Id of the machine.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub machine: String,
    /// Address of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What happens there.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub effect: Effect,
    /// Why it leaves the machine, as a sentence or a part of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What happens to a unit on a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// Nothing.
    #[default]
    Stays,
    /// It is given to the machine, and not started.
    Loads,
    /// It is started.
    Starts,
    /// It is stopped, and started again.
    Restarts,
    /// It is stopped, and stays on the machine.
    Stops,
    /// It is stopped, and leaves the machine.
    Leaves,
}
