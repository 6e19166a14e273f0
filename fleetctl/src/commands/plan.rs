//! `fleetctl plan`

use fleet_units::TargetState;
use fleet_units::api::v2::{Candidate, Effect, PlanReply, PlannedCopy, PlannedUnit};
use serde_json::{Value, json};

use super::no_units_given;
use super::raise::{RaiseArgs, intended};
use crate::client::Client;
use crate::error::CommandError;
use crate::legend;
use crate::list::text;
use crate::terminal::harmless;
use crate::ui::Ui;

/// Tell what start would do, and do nothing
///
/// Takes what start takes, and lets fleet's own planner work on a copy of the cluster. Exits with 1
/// if a unit would wait for a machine, or be refused.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    units: RaiseArgs,
    /// Print whole ids
    #[arg(short = 'l', long)]
    full: bool,
    /// Print a JSON array of units, for programs
    #[arg(long)]
    json: bool,
}

/// Tells what starting units would come to, as fleet's own planner sees it.
pub(crate) async fn plan(
    args: &PlanArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    if args.units.is_empty() {
        no_units_given(ui);
        return Ok(());
    }
    let (changes, is_all) = intended(&args.units, client, ui).await?;
    if changes.is_empty() {
        return Err(CommandError::told());
    }
    let reply = client.plan(changes).await?.ok_or_else(|| {
        CommandError::failed("This fleetd cannot plan ahead: it is older than this fleetctl.")
    })?;
    if args.json {
        ui.json(&reply.units.iter().map(object).collect::<Vec<_>>())?;
    } else {
        let lines = lines(&reply, args.full);
        ui.data(&text(&lines.iter().map(|line| harmless(line)).collect::<Vec<_>>()))?;
    }
    // A unit that others push out is worth no less than they are.
    let is_bad = |unit: &PlannedUnit| unit.message.is_some() || unit.pending;
    let is_good = is_all && !reply.units.iter().any(is_bad);
    if is_good { Ok(()) } else { Err(CommandError::told()) }
}

/// Gives the lines for people.
fn lines(reply: &PlanReply, full: bool) -> Vec<String> {
    let mut lines: Vec<String> =
        reply.units.iter().flat_map(|unit| unit_lines(unit, full)).collect();
    if reply.leaderless {
        lines.push("No engine leads at the moment: nothing would be done before one does.".into());
    }
    lines.push("Nothing has been changed.".to_owned());
    lines
}

fn unit_lines(unit: &PlannedUnit, full: bool) -> Vec<String> {
    let PlannedUnit { name, .. } = unit;
    if let Some(message) = &unit.message {
        return vec![format!("{name} would be refused: {message}")];
    }
    let mut lines: Vec<String> =
        unit.machines.iter().map(|copy| format!("{name} {}", told(copy, full))).collect();
    if unit.pending {
        lines.push(format!("{name} would wait, as no machine can take it:"));
        lines.extend(unit.obstacles.iter().flat_map(|one| obstacles(one, full)));
    } else if lines.is_empty() {
        lines.push(match unit.desired_state {
            TargetState::Inactive => format!("{name} would be inactive, on no machine"),
            TargetState::Loaded | TargetState::Launched => format!("{name} is on no machine"),
        });
    }
    lines
}

/// Says of one machine what a unit would do there.
fn told(copy: &PlannedCopy, full: bool) -> String {
    let machine = legend::machine(&copy.machine, copy.address.as_deref(), full);
    match (copy.effect, &copy.reason) {
        (Effect::Stays, _) => format!("stays as it is on {machine}"),
        (Effect::Loads, _) => format!("would be loaded on {machine}"),
        (Effect::Starts, _) => format!("would start on {machine}"),
        (Effect::Restarts, _) => format!("would stop and start again on {machine}"),
        (Effect::Stops, _) => format!("would stop, and stay on {machine}"),
        (Effect::Leaves, None) => format!("would leave {machine}"),
        (Effect::Leaves, Some(reason)) => format!("would leave {machine}: {reason}"),
    }
}

fn obstacles(candidate: &Candidate, full: bool) -> Vec<String> {
    let machine = legend::machine(&candidate.machine, candidate.address.as_deref(), full);
    candidate.reasons.iter().map(|reason| format!("    {machine} {reason}")).collect()
}

fn object(unit: &PlannedUnit) -> Value {
    let copy = |copy: &PlannedCopy| {
        json!({
            "machine": copy.machine,
            "ip": copy.address,
            "effect": copy.effect,
            "reason": copy.reason,
        })
    };
    let obstacle = |one: &Candidate| json!({ "machine": one.machine, "ip": one.address, "reasons": one.reasons });
    json!({
        "unit": unit.name,
        "asked": unit.asked,
        "error": unit.message,
        "dstate": unit.desired_state,
        "machines": unit.machines.iter().map(copy).collect::<Vec<_>>(),
        "pending": unit.pending,
        "obstacles": unit.obstacles.iter().map(obstacle).collect::<Vec<_>>(),
        "warnings": unit.warnings,
    })
}
