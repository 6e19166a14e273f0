//! What changes to units would come to: a rehearsal with the planner itself, on a copy of the
//! registry. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use fleet_units::api::v2::{BatchRequest, Effect, PlanReply, PlannedCopy, PlannedUnit};
use fleet_units::{MachineId, TargetState, UnitHash, UnitName};
use tokio::task::spawn_blocking;

use super::error::{ApiError, Unavailable};
use super::write::{Order, intended};
use super::{Api, present, v2, why};
use crate::plan::rehearsal::Rehearsal;
use crate::registry::document::Phase;
use crate::registry::key::{Key, KeyPrefix};
use crate::store::{Selection, Snapshot, Store};

/// Says what changes to many units would come to, and changes nothing
#[utoipa::path(
    post,
    path = "/plan",
    operation_id = "planUnits",
    tag = "v2",
    request_body(
        content = BatchRequest,
        example = json!({"units": [{"name": "hello.service", "desiredState": "launched"}]})
    ),
    responses(
        (status = 200, description = "What would become of each unit", body = PlanReply),
        (status = 400, description = "The body is none"),
        (status = 413, description = "The body is too large, or has too many units"),
        (status = 415, description = "The body is said to be something else than JSON")
    )
)]
pub(super) async fn plan<S: Store>(
    State(api): State<Arc<Api<S>>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<PlanReply>, ApiError> {
    let request = v2::decode_batch(&headers, body).await?;
    // Each holds a registry of its own, so one after the other.
    let turn = Arc::clone(&api.rehearsing).acquire_owned().await;
    let turn = turn.map_err(|_| Unavailable::Stopping)?;
    let everything = Selection::Prefix(api.prefix.as_str().to_owned());
    let snapshot = api.store.range(&everything, None).await?;
    let prefix = api.prefix.clone();
    // Takes its time, for which leases and leadership must not wait.
    let rehearsing = spawn_blocking(move || {
        let reply = rehearse(&prefix, snapshot, request);
        drop(turn);
        reply
    });
    Ok(Json(rehearsing.await.map_err(|_| Unavailable::Stopping)?))
}

fn rehearse(prefix: &KeyPrefix, snapshot: Snapshot, request: BatchRequest) -> PlanReply {
    let mut rehearsal = Rehearsal::of(prefix.clone(), snapshot);
    // What happens anyway is no consequence.
    rehearsal.settle();
    let before = holdings(&rehearsal);
    let names: Vec<_> = request.units.iter().map(|unit| unit.name.clone()).collect();
    let orders = request.units.into_iter().map(v2::order);
    let asked = orders.map(|order| order.and_then(|order| ask(&mut rehearsal, prefix, &order)));
    let asked: Vec<_> = asked.collect();
    rehearsal.settle();
    let reading = Reading { before, after: holdings(&rehearsal), rehearsal: &rehearsal };
    reading.reply(names.into_iter().zip(asked))
}

/// What is to be said of an order that would be granted.
type Asked = (UnitName, Vec<String>);

fn ask(rehearsal: &mut Rehearsal, prefix: &KeyPrefix, order: &Order) -> Result<Asked, ApiError> {
    let name = order.name();
    let keys = [Key::Unit(name.clone()), Key::Seeded(name.clone())];
    if matches!(order, Order::Once(_)) && keys.iter().any(|key| rehearsal.has(key)) {
        return Ok((name.clone(), Vec::new()));
    }
    let (write, warnings) = intended(rehearsal.mirror(), prefix, order)?;
    rehearsal.write(write);
    Ok((name.clone(), warnings))
}

/// What a machine was told of a unit, as far as that makes a difference to systemd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holding {
    uid: i64,
    hash: UnitHash,
    stops: u64,
    target: TargetState,
}

type Holdings = BTreeMap<UnitName, BTreeMap<MachineId, Holding>>;

fn holdings(rehearsal: &Rehearsal) -> Holdings {
    let mut holdings = Holdings::new();
    for (unit, machines) in &rehearsal.mirror().schedule {
        for (machine, stored) in machines {
            let told = &stored.document;
            if told.phase == Phase::Held {
                let (uid, hash, stops, target) = (told.uid, told.hash, told.stops, told.target);
                let holding = Holding { uid, hash, stops, target };
                holdings.entry(unit.clone()).or_default().insert(machine.clone(), holding);
            }
        }
    }
    holdings
}

/// What came of a rehearsal.
struct Reading<'a> {
    before: Holdings,
    after: Holdings,
    rehearsal: &'a Rehearsal,
}

impl Reading<'_> {
    fn reply(&self, asked: impl Iterator<Item = (String, Result<Asked, ApiError>)>) -> PlanReply {
        let mut units = Vec::new();
        let mut told = BTreeSet::new();
        for (name, outcome) in asked {
            let unit = match outcome {
                Ok((name, warnings)) => {
                    told.insert(name.clone());
                    PlannedUnit { asked: true, warnings, ..self.unit(&name) }
                }
                Err(error) => {
                    let message = Some(error.to_string());
                    PlannedUnit { name, asked: true, message, ..PlannedUnit::default() }
                }
            };
            units.push(unit);
        }
        let names: BTreeSet<_> = self.before.keys().chain(self.after.keys()).collect();
        let changed = names.into_iter().filter(|name| {
            !told.contains(*name) && self.before.get(*name) != self.after.get(*name)
        });
        units.extend(changed.map(|name| self.unit(name)));
        PlanReply { units, leaderless: self.rehearsal.mirror().leader.is_none() }
    }

    fn unit(&self, name: &UnitName) -> PlannedUnit {
        let mirror = self.rehearsal.mirror();
        let stored = mirror.units.get(name).map(|stored| &stored.document);
        let desired_state = stored.map_or(TargetState::Inactive, |unit| unit.target);
        let pending = desired_state > TargetState::Inactive && !self.after.contains_key(name);
        PlannedUnit {
            name: name.to_string(),
            desired_state,
            machines: self.copies(name),
            pending,
            obstacles: if pending { self.obstacles(name) } else { Vec::new() },
            ..PlannedUnit::default()
        }
    }

    fn copies(&self, name: &UnitName) -> Vec<PlannedCopy> {
        let nowhere = BTreeMap::new();
        let before = self.before.get(name).unwrap_or(&nowhere);
        let after = self.after.get(name).unwrap_or(&nowhere);
        let machines: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let copy = |id: &MachineId| {
            let effect = effect(before.get(id), after.get(id));
            let reason = self.rehearsal.departure(name, id).filter(|_| effect == Effect::Leaves);
            PlannedCopy {
                machine: id.to_string(),
                address: present::address(self.rehearsal.mirror(), id),
                effect,
                reason: reason.map(ToString::to_string),
            }
        };
        machines.into_iter().map(copy).collect()
    }

    fn obstacles(&self, name: &UnitName) -> Vec<fleet_units::api::v2::Candidate> {
        let (mirror, cluster) = (self.rehearsal.mirror(), self.rehearsal.cluster());
        let Some(unit) = cluster.units.get(name) else { return Vec::new() };
        let members = cluster.members();
        members.map(|machine| why::candidate(mirror, cluster, name, unit, machine)).collect()
    }
}

/// What an agent does when it is told something else.
fn effect(before: Option<&Holding>, after: Option<&Holding>) -> Effect {
    let launched = |holding: &Holding| holding.target == TargetState::Launched;
    let (before, after) = match (before, after) {
        (_, None) => return Effect::Leaves,
        (None, Some(after)) if launched(after) => return Effect::Starts,
        (None, Some(_)) => return Effect::Loads,
        (Some(before), Some(after)) => (before, after),
    };
    let is_same = |one: &Holding| (one.uid, one.hash, one.stops);
    match (launched(before), launched(after)) {
        (true, true) if is_same(before) != is_same(after) => Effect::Restarts,
        (false, true) => Effect::Starts,
        (true, false) => Effect::Stops,
        (false, false) if is_same(before) != is_same(after) => Effect::Loads,
        (true, true) | (false, false) => Effect::Stays,
    }
}
