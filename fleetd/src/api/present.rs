//! What the API says of units, states and machines, worked out from the registry. Pure.

use fleet_units::api::v2::{Copy, Health, Hold, UnitDetail, UnreadableDocument};
use fleet_units::{Directives, MachineId, TargetState, UnitFile, UnitName, api};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::log::chain;
use crate::registry::document::{self, Assignment, Phase, State, Unit};
use crate::registry::mirror::{Mirror, Stored};

/// A unit as version 1 has it.
pub(super) fn unit(mirror: &Mirror, name: &UnitName) -> Option<api::Unit> {
    let stored = mirror.units.get(name)?;
    // A stored text that is no unit has no options; the engine and its state say what is wrong.
    let file = UnitFile::parse(&stored.document.text).unwrap_or_default();
    let global = Directives::lenient(&file, name).global;
    let machine = if global { None } else { machine_of(mirror, name) };
    Some(api::Unit {
        name: name.to_string(),
        options: file.options().to_vec(),
        desired_state: Some(stored.document.target),
        current_state: (!global).then(|| current_state(mirror, name, stored)),
        machine_id: machine.map(ToString::to_string),
        text: None,
    })
}

/// A unit as version 1 has it, with its text.
pub(super) fn whole_unit(mirror: &Mirror, name: &UnitName) -> Option<api::Unit> {
    let text = mirror.units.get(name)?.document.text.clone();
    Some(api::Unit { text: Some(text), ..unit(mirror, name)? })
}

/// The machine that holds a unit which is not global, or is still stopping it.
fn machine_of<'a>(mirror: &'a Mirror, name: &UnitName) -> Option<&'a MachineId> {
    let placed = mirror.placed.get(name).map(|placed| &placed.document.machine);
    placed.or_else(|| assignments(mirror, name).next().map(|(machine, _)| machine))
}

/// The assignments of a unit that somebody acts on. One that was released on a machine which is
/// not there waits for the machine's return, for weeks maybe; nobody can wait for that.
fn assignments<'a>(
    mirror: &'a Mirror,
    name: &UnitName,
) -> impl Iterator<Item = (&'a MachineId, &'a Stored<Assignment>)> {
    mirror.schedule.get(name).into_iter().flatten().filter(|(machine, assignment)| {
        assignment.document.phase == Phase::Held || mirror.machines.contains_key(*machine)
    })
}

/// What has been brought about of a unit that is not global. Inactive as long as no machine
/// reports, so that nobody takes a wish for a fact.
fn current_state(mirror: &Mirror, name: &UnitName, stored: &Stored<Unit>) -> TargetState {
    let reported = machine_of(mirror, name)
        .and_then(|machine| mirror.states.get(name)?.get(machine))
        .filter(|state| state.document.uid == stored.created.0);
    reported.map_or(TargetState::Inactive, |state| state.document.current)
}

/// What a machine reports of a unit.
pub(super) struct Report<'a> {
    name: &'a UnitName,
    machine: &'a MachineId,
    state: &'a State,
}

/// All unit states, or those of one machine or unit, by name and machine.
pub(super) fn reports<'a>(
    mirror: &'a Mirror,
    machine: Option<&str>,
    unit: Option<&str>,
) -> Vec<Report<'a>> {
    let all = mirror.states.iter().flat_map(|(name, states)| {
        states.iter().map(move |(machine, state)| Report { name, machine, state: &state.document })
    });
    all.filter(|report| {
        machine.is_none_or(|wanted| wanted == report.machine.as_str())
            && unit.is_none_or(|wanted| wanted == report.name.as_str())
    })
    .collect()
}

impl Report<'_> {
    /// As version 1 has it.
    pub(super) fn unit_state(&self) -> api::UnitState {
        api::UnitState {
            hash: self.state.hash.to_string(),
            machine_id: self.machine.to_string(),
            name: self.name.to_string(),
            systemd_active_state: self.state.active.clone(),
            systemd_load_state: self.state.load.clone(),
            systemd_sub_state: self.state.sub.clone(),
        }
    }
}

/// Written as an [`api::UnitState`], without making one: a list would copy tens of thousands of
/// texts for nothing.
impl Serialize for Report<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("UnitState", 6)?;
        fields.serialize_field("hash", &self.state.hash)?;
        fields.serialize_field("machineID", self.machine)?;
        fields.serialize_field("name", self.name)?;
        fields.serialize_field("systemdActiveState", &self.state.active)?;
        fields.serialize_field("systemdLoadState", &self.state.load)?;
        fields.serialize_field("systemdSubState", &self.state.sub)?;
        fields.end()
    }
}

/// An [`api::v2::StateList`] of everything, as JSON.
pub(super) fn state_list(mirror: &Mirror, hold_key: String) -> serde_json::Result<Vec<u8>> {
    /// Bytes of a state, with a name of usual length.
    const USUAL: usize = 256;

    #[derive(Serialize)]
    struct StateList<'a> {
        revision: i64,
        machines: Vec<api::Machine>,
        states: &'a [Report<'a>],
        health: Health,
    }

    let states = reports(mirror, None, None);
    let list = StateList {
        revision: mirror.revision.0,
        machines: machines(mirror),
        states: &states,
        health: health(mirror, hold_key),
    };
    let mut body = Vec::with_capacity(USUAL * (states.len() + list.machines.len()));
    serde_json::to_writer(&mut body, &list)?;
    Ok(body)
}

/// The machines that are present, by id.
pub(super) fn machines(mirror: &Mirror) -> Vec<api::Machine> {
    let machine = |(id, stored): (&MachineId, &Stored<document::Machine>)| {
        let configured = &stored.document.metadata;
        let overlay = mirror.metadata.get(id).map(|overlay| &overlay.document);
        api::Machine {
            id: id.to_string(),
            metadata: overlay.map_or_else(|| configured.clone(), |set| set.over(configured)),
            primary_ip: address(mirror, id).unwrap_or_default(),
        }
    };
    mirror.machines.iter().map(machine).collect()
}

/// The address of a machine, or the last one that it had.
pub(super) fn address(mirror: &Mirror, id: &MachineId) -> Option<String> {
    let present = mirror.machines.get(id).map(|machine| machine.document.address);
    let known = || mirror.members.get(id).map(|member| member.document.address);
    present.or_else(known).flatten().map(|address| address.to_string())
}

/// What is wrong in the cluster; `hold_key` is the full key of the storm hold.
pub(super) fn health(mirror: &Mirror, hold_key: String) -> Health {
    let unreadable = mirror.unreadable.iter().map(|(key, document)| UnreadableDocument {
        key: key.clone(),
        reason: chain(&document.error),
    });
    let hold = mirror.hold.as_ref().map(|hold| Hold {
        machines: hold.document.machines.iter().map(ToString::to_string).collect(),
        key: hold_key,
    });
    Health { unreadable: unreadable.collect(), hold }
}

/// All that is known of a unit but obstacles; nothing if nothing is left of it anywhere.
pub(super) fn detail(mirror: &Mirror, name: &UnitName) -> Option<UnitDetail> {
    let stored = mirror.units.get(name);
    let machines = assignments(mirror, name)
        .map(|(id, assignment)| copy(mirror, name, id, &assignment.document))
        .collect();
    let Some(stored) = stored else {
        // Destroyed, and still there: only machines that have to stop it know of it.
        let (_, last) = assignments(mirror, name).max_by_key(|(_, last)| last.modified)?;
        let last = &last.document;
        let (uid, generation) = (last.uid, last.generation);
        let name = name.to_string();
        return Some(UnitDetail { name, uid, generation, machines, ..UnitDetail::default() });
    };
    let global = is_global(name, &stored.document);
    Some(UnitDetail {
        name: name.to_string(),
        uid: stored.created.0,
        generation: stored.document.generation,
        global,
        desired_state: stored.document.target,
        current_state: (!global).then(|| current_state(mirror, name, stored)),
        machines,
        ..UnitDetail::default()
    })
}

fn is_global(name: &UnitName, unit: &Unit) -> bool {
    let file = UnitFile::parse(&unit.text).unwrap_or_default();
    Directives::lenient(&file, name).global
}

fn copy(mirror: &Mirror, name: &UnitName, id: &MachineId, assignment: &Assignment) -> Copy {
    let held = Copy {
        machine: id.to_string(),
        address: address(mirror, id),
        leaving: assignment.phase != Phase::Held,
        absent: !mirror.machines.contains_key(id),
        ..Copy::default()
    };
    let Some(state) = mirror.states.get(name).and_then(|states| states.get(id)) else {
        return held;
    };
    let state = &state.document;
    Copy {
        current: state.current,
        observed: state.observed,
        uid: state.uid,
        load: state.load.clone(),
        active: state.active.clone(),
        sub: state.sub.clone(),
        job: state.job,
        problem: state.problem.clone(),
        hash: Some(state.hash.to_string()),
        ..held
    }
}

/// Whether a unit is to be on a machine and no machine has been told to hold it; of a global unit,
/// whether one of those that are present has not been.
pub(super) fn wants_place(mirror: &Mirror, name: &UnitName) -> bool {
    let Some(stored) = mirror.units.get(name) else { return false };
    if stored.document.target == TargetState::Inactive {
        return false;
    }
    if is_global(name, &stored.document) {
        return mirror.machines.keys().any(|machine| !is_held(mirror, name, machine));
    }
    let mut holders = mirror.schedule.get(name).into_iter().flatten();
    !holders.any(|(machine, _)| is_held(mirror, name, machine))
}

/// Whether a machine has been told to hold this unit, not an earlier one of that name.
pub(super) fn is_held(mirror: &Mirror, name: &UnitName, machine: &MachineId) -> bool {
    let created = mirror.units.get(name).map(|stored| stored.created.0);
    let assignment = mirror.schedule.get(name).and_then(|machines| machines.get(machine));
    assignment.is_some_and(|assignment| {
        assignment.document.phase == Phase::Held && Some(assignment.document.uid) == created
    })
}
