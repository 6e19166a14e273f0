//! Why a unit is where it is, or nowhere, as placement sees it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use fleet_units::api::v2::{self, Candidate, Choice, Explanation, Holding, Verdict};
use fleet_units::{Directives, MachineId, UnitFile, UnitName};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::ApiError;
use super::v1::QueryPairs;
use super::{Api, present, v2 as routes};
use crate::placement::{self, Cluster, MachineView, Remedy, UnitView, against};
use crate::registry::document::Phase;
use crate::registry::mirror::Mirror;
use crate::store::Store;

/// Explanations of units.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Explanations {
    units: Vec<Explanation>,
}

/// Why the units that the query names are where they are, or nowhere
#[utoipa::path(
    get,
    path = "/why",
    operation_id = "explainUnits",
    tag = "v2",
    params(("name" = Option<Vec<UnitName>>, Query, description = "Name of a unit (can be repeated)")),
    responses(
        (status = 200, description = "Of those that there are", body = Explanations),
        (status = 400, description = "The query is none")
    )
)]
pub(super) async fn why<S: Store>(
    State(api): State<Arc<Api<S>>>,
    query: QueryPairs,
) -> Result<Json<Explanations>, ApiError> {
    let names = routes::names(query)?.unwrap_or_default();
    let mut units = Vec::new();
    for name in names {
        // Each for itself: the questions of others come in between.
        let explain = move |mirror: &Mirror, cluster: &Cluster| explanation(mirror, cluster, &name);
        units.extend(api.view.read(|scene| scene.look(explain)).await?);
    }
    Ok(Json(Explanations { units }))
}

fn explanation(mirror: &Mirror, cluster: &Cluster, name: &UnitName) -> Option<Explanation> {
    let stored = &mirror.units.get(name)?.document;
    let unit = cluster.units.get(name)?;
    let file = UnitFile::parse(&stored.text).unwrap_or_default();
    let holder = cluster.holder(unit);
    let verdict = verdict(unit, holder);
    let members = cluster.members();
    let machines = members.map(|machine| candidate(mirror, cluster, name, unit, machine)).collect();
    let choice = holder.filter(|_| verdict == Verdict::Placed);
    let is_pending = verdict == Verdict::Pending;
    let nearest = is_pending.then(|| placement::nearest(cluster, name)).flatten();
    Some(Explanation {
        name: name.to_string(),
        desired_state: stored.target,
        generation: stored.generation,
        asks: Directives::as_written(&file),
        verdict,
        choice: choice.map(|holder| told_choice(placement::choice(cluster, unit, holder))),
        machines,
        nearest: nearest.map(|changes| told_changes(mirror, &changes)),
        leaderless: mirror.leader.is_none(),
    })
}

fn verdict(unit: &UnitView, holder: Option<&MachineId>) -> Verdict {
    match &unit.record {
        Some(record) if !record.is_wanted() => Verdict::Inactive,
        Some(record) if record.rules.is_global() => Verdict::Global,
        _ if holder.is_some() => Verdict::Placed,
        _ => Verdict::Pending,
    }
}

pub(super) fn candidate(
    mirror: &Mirror,
    cluster: &Cluster,
    name: &UnitName,
    unit: &UnitView,
    machine: &MachineView,
) -> Candidate {
    let holding = holding(mirror, name, &machine.id);
    let mut reasons: Vec<String> = Vec::new();
    // Whoever holds it need not be able to take it.
    if holding.as_ref().is_none_or(|holding| holding.leaving) {
        for obstacle in against(cluster, unit, machine).map(|obstacle| obstacle.to_string()) {
            if !reasons.contains(&obstacle) {
                reasons.push(obstacle);
            }
        }
    }
    Candidate {
        machine: machine.id.to_string(),
        address: present::address(mirror, &machine.id),
        load: cluster.load(&machine.id),
        holding,
        reasons,
    }
}

fn holding(mirror: &Mirror, name: &UnitName, machine: &MachineId) -> Option<Holding> {
    let assignment = &mirror.schedule.get(name)?.get(machine)?.document;
    Some(Holding {
        since: assignment.placement,
        generation: assignment.generation,
        leaving: assignment.phase != Phase::Held || !present::is_held(mirror, name, machine),
        absent: !mirror.machines.contains_key(machine),
    })
}

const fn told_choice(choice: placement::Choice) -> Choice {
    match choice {
        placement::Choice::Joined => Choice::Joined,
        placement::Choice::Only => Choice::Only,
        placement::Choice::LeastLoaded => Choice::LeastLoaded,
        placement::Choice::Kept => Choice::Kept,
    }
}

/// Metadata of one machine is set in one go.
fn told_changes(mirror: &Mirror, remedies: &[Remedy]) -> Vec<v2::Change> {
    let mut all: Vec<v2::Change> = Vec::new();
    for change in remedies.iter().map(|remedy| told(mirror, remedy)) {
        match (all.last_mut(), change) {
            (
                Some(v2::Change::SetMetadata { machine: before, metadata, .. }),
                v2::Change::SetMetadata { machine, metadata: more, .. },
            ) if *before == machine => metadata.extend(more),
            (_, change) => all.push(change),
        }
    }
    all
}

fn told(mirror: &Mirror, remedy: &Remedy) -> v2::Change {
    let place = |id: &MachineId| (id.to_string(), present::address(mirror, id));
    match remedy {
        Remedy::SetMetadata { machine, key, value, .. } => {
            let (machine, address) = place(machine);
            let metadata = [(key.clone(), value.clone())].into();
            v2::Change::SetMetadata { machine, address, metadata }
        }
        Remedy::Open(machine) => {
            let (machine, address) = place(machine);
            v2::Change::Open { machine, address }
        }
        Remedy::Upgrade(machine) => {
            let (machine, address) = place(machine);
            v2::Change::Upgrade { machine, address }
        }
        Remedy::Start(name) => v2::Change::Start { name: name.to_string() },
        Remedy::Unload(name) => v2::Change::Unload { name: name.to_string() },
        Remedy::AddMachine { id, metadata } => {
            v2::Change::AddMachine { machine: id.clone(), metadata: metadata.clone() }
        }
    }
}
