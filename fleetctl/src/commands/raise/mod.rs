//! What submit, load, start and restart have in common.

mod gather;
mod step;

use std::collections::BTreeSet;

use clap::ValueHint;
use fleet_units::TargetState;
use fleet_units::api::v2::{BatchOutcome, BatchUnit, UnitDetail, Update};

use super::patterns::{Expanded, Scope, expand};
use super::{Known, known, no_units_given, triggered};
use crate::client::{Client, Watch, succeeded};
use crate::error::{CommandError, chain};
use crate::judge::{Goal, Written, is_remnant};
use crate::source::{Argument, Findings, Resolved, resolve};
use crate::ui::Ui;
use crate::wait::{Awaited, BlockArgs, reach, wait};
use gather::gather;
use step::{Step, step};

/// Units that are to do more than before.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RaiseArgs {
    /// Paths of unit files, names of units or of instances of templates, or patterns over names that
    /// the cluster knows, such as 'web@*'
    #[arg(value_name = "UNIT", value_hint = ValueHint::AnyPath)]
    units: Vec<String>,
    /// Replace units that the cluster knows already by what the files say
    #[arg(long)]
    replace: bool,
    /// Leave everything as it is if a unit is there, or was given to the cluster with --once before and
    /// may have been destroyed since
    #[arg(long, conflicts_with = "replace")]
    once: bool,
    /// Has no effect: units are not signed any more
    #[arg(long, hide = true)]
    sign: bool,
}

impl RaiseArgs {
    /// Whether no unit is given.
    pub(crate) const fn is_empty(&self) -> bool {
        self.units.is_empty()
    }

    /// Units that are to be as the cluster has them.
    pub(crate) const fn as_they_are(units: Vec<String>) -> Self {
        Self { units, replace: false, once: false, sign: false }
    }
}

/// How far units are to be brought.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Raise<'a> {
    /// Known to the cluster.
    Submit,
    /// On a machine.
    Load(&'a BlockArgs),
    /// Running.
    Start(&'a BlockArgs),
    /// Running, and not for longer than from now on.
    Restart(&'a BlockArgs),
}

impl Raise<'_> {
    const fn target(self) -> TargetState {
        match self {
            Self::Submit => TargetState::Inactive,
            Self::Load(_) => TargetState::Loaded,
            Self::Start(_) | Self::Restart(_) => TargetState::Launched,
        }
    }

    /// The target of a unit that is not there yet. As in 1.0, a restart makes it and starts nothing.
    const fn first_target(self) -> TargetState {
        match self {
            Self::Restart(_) => TargetState::Inactive,
            Self::Submit | Self::Load(_) | Self::Start(_) => self.target(),
        }
    }

    /// States of units that may be replaced on the way.
    const fn replaceable(self) -> &'static [TargetState] {
        use TargetState::{Inactive, Launched, Loaded};
        match self {
            Self::Submit | Self::Restart(_) => &[Inactive],
            Self::Load(_) => &[Inactive, Loaded],
            Self::Start(_) => &[Inactive, Loaded, Launched],
        }
    }

    const fn block(&self) -> Option<&BlockArgs> {
        match self {
            Self::Submit => None,
            Self::Load(block) | Self::Start(block) | Self::Restart(block) => Some(block),
        }
    }

    const fn doing(self) -> &'static str {
        match self {
            Self::Submit => "creating",
            Self::Load(_) => "loading",
            Self::Start(_) => "starting",
            Self::Restart(_) => "restarting",
        }
    }

    const fn verb(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Load(_) => "load",
            Self::Start(_) => "start",
            Self::Restart(_) => "restart",
        }
    }

    /// Templates can be submitted and not run.
    const fn scope(self) -> Scope {
        match self {
            Self::Submit => Scope::All,
            Self::Load(_) | Self::Start(_) | Self::Restart(_) => Scope::Runnable,
        }
    }
}

/// Makes units known where they are not, raises what is asked of them, and waits until it is so.
pub(crate) async fn raise(
    raise: Raise<'_>,
    args: &RaiseArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    if args.units.is_empty() {
        no_units_given(ui);
        return Ok(());
    }
    let (arguments, names, mut failed) = arguments(raise, args, client, ui).await?;
    if arguments.is_empty() {
        return Err(CommandError::told());
    }
    let mut watch = client.watch(names).await?;
    let mut known = known(watch.first().await?);
    let findings = findings(args, &arguments, &mut known, client).await?;
    let found = arguments.iter().zip(findings);
    let say = |resolved: &Resolved| tell(resolved, ui);
    let mut steps = steps((raise, args), found, &known, say, ui, &mut failed);
    if watch.is_of_1_0()
        && let Some(block) = raise.block()
    {
        failed |= !stop_first(&mut steps, &known, client, &mut watch, ui, block).await?;
    }
    let raised = write(raise, steps, known, client, ui, &mut failed).await?;
    announce_or_wait(raise, raised, &mut watch, ui).await?;
    if failed { Err(CommandError::told()) } else { Ok(()) }
}

/// What starting units would ask of fleet, one change for each, and whether that is all.
pub(super) async fn intended(
    args: &RaiseArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(Vec<BatchUnit>, bool), CommandError> {
    let block = BlockArgs::off();
    let raise = Raise::Start(&block);
    let (arguments, names, mut failed) = arguments(raise, args, client, ui).await?;
    let mut known = known(Update { units: client.details(&names).await?, ..Update::default() });
    let findings = findings(args, &arguments, &mut known, client).await?;
    let found = arguments.iter().zip(findings);
    // What is to be printed here is the plan.
    let say = |resolved: &Resolved| resolved.notes().for_each(|note| ui.note(note));
    let steps = steps((raise, args), found, &known, say, ui, &mut failed);
    let changes = steps.into_iter().map(|step| {
        let (name, desired_state) = (step.name, Some(raise.target()));
        let nothing =
            || BatchUnit { name, desired_state, raise_only: true, ..BatchUnit::default() };
        step.change.unwrap_or_else(nothing)
    });
    Ok((changes.collect(), !failed))
}

/// Reads the arguments; what is wrong is told, which the flag remembers.
async fn arguments(
    raise: Raise<'_>,
    args: &RaiseArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(Vec<Argument>, BTreeSet<String>, bool), CommandError> {
    let Expanded { words, problems } = expand(client, &args.units, raise.scope()).await?;
    let mut failed = !problems.is_empty();
    for problem in problems {
        ui.note(&problem.to_string());
    }
    let arguments = gather::arguments(&words, ui, &mut failed);
    let names = arguments.iter().map(|argument| argument.name.to_string()).collect();
    Ok((arguments, names, failed))
}

/// Finds what decides about the contents of units, and forgets what must not decide.
async fn findings(
    args: &RaiseArgs,
    arguments: &[Argument],
    known: &mut Known,
    client: &Client<'_>,
) -> Result<Vec<Findings>, CommandError> {
    // A unit of which only remnants are left is made anew.
    known.retain(|_, unit| !is_remnant(unit));
    let findings = gather(client, arguments, known, args.replace || args.once).await?;
    if !args.once {
        return Ok(findings);
    }
    // fleetd decides on what there is and was: it alone knows the latter.
    known.clear();
    Ok(findings.into_iter().map(Findings::of_once).collect())
}

/// Decides what is to be written of each unit, and tells what the operator may not expect.
fn steps<'a>(
    (raise, args): (Raise<'_>, &RaiseArgs),
    found: impl Iterator<Item = (&'a Argument, Findings)>,
    known: &Known,
    tell: impl Fn(&Resolved),
    ui: &Ui,
    failed: &mut bool,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (argument, findings) in found {
        let may_replace = args.replace.then(|| raise.replaceable());
        let step = match resolve(argument, findings, may_replace) {
            Ok(resolved) => {
                tell(&resolved);
                let known = known.get(argument.name.as_str());
                step(raise, &argument.name, resolved, known).map(|step| step.once(args.once))
            }
            Err(error) => Err(error),
        };
        match step {
            Ok(step) => steps.push(step),
            Err(error) => {
                ui.note(&format!("Error creating units: {}", chain(&error)));
                *failed = true;
            }
        }
    }
    steps
}

fn tell(resolved: &Resolved, ui: &Ui) {
    match resolved {
        Resolved::Same { note } => ui.result(note),
        Resolved::Keep { .. } | Resolved::Write { .. } => {
            resolved.notes().for_each(|note| ui.note(note));
        }
    }
}

/// Stops what is to be restarted where the server is 1.0, which takes no restart in one write. Says
/// whether all of it has stopped.
async fn stop_first(
    steps: &mut [Step],
    known: &Known,
    client: &Client<'_>,
    watch: &mut Watch<'_>,
    ui: &Ui,
    block: &BlockArgs,
) -> Result<bool, CommandError> {
    let launched = |name: &str| {
        known.get(name).is_some_and(|unit| unit.desired_state == TargetState::Launched)
    };
    let mut changes = Vec::new();
    let mut awaited = Vec::new();
    for step in steps.iter_mut() {
        let (name, global) = (step.name.clone(), step.global);
        let Some(change) = step.change.as_mut().filter(|change| change.restart) else { continue };
        change.restart = false;
        if launched(&name) {
            let desired_state = Some(TargetState::Loaded);
            changes.push(BatchUnit { name: name.clone(), desired_state, ..BatchUnit::default() });
            awaited.push(Awaited { name, global, written: Written::default(), known: None });
        }
    }
    let outcomes = client.write(changes).await?;
    let refused = outcomes.iter().filter(|outcome| !succeeded(outcome));
    let refused: BTreeSet<&str> = refused.map(|outcome| outcome.name.as_str()).collect();
    awaited.retain(|unit| !refused.contains(unit.name.as_str()));
    // What does not stop in time is launched again all the same: it was to run.
    let stopped = reach(ui, Goal::Stop, watch, awaited, block).await?;
    Ok(stopped && refused.is_empty())
}

/// Writes what is to be written; gives the units of which the cluster has taken note.
async fn write(
    raise: Raise<'_>,
    steps: Vec<Step>,
    mut known: Known,
    client: &Client<'_>,
    ui: &Ui,
    failed: &mut bool,
) -> Result<Vec<(Step, Awaited)>, CommandError> {
    let changes = steps.iter().filter_map(|step| step.change.clone()).collect();
    let mut outcomes = client.write(changes).await?.into_iter();
    let mut raised = Vec::with_capacity(steps.len());
    for step in steps {
        let known = known.remove(&step.name);
        let outcome = step.change.as_ref().and_then(|_| outcomes.next());
        if let Some(refused) = outcome.as_ref().filter(|outcome| !succeeded(outcome)) {
            ui.note(&refusal(raise, &step, refused));
            *failed = true;
            continue;
        }
        if outcome.as_ref().is_some_and(|outcome| outcome.kept) {
            ui.result(&format!("Unit {} was given to the cluster before", step.name));
            continue;
        }
        if let Some(end) = &step.ends {
            ui.note(end);
            continue;
        }
        let written = written(known.as_ref(), outcome.as_ref());
        // 1.0 counts no writes: what was known before this one must not pass for its outcome.
        let uncounted = outcome.is_some_and(|outcome| outcome.generation.is_none());
        let known = known.filter(|_| !uncounted);
        let (name, global) = (step.name.clone(), step.global);
        raised.push((step, Awaited { name, global, written, known }));
    }
    Ok(raised)
}

fn refusal(raise: Raise<'_>, step: &Step, outcome: &BatchOutcome) -> String {
    let message = outcome.message.as_deref().unwrap_or("fleet gave no reason");
    let name = &step.name;
    let creates = step.change.as_ref().is_some_and(|change| change.text.is_some());
    if creates {
        return format!("Error creating units: failed creating unit {name}: {message}");
    }
    format!("Error {} units: unit {name}: {message}", raise.doing())
}

fn written(known: Option<&UnitDetail>, outcome: Option<&BatchOutcome>) -> Written {
    let before = known.map(|unit| Written { uid: unit.uid, generation: unit.generation });
    let before = before.unwrap_or_default();
    Written {
        uid: outcome.and_then(|outcome| outcome.uid).unwrap_or(before.uid),
        generation: outcome.and_then(|outcome| outcome.generation).unwrap_or(before.generation),
    }
}

async fn announce_or_wait(
    raise: Raise<'_>,
    raised: Vec<(Step, Awaited)>,
    watch: &mut Watch<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    let Some(block) = raise.block() else {
        for (step, _) in raised.iter().filter(|(step, _)| step.change.is_some()) {
            ui.result(&format!("Unit {} {}", step.name, TargetState::Inactive));
        }
        return Ok(());
    };
    let goal = if matches!(raise, Raise::Load(_)) { Goal::Load } else { Goal::Start };
    let mut awaited = Vec::new();
    for (step, unit) in raised {
        // 1.0 does not say on which machines a global unit is to be.
        if block.is_off() || (step.global && watch.is_of_1_0()) {
            ui.result(&triggered(&step.name, step.global, raise.verb()));
        } else {
            awaited.push(unit);
        }
    }
    wait(ui, goal, watch, awaited, block).await
}
