//! What the agent knows, for people who look for a fault: SIGUSR1 prints it. `Agent`,
//! `UnitStatePublisher` and `UnitStateGenerator` are spelt as fleet 1.0 spelt them.

use std::collections::{BTreeMap, BTreeSet};

use fleet_units::{MachineId, TargetState, UnitHash, UnitName};
use serde::Serialize;

use super::super::Registration;
use super::super::applied::Applied;
use super::super::plan::{Activity, Assigned, Order};
use super::Core;
use crate::registry::document::{Machine, Phase, State};

/// Everything that is dumped of an agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dump {
    #[serde(rename = "Agent")]
    agent: Targets,
    #[serde(rename = "UnitStatePublisher")]
    publisher: Publisher,
    #[serde(rename = "UnitStateGenerator")]
    generator: Generator,
    registration: Registration,
    machine: Machine,
    assignments: BTreeMap<UnitName, Assignment>,
    applied: BTreeMap<UnitName, Applied>,
    queue: Queue,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Targets {
    cache: TargetCache,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetCache {
    target_states: BTreeMap<UnitName, TargetState>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Publisher {
    cache: BTreeMap<UnitName, UnitState>,
    to_publish: BTreeMap<UnitName, UnitState>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct UnitState {
    load_state: String,
    active_state: String,
    sub_state: String,
    #[serde(rename = "MachineID")]
    machine_id: MachineId,
    unit_hash: UnitHash,
    unit_name: UnitName,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Generator {
    subscribed: Vec<UnitName>,
}

/// What the registry asks for.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Assignment {
    /// None if it cannot be read.
    phase: Option<Phase>,
    target: Option<TargetState>,
    generation: Option<u64>,
    revision: i64,
}

/// What is under way or still to be done.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Queue {
    jobs: BTreeMap<UnitName, Activity>,
    files: BTreeSet<UnitName>,
    forgetting: BTreeSet<UnitName>,
    /// Steps that failed, with how often they were repeated.
    failed: BTreeMap<UnitName, u32>,
}

impl Core {
    /// Everything that is dumped.
    pub(super) fn dump(&self) -> Dump {
        let assigned = self.assignments.assigned().iter();
        let assignments: BTreeMap<_, _> =
            assigned.map(|(unit, assigned)| (unit.clone(), assignment(assigned))).collect();
        let targets = assignments.iter();
        let targets = targets.filter_map(|(unit, asked)| Some((unit.clone(), asked.target?)));
        let board = &self.writer.board;
        Dump {
            agent: Targets { cache: TargetCache { target_states: targets.collect() } },
            publisher: Publisher {
                cache: board.written_states().map(|state| self.of_1_0(state)).collect(),
                to_publish: board.due_states().map(|state| self.of_1_0(state)).collect(),
            },
            generator: Generator { subscribed: self.reports.keys().cloned().collect() },
            registration: self.registration.borrow().clone(),
            machine: self.settings.presence.clone(),
            assignments,
            applied: self.applied.clone(),
            queue: Queue {
                jobs: self.jobs.clone(),
                files: self.filing.clone(),
                forgetting: self.forgetting.keys().cloned().collect(),
                failed: self
                    .failures
                    .iter()
                    .map(|(unit, failure)| (unit.clone(), failure.attempts))
                    .collect(),
            },
        }
    }

    fn of_1_0(&self, (unit, state): (&UnitName, &State)) -> (UnitName, UnitState) {
        let told = UnitState {
            load_state: state.load.clone(),
            active_state: state.active.clone(),
            sub_state: state.sub.clone(),
            machine_id: self.settings.machine.clone(),
            unit_hash: state.hash,
            unit_name: unit.clone(),
        };
        (unit.clone(), told)
    }
}

fn assignment(assigned: &Assigned) -> Assignment {
    let (phase, record) = match &assigned.order {
        Order::Hold(record) => (Some(Phase::Held), Some(record)),
        Order::Release => (Some(Phase::Released), None),
        Order::Keep => (Some(Phase::Retiring), None),
        Order::Unreadable => (None, None),
    };
    Assignment {
        phase,
        target: record.map(|record| record.target),
        generation: record.map(|record| record.generation),
        revision: assigned.modified.0,
    }
}
