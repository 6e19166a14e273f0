//! Why a unit is where it is, or nowhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::is_false;
use crate::TargetState;

/// Why a unit is where it is, or nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Explanation {
    /// Name of the unit.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub name: String,
    /// What is asked for.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub desired_state: TargetState,
    /// Number of accepted writes.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub generation: u64,
    /// Its directives, as they stand in its text.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub asks: Vec<String>,
    /// What there is to explain.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub verdict: Verdict,
    /// What speaks for the machine that holds it; absent for global units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
    /// All machines that have not left in order, sorted by id.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub machines: Vec<Candidate>,
    /// The least that has to change for some machine to take it, if it has none; absent if only
    /// another text would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Vec<Change>>,
    /// Whether no engine leads at the moment, so that nothing is placed.
    #[serde(skip_serializing_if = "is_false")]
    pub leaderless: bool,
}

/// What there is to explain of a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Nobody asked for it to be on a machine.
    #[default]
    Inactive,
    /// A machine holds it.
    Placed,
    /// It waits for a machine.
    Pending,
    /// It is to be on each machine that it suits.
    Global,
}

/// What speaks for the machine that holds a unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Choice {
    /// Units are there that MachineOf names.
    Joined,
    /// No other machine could take it.
    Only,
    /// No other machine that could take it has fewer units.
    LeastLoaded,
    /// Others have fewer units, but a unit moves only if it has to.
    #[default]
    Kept,
}

/// What one machine is to a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Candidate {
    /// Id of the machine.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub machine: String,
    /// Address of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Number of units that it holds.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub load: usize,
    /// How it holds the unit, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holding: Option<Holding>,
    /// All that keeps the unit off it, each a fragment of a sentence.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub reasons: Vec<String>,
}

/// How a machine holds a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Holding {
    /// Store revision on which it was decided.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub since: i64,
    /// Generation of the unit that the machine was told of.
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub generation: u64,
    /// Whether the machine is to stop it.
    #[serde(skip_serializing_if = "is_false")]
    pub leaving: bool,
    /// Whether the machine is not there at the moment.
    #[serde(skip_serializing_if = "is_false")]
    pub absent: bool,
}

/// Something that a person can do for a unit that has no machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "change", rename_all = "camelCase")]
pub enum Change {
    /// Set metadata of a machine.
    SetMetadata {
        /// Id of the machine.
        machine: String,
        /// Address of the machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        /// Keys with the values that would do.
        metadata: BTreeMap<String, String>,
    },
    /// Open a machine for units again.
    Open {
        /// Id of the machine.
        machine: String,
        /// Address of the machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// Start a unit that MachineOf names.
    Start {
        /// Name of the unit.
        name: String,
    },
    /// Take a unit off its machine that does not go together with this one.
    Unload {
        /// Name of the unit.
        name: String,
    },
    /// Upgrade fleetd on a machine.
    Upgrade {
        /// Id of the machine.
        machine: String,
        /// Address of the machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// Add a machine, or bring back one that is away.
    AddMachine {
        /// Its id, in full or in short, if it has to be that one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        machine: Option<String>,
        /// Metadata that it has to have.
        metadata: BTreeMap<String, String>,
    },
}
