//! What stop, unload and destroy have in common.

use std::collections::BTreeSet;

use fleet_units::api::v2::{BatchOutcome, BatchUnit, UnitDetail};

use super::patterns::{Expanded, Scope, expand};
use super::{known, name_of, no_units_given, triggered};
use crate::client::{Client, Watch, succeeded};
use crate::error::CommandError;
use crate::judge::{Goal, Written, is_remnant, is_up};
use crate::ui::Ui;
use crate::wait::{Awaited, BlockArgs, wait};

/// Units that are to do less than before.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LowerArgs {
    /// Names of units, paths of their files, or patterns such as 'web@*'
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
    #[command(flatten)]
    block: BlockArgs,
}

/// What is to be done with one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// The cluster does not know it.
    Unknown(String),
    /// It is less than that already; the note says so.
    Nothing(String),
    /// It is on its way there already.
    Await(UnitDetail),
    /// The server cannot do that; the note says so.
    Beyond(String),
    /// This is to be written; the unit is there if anything is known of it.
    Write(Option<UnitDetail>, BatchUnit),
}

/// Lowers what is asked of units, and waits until it is so.
pub(crate) async fn lower(
    goal: Goal,
    args: &LowerArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    if args.units.is_empty() {
        no_units_given(ui);
        return Ok(());
    }
    let Expanded { words, problems } = expand(client, &args.units, scope(goal)).await?;
    let (names, mut failed) = names(&words, ui);
    for problem in problems {
        ui.note(&problem.to_string());
        failed |= !problem.is_absence();
    }
    if names.is_empty() {
        return if failed { Err(CommandError::told()) } else { Ok(()) };
    }
    let mut watch = client.watch(names.clone()).await?;
    let mut known = known(watch.first().await?);
    let steps = names.into_iter().map(|name| {
        let step = step(goal, &name, known.remove(&name));
        if watch.is_of_1_0() { step.for_1_0() } else { step }
    });
    let awaited = write(goal, steps.collect(), client, ui, &mut failed).await?;
    let done: BTreeSet<&str> = awaited.iter().map(|unit| unit.name.as_str()).collect();
    let done: Vec<String> = done.into_iter().map(str::to_owned).collect();
    announce_or_wait(goal, awaited, &args.block, &mut watch, ui).await?;
    if failed {
        return Err(CommandError::told());
    }
    summarise(goal, &done, &args.block, ui);
    Ok(())
}

/// Templates do not run, so there is nothing to stop.
const fn scope(goal: Goal) -> Scope {
    match goal {
        Goal::Destroy => Scope::All,
        Goal::Load | Goal::Start | Goal::Stop | Goal::Unload => Scope::Runnable,
    }
}

/// Reads the names; those that are none are told, which the flag remembers.
fn names(arguments: &[String], ui: &Ui) -> (BTreeSet<String>, bool) {
    let mut names = BTreeSet::new();
    let mut failed = false;
    for argument in arguments {
        match name_of(argument) {
            Ok(name) => {
                names.insert(name.to_string());
            }
            Err(error) => {
                ui.note(&format!("Error: {error}"));
                failed = true;
            }
        }
    }
    (names, failed)
}

fn step(goal: Goal, name: &str, unit: Option<UnitDetail>) -> Step {
    let change = BatchUnit { name: name.to_owned(), ..BatchUnit::default() };
    let Some(target) = goal.state() else {
        // A document that cannot be read shows up nowhere, and is to be destroyed all the same.
        return Step::Write(unit, BatchUnit { delete: true, ..change });
    };
    let Some(unit) = unit.filter(|unit| !is_remnant(unit)) else {
        return Step::Unknown(not_found(name));
    };
    if unit.desired_state < target {
        let state = unit.desired_state;
        return Step::Nothing(format!("Unable to {} unit {name} in state {state}", goal.verb()));
    }
    let change = BatchUnit { desired_state: Some(target), ..change };
    if unit.desired_state == target {
        // systemd has started it for another unit: it is to be stopped although it is to stay.
        let restart = goal == Goal::Stop && unit.machines.iter().any(is_up);
        let change = BatchUnit { restart, ..change };
        return if restart { Step::Write(Some(unit), change) } else { Step::Await(unit) };
    }
    Step::Write(Some(unit), change)
}

impl Step {
    /// What is left of it where the server is 1.0, which stops only what it has started.
    fn for_1_0(self) -> Self {
        match self {
            Self::Write(Some(unit), change) if change.restart => Self::Beyond(format!(
                "Unable to stop unit {name}: systemd runs it although fleet has not started it, \
                 and a server of fleet 1.0 leaves that so; stop it with \
                 `fleetctl ssh {name} sudo systemctl stop {name}`",
                name = unit.name
            )),
            step @ (Self::Unknown(_)
            | Self::Nothing(_)
            | Self::Await(_)
            | Self::Beyond(_)
            | Self::Write(..)) => step,
        }
    }
}

fn not_found(name: &str) -> String {
    format!("Unit {name} not found in registry")
}

/// Writes what is to be written, and gives all units that are on their way then.
async fn write(
    goal: Goal,
    steps: Vec<Step>,
    client: &Client<'_>,
    ui: &Ui,
    failed: &mut bool,
) -> Result<Vec<Awaited>, CommandError> {
    let mut awaited = Vec::new();
    let (mut units, mut changes) = (Vec::new(), Vec::new());
    for step in steps {
        match step {
            Step::Unknown(note) | Step::Nothing(note) => ui.note(&note),
            Step::Beyond(note) => {
                ui.note(&note);
                *failed = true;
            }
            Step::Await(unit) => awaited.push(already(unit)),
            Step::Write(unit, change) => {
                units.push(unit);
                changes.push(change);
            }
        }
    }
    let outcomes = client.write(changes).await?;
    for (unit, outcome) in units.into_iter().zip(outcomes) {
        let is_gone = goal == Goal::Destroy && outcome.status == 404;
        match unit {
            Some(unit) if succeeded(&outcome) => awaited.push(underway(unit, &outcome)),
            Some(unit) if is_gone && is_remnant(&unit) => awaited.push(already(unit)),
            None if is_gone => ui.note(&not_found(&outcome.name)),
            // Nothing that is known of it could become known as gone.
            None if succeeded(&outcome) => ui.result(&format!("Destroyed {}", outcome.name)),
            Some(_) if is_gone => ui.result(&format!("Destroyed {}", outcome.name)),
            _ => {
                let message = outcome.message.unwrap_or_default();
                let doing = doing(goal);
                ui.note(&format!("Error {doing} units: unit {}: {message}", outcome.name));
                *failed = true;
            }
        }
    }
    Ok(awaited)
}

fn already(unit: UnitDetail) -> Awaited {
    let written = Written { uid: unit.uid, generation: unit.generation };
    Awaited { name: unit.name.clone(), global: unit.global, written, known: Some(unit) }
}

fn underway(unit: UnitDetail, outcome: &BatchOutcome) -> Awaited {
    let written = written(&unit, outcome);
    let awaited = Awaited { written, ..already(unit) };
    // 1.0 counts no writes: what was known before this one must not pass for its outcome.
    if outcome.generation.is_none() { Awaited { known: None, ..awaited } } else { awaited }
}

/// Servers that say nothing of the record have left it the same, or are 1.0; a record that could not
/// be read counts from 0, other than what machines still know of the unit.
fn written(unit: &UnitDetail, outcome: &BatchOutcome) -> Written {
    Written {
        uid: outcome.uid.map_or(unit.uid, |uid| uid.max(unit.uid)),
        generation: outcome.generation.unwrap_or(unit.generation),
    }
}

async fn announce_or_wait(
    goal: Goal,
    awaited: Vec<Awaited>,
    block: &BlockArgs,
    watch: &mut Watch<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    let mut waited = Vec::new();
    for unit in awaited {
        match goal {
            Goal::Destroy if block.is_off() => ui.result(&format!("Destroyed {}", unit.name)),
            Goal::Destroy => waited.push(unit),
            Goal::Load | Goal::Start | Goal::Stop | Goal::Unload => {
                let skips = block.is_off() || (unit.global && watch.is_of_1_0());
                if skips {
                    ui.result(&triggered(&unit.name, unit.global, goal.verb()));
                } else {
                    waited.push(unit);
                }
            }
        }
    }
    wait(ui, goal, watch, waited, block).await
}

fn summarise(goal: Goal, done: &[String], block: &BlockArgs, ui: &Ui) {
    let past = match goal {
        Goal::Stop => "stopped",
        Goal::Unload => "unloaded",
        Goal::Load | Goal::Start | Goal::Destroy => return,
    };
    if !done.is_empty() && !block.is_off() {
        ui.note(&format!("Successfully {past} units [{}].", done.join(" ")));
    }
}

const fn doing(goal: Goal) -> &'static str {
    match goal {
        Goal::Load => "loading",
        Goal::Start => "starting",
        Goal::Stop => "stopping",
        Goal::Unload => "unloading",
        Goal::Destroy => "destroying",
    }
}

#[cfg(test)]
mod tests {
    use fleet_units::TargetState;
    use fleet_units::api::v2::Copy;

    use super::*;

    fn unit(desired_state: TargetState) -> UnitDetail {
        let current_state = Some(TargetState::Inactive);
        let name = "a.service".to_owned();
        UnitDetail { name, desired_state, current_state, ..UnitDetail::default() }
    }

    fn shown(goal: Goal, desired: TargetState) -> String {
        match step(goal, "a.service", Some(unit(desired))) {
            Step::Unknown(note) | Step::Nothing(note) | Step::Beyond(note) => note,
            Step::Await(_) => "await".to_owned(),
            Step::Write(_, change) if change.delete => "delete".to_owned(),
            Step::Write(_, change) => format!("set {:?}", change.desired_state),
        }
    }

    #[test]
    fn a_target_is_only_ever_lowered() {
        let goals = [Goal::Stop, Goal::Unload, Goal::Destroy];
        let table: Vec<String> = goals
            .iter()
            .flat_map(|goal| TargetState::ALL.map(|state| (*goal, state)))
            .map(|(goal, state)| format!("{} {state}: {}", goal.verb(), shown(goal, state)))
            .collect();
        insta::assert_snapshot!(table.join("\n"), @r#"
        stop inactive: Unable to stop unit a.service in state inactive
        stop loaded: await
        stop launched: set Some(Loaded)
        unload inactive: await
        unload loaded: set Some(Inactive)
        unload launched: set Some(Inactive)
        destroy inactive: delete
        destroy loaded: delete
        destroy launched: delete
        "#);
    }

    #[test]
    fn a_stop_of_what_is_loaded_only_is_written_while_it_runs_and_1_0_cannot_do_that() {
        let held = |active: &str| {
            let copy = Copy { active: active.to_owned(), ..Copy::default() };
            UnitDetail { machines: vec![copy], ..unit(TargetState::Loaded) }
        };
        let stop = |active| step(Goal::Stop, "a.service", Some(held(active)));
        assert_eq!(stop("inactive"), Step::Await(held("inactive")));
        assert_eq!(stop("failed"), Step::Await(held("failed")));
        let change = BatchUnit {
            name: "a.service".to_owned(),
            desired_state: Some(TargetState::Loaded),
            restart: true,
            ..BatchUnit::default()
        };
        assert_eq!(stop("active"), Step::Write(Some(held("active")), change));
        assert!(matches!(stop("active").for_1_0(), Step::Beyond(_)));
        assert_eq!(stop("inactive").for_1_0(), Step::Await(held("inactive")));
    }

    #[test]
    fn a_destroy_is_always_written_and_a_stop_only_where_there_is_a_record() {
        let remnant = UnitDetail { current_state: None, ..unit(TargetState::Inactive) };
        let name = "a.service".to_owned();
        let delete = BatchUnit { name, delete: true, ..BatchUnit::default() };
        let unknown = || Step::Unknown("Unit a.service not found in registry".to_owned());
        for left in [None, Some(remnant)] {
            assert_eq!(
                step(Goal::Destroy, "a.service", left.clone()),
                Step::Write(left.clone(), delete.clone())
            );
            assert_eq!(step(Goal::Stop, "a.service", left.clone()), unknown());
            assert_eq!(step(Goal::Unload, "a.service", left), unknown());
        }
    }
}
