//! What our own client uses under `/fleet/v2`: details of units, many units in one request, whole
//! lists, a stream of changes, and what is wrong.

mod plan;
mod why;

use serde::{Deserialize, Serialize};

use super::unit::state;
use super::{Machine, UnitState};
pub use crate::JobState;
use crate::{TargetState, UnitOption};
pub use plan::{Effect, PlanReply, PlannedCopy, PlannedUnit};
pub use why::{Candidate, Change, Choice, Explanation, Holding, Verdict};

/// What is wrong in the cluster, beside what single units say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Health {
    /// Stored documents that cannot be read; lists lack them.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub unreadable: Vec<UnreadableDocument>,
    /// Most machines vanished at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// A stored document that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct UnreadableDocument {
    /// Its key in the store.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub key: String,
    /// What is wrong with it.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub reason: String,
}

/// Units stay on lost machines, as most machines vanished at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Hold {
    /// The machines that are still away.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub machines: Vec<String>,
    /// The key in the store that says so: whoever deletes it ends the wait.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub key: String,
}

/// A unit with all that is known of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct UnitDetail {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub name: String,
    /// Create revision of its record: tells it from an earlier unit of that name.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub uid: i64,
    /// Number of accepted writes.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub generation: u64,
    /// Whether each eligible machine is to run it.
    #[serde(skip_serializing_if = "is_false")]
    pub global: bool,
    /// What is asked for.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub desired_state: TargetState,
    /// What its machine has brought about; absent for global units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_state: Option<TargetState>,
    /// The machines that hold it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<Copy>,
    /// Why each machine cannot take it, if it wants a place and has none; of a global unit, if there
    /// are machines without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacles: Option<Vec<MachineObstacle>>,
    /// Whether machines that a global unit suits have yet to be told of it.
    #[serde(skip_serializing_if = "is_false")]
    pub coming: bool,
    /// Whether all obstacles will last, whatever other units do.
    #[serde(skip_serializing_if = "is_false")]
    pub unplaceable: bool,
}

/// A unit on one machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Copy {
    /// Id of the machine.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub machine: String,
    /// Address of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the machine has brought about.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub current: TargetState,
    /// Newest generation that the machine has acted on.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub observed: u64,
    /// Create revision of the record that the machine acted on.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub uid: i64,
    /// systemd's LoadState; empty until the machine reports.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub load: String,
    /// systemd's ActiveState.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub active: String,
    /// systemd's SubState.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub: String,
    /// How far systemd is with the last job.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub job: JobState,
    /// Why the unit is not what it should be, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Hash of the text that systemd was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Whether the machine is to stop it.
    #[serde(skip_serializing_if = "is_false")]
    pub leaving: bool,
    /// Whether the machine is not there at the moment.
    #[serde(skip_serializing_if = "is_false")]
    pub absent: bool,
}

/// Why one machine cannot take a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct MachineObstacle {
    /// Id of the machine.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub machine: String,
    /// Address of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The reason, as a fragment of a sentence.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub reason: String,
}

/// Changes to many units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct BatchRequest {
    /// One change for each unit.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub units: Vec<BatchUnit>,
}

/// A change to one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct BatchUnit {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(required = true, value_type = crate::UnitName))]
    pub name: String,
    /// Its options; none to leave the contents as they are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<UnitOption>,
    /// Its text byte for byte, which has to agree with `options` if both are given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What is asked for; absent to leave it as it is.
    #[serde(deserialize_with = "state", skip_serializing_if = "Option::is_none")]
    pub desired_state: Option<TargetState>,
    /// Whether to destroy it.
    #[serde(skip_serializing_if = "is_false")]
    pub delete: bool,
    /// Whether to keep a desired state that is higher already.
    #[serde(skip_serializing_if = "is_false")]
    pub raise_only: bool,
    /// Whether to stop it even if the desired state does not say so; one that is to be launched is
    /// started again.
    #[serde(skip_serializing_if = "is_false")]
    pub restart: bool,
    /// Whether to make it only if there is none and nobody has made it this way before, since when it
    /// may have been destroyed; else everything stays as it is.
    #[serde(skip_serializing_if = "is_false")]
    pub once: bool,
}

/// What became of the changes, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct BatchReply {
    /// One outcome for each unit.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub units: Vec<BatchOutcome>,
}

/// What became of the change to one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct BatchOutcome {
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub name: String,
    /// The HTTP status that the change would have had by itself.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub status: u16,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Create revision of its record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<i64>,
    /// Number of accepted writes, this one included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// What in its new contents does not do what its author meant, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Whether everything stayed as it was, as it was to be made once and that had been done.
    #[serde(skip_serializing_if = "is_false")]
    pub kept: bool,
}

/// What machines report of all units, and what shows beside it; all of it as of one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct StateList {
    /// Store revision up to which it tells all.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub revision: i64,
    /// The machines that are present, sorted by id.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub machines: Vec<Machine>,
    /// The states, sorted by unit, then by machine.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub states: Vec<UnitState>,
    /// What is wrong, such as documents that the list lacks.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub health: Health,
}

/// An item of the stream of changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Update {
    /// Store revision up to which it tells all.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub revision: i64,
    /// Units that are new or have changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<UnitDetail>,
    /// Names of units that are gone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
    /// The machines that are present, all of them, if they have changed. Only those who follow all
    /// units are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machines: Option<Vec<Machine>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}
