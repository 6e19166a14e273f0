//! What submit, load, start and restart have in common.

use std::collections::{BTreeMap, BTreeSet};

use fleet_units::api::v2::{BatchOutcome, BatchUnit, JobState, UnitDetail};
use fleet_units::{Directives, TargetState, UnitName};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::patterns::{Expanded, Scope, expand};
use super::{Known, known, no_units_given, triggered};
use crate::client::{CONCURRENT, Client, ClientError, Watch, succeeded};
use crate::error::{CommandError, chain};
use crate::judge::{Goal, Written, is_remnant, is_up};
use crate::source::{Argument, Findings, Registered, Resolved, SourceError, resolve};
use crate::ui::Ui;
use crate::wait::{Awaited, BlockArgs, reach, wait};

/// Units that are to do more than before.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RaiseArgs {
    /// Paths of unit files, names of units or of instances of templates, or patterns over names that
    /// the cluster knows, such as 'web@*'
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
    /// Replace units that the cluster knows already by what the files say
    #[arg(long)]
    replace: bool,
    /// Has no effect: units are not signed any more
    #[arg(long, hide = true)]
    sign: bool,
}

impl RaiseArgs {
    /// Units that are to be as the cluster has them.
    pub(crate) const fn as_they_are(units: Vec<String>) -> Self {
        Self { units, replace: false, sign: false }
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

/// What is to be done with one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    name: String,
    global: bool,
    /// What is to be written, if anything is.
    change: Option<BatchUnit>,
    /// Why nothing comes after that.
    ends: Option<String>,
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
    let Expanded { words, problems } = expand(client, &args.units, raise.scope()).await?;
    let mut failed = !problems.is_empty();
    for problem in problems {
        ui.note(&problem.to_string());
    }
    let arguments = arguments(&words, ui, &mut failed);
    if arguments.is_empty() {
        return Err(CommandError::told());
    }
    let names = arguments.iter().map(|argument| argument.name.to_string()).collect();
    let mut watch = client.watch(names).await?;
    let mut known = known(watch.first().await?);
    // A unit of which only remnants are left is made anew.
    known.retain(|_, unit| !is_remnant(unit));
    let findings = gather(client, &arguments, &known, args.replace).await?;
    let mut steps = Vec::new();
    for (argument, findings) in arguments.iter().zip(findings) {
        let may_replace = args.replace.then(|| raise.replaceable());
        let step = match resolve(argument, findings, may_replace) {
            Ok(resolved) => {
                tell(&resolved, ui)?;
                step(raise, &argument.name, resolved, known.get(argument.name.as_str()))
            }
            Err(error) => Err(error),
        };
        match step {
            Ok(step) => steps.push(step),
            Err(error) => {
                ui.note(&format!("Error creating units: {}", chain(&error)));
                failed = true;
            }
        }
    }
    if watch.is_of_1_0()
        && let Some(block) = raise.block()
    {
        failed |= !stop_first(&mut steps, &known, client, &mut watch, ui, block).await?;
    }
    let raised = write(raise, steps, known, client, ui, &mut failed).await?;
    announce_or_wait(raise, raised, &mut watch, ui).await?;
    if failed { Err(CommandError::told()) } else { Ok(()) }
}

/// Reads the arguments; a name that stands twice counts once.
fn arguments(words: &[String], ui: &Ui, failed: &mut bool) -> Vec<Argument> {
    let mut seen = BTreeSet::new();
    let mut arguments = Vec::new();
    for word in words {
        match Argument::parse(word) {
            Ok(argument) if seen.insert(argument.name.clone()) => arguments.push(argument),
            Ok(_) => {}
            Err(error) => {
                ui.note(&format!("Error creating units: {}", chain(&error)));
                *failed = true;
            }
        }
    }
    arguments
}

/// Finds all that decides about the contents of units, and asks the registry only for that.
async fn gather(
    client: &Client<'_>,
    arguments: &[Argument],
    known: &Known,
    replace: bool,
) -> Result<Vec<Findings>, ClientError> {
    let mut findings: Vec<Findings> = Vec::with_capacity(arguments.len());
    let mut wanted: BTreeSet<UnitName> = BTreeSet::new();
    for argument in arguments {
        let (file, template_file) = argument.local();
        let is_known = known.contains_key(argument.name.as_str());
        let is_local = file.is_some() || template_file.is_some();
        if is_known && (is_local || replace) {
            wanted.insert(argument.name.clone());
        }
        if file.is_none() && (replace || !is_known) {
            wanted.extend(argument.name.template());
        }
        findings.push(Findings { file, template_file, ..Findings::default() });
    }
    let units = units(client, wanted).await?;
    for (argument, findings) in arguments.iter().zip(&mut findings) {
        let template = argument.name.template().and_then(|template| units.get(&template));
        findings.template = template.and_then(|template| template.contents.clone());
        let unknown = |unit: &UnitDetail| Registered {
            desired: unit.desired_state,
            contents: None,
            verbatim: false,
        };
        let fetched = units.get(&argument.name).cloned();
        findings.registered = fetched.or_else(|| known.get(argument.name.as_str()).map(unknown));
    }
    Ok(findings)
}

async fn units(
    client: &Client<'_>,
    names: BTreeSet<UnitName>,
) -> Result<BTreeMap<UnitName, Registered>, ClientError> {
    stream::iter(names)
        .map(|name| async move {
            let unit = client.unit(name.as_str()).await?;
            Ok(unit.map(|unit| (name, Registered::of(&unit))))
        })
        .buffered(CONCURRENT)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect()
        .await
}

fn tell(resolved: &Resolved, ui: &Ui) -> Result<(), CommandError> {
    match resolved {
        Resolved::Keep { note } => note.iter().for_each(|note| ui.note(note)),
        Resolved::Same { note } => ui.line(note)?,
        Resolved::Write { notes, .. } => notes.iter().for_each(|note| ui.note(note)),
    }
    Ok(())
}

/// Decides what is to be written of a unit.
fn step(
    raise: Raise<'_>,
    name: &UnitName,
    resolved: Resolved,
    known: Option<&UnitDetail>,
) -> Result<Step, SourceError> {
    let target = raise.target();
    if name.is_template() && target > TargetState::Inactive {
        return Err(SourceError::Template(name.clone()));
    }
    let desired = known.map_or(TargetState::Inactive, |unit| unit.desired_state);
    let change = BatchUnit { name: name.to_string(), ..BatchUnit::default() };
    let rests = matches!(raise, Raise::Restart(_)) && desired == TargetState::Inactive;
    let ends = rests.then(|| format!("Unable to restart unit {name} in state {desired}"));
    let (change, global) = match resolved {
        Resolved::Write { contents, .. } => {
            let global = Directives::lenient(&contents, name).global;
            let (options, text) = (contents.options().to_vec(), Some(contents.text().to_owned()));
            let desired_state = Some(raise.first_target().max(desired));
            // Somebody may have made or started it since: new contents do not lower it.
            let raise_only = true;
            (Some(BatchUnit { options, text, desired_state, raise_only, ..change }), global)
        }
        Resolved::Keep { .. } | Resolved::Same { .. } => {
            let restart = match raise {
                Raise::Submit | Raise::Load(_) => false,
                Raise::Start(_) => known.is_some_and(has_failed),
                Raise::Restart(_) => {
                    desired == target || known.is_some_and(|unit| unit.machines.iter().any(is_up))
                }
            };
            let raised = !rests && (restart || desired < target);
            // Somebody may have started it since: load leaves that as it is.
            let raise_only = matches!(raise, Raise::Load(_));
            let change = BatchUnit { desired_state: Some(target), restart, raise_only, ..change };
            (raised.then_some(change), known.is_some_and(|unit| unit.global))
        }
    };
    Ok(Step { name: name.to_string(), global, change, ends })
}

/// Whether a unit is to run and systemd has given it up.
///
/// A global unit never counts: starting it again would end it on the machines where it runs.
fn has_failed(unit: &UnitDetail) -> bool {
    let failed = |copy: &fleet_units::api::v2::Copy| {
        let latest = copy.uid == unit.uid && copy.observed >= unit.generation;
        let dead = copy.job == JobState::Failed && copy.active == "inactive";
        latest && !copy.leaving && (copy.active == "failed" || dead)
    };
    unit.desired_state == TargetState::Launched && !unit.global && unit.machines.iter().any(failed)
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
            ui.line(&format!("Unit {} {}", step.name, TargetState::Inactive))?;
        }
        return Ok(());
    };
    let goal = if matches!(raise, Raise::Load(_)) { Goal::Load } else { Goal::Start };
    let mut awaited = Vec::new();
    for (step, unit) in raised {
        // 1.0 does not say on which machines a global unit is to be.
        if block.is_off() || (step.global && watch.is_of_1_0()) {
            ui.line(&triggered(&step.name, step.global, raise.verb()))?;
        } else {
            awaited.push(unit);
        }
    }
    wait(ui, goal, watch, awaited, block).await
}

#[cfg(test)]
mod tests {
    use std::slice;

    use clap::Parser;
    use fleet_units::UnitFile;
    use fleet_units::api::v2::Copy;

    use super::*;

    #[derive(Parser)]
    struct Words {
        #[command(flatten)]
        block: BlockArgs,
    }

    fn block() -> BlockArgs {
        Words::parse_from(["words"]).block
    }

    fn unit(desired_state: TargetState) -> UnitDetail {
        let current_state = Some(desired_state);
        UnitDetail {
            name: "a.service".to_owned(),
            desired_state,
            current_state,
            ..UnitDetail::default()
        }
    }

    fn copy(active: &str, job: JobState) -> Copy {
        Copy { active: active.to_owned(), job, ..Copy::default() }
    }

    fn shown(raise: Raise<'_>, resolved: Resolved, known: Option<&UnitDetail>) -> String {
        let name = "a.service".parse().unwrap();
        match step(raise, &name, resolved, known) {
            Ok(Step { change: None, .. }) => "nothing".to_owned(),
            Ok(Step { change: Some(change), .. }) => {
                let contents = if change.text.is_some() { "contents " } else { "" };
                let desired = change.desired_state.map(|state| state.to_string());
                let restart = if change.restart { " restart" } else { "" };
                let raise_only = if change.raise_only { " raise only" } else { "" };
                format!("{contents}{}{restart}{raise_only}", desired.unwrap_or_default())
            }
            Err(error) => chain(&error),
        }
    }

    #[test]
    fn a_target_is_only_ever_raised_and_written_with_the_contents_at_once() {
        let block = block();
        let raises = [
            ("submit", Raise::Submit),
            ("load", Raise::Load(&block)),
            ("start", Raise::Start(&block)),
            ("restart", Raise::Restart(&block)),
        ];
        let contents = UnitFile::parse("[Service]\nExecStart=/bin/true\n").unwrap();
        let write = || Resolved::Write { contents: contents.clone(), notes: Vec::new() };
        let mut table = Vec::new();
        for (verb, raise) in raises {
            table.push(format!("{verb} a new unit: {}", shown(raise, write(), None)));
            for state in TargetState::ALL {
                let known = unit(state);
                let keep = shown(raise, Resolved::Keep { note: None }, Some(&known));
                let replace = shown(raise, write(), Some(&known));
                table.push(format!("{verb} {state}: {keep}; replacing: {replace}"));
            }
        }
        insta::assert_snapshot!(table.join("\n"), @r#"
        submit a new unit: contents inactive raise only
        submit inactive: nothing; replacing: contents inactive raise only
        submit loaded: nothing; replacing: contents loaded raise only
        submit launched: nothing; replacing: contents launched raise only
        load a new unit: contents loaded raise only
        load inactive: loaded raise only; replacing: contents loaded raise only
        load loaded: nothing; replacing: contents loaded raise only
        load launched: nothing; replacing: contents launched raise only
        start a new unit: contents launched raise only
        start inactive: launched; replacing: contents launched raise only
        start loaded: launched; replacing: contents launched raise only
        start launched: nothing; replacing: contents launched raise only
        restart a new unit: contents inactive raise only
        restart inactive: nothing; replacing: contents inactive raise only
        restart loaded: launched; replacing: contents loaded raise only
        restart launched: launched restart; replacing: contents launched raise only
        "#);
    }

    #[test]
    fn a_start_starts_a_unit_again_only_if_systemd_has_given_it_up() {
        let block = block();
        let cases = [
            ("runs", copy("active", JobState::Done)),
            ("has ended", copy("inactive", JobState::Done)),
            ("has failed", copy("failed", JobState::Failed)),
            ("failed later", copy("failed", JobState::Done)),
            ("a dependency failed", copy("inactive", JobState::Failed)),
            ("restarts by itself", copy("activating", JobState::Failed)),
            ("failed where it leaves", Copy { leaving: true, ..copy("failed", JobState::Failed) }),
            ("failed before the last write", Copy { uid: -1, ..copy("failed", JobState::Failed) }),
        ];
        let mut table = Vec::new();
        for (case, copy) in cases {
            let known = UnitDetail { machines: vec![copy], ..unit(TargetState::Launched) };
            let step = shown(Raise::Start(&block), Resolved::Keep { note: None }, Some(&known));
            table.push(format!("{case}: {step}"));
        }
        insta::assert_snapshot!(table.join("\n"), @r#"
        runs: nothing
        has ended: nothing
        has failed: launched restart
        failed later: launched restart
        a dependency failed: launched restart
        restarts by itself: nothing
        failed where it leaves: nothing
        failed before the last write: nothing
        "#);
    }

    #[test]
    fn a_failed_global_unit_is_not_ended_where_it_runs() {
        let copies = vec![copy("failed", JobState::Failed), copy("active", JobState::Done)];
        let known = UnitDetail {
            global: true,
            current_state: None,
            machines: copies,
            ..unit(TargetState::Launched)
        };
        let block = block();
        assert_eq!(
            shown(Raise::Start(&block), Resolved::Keep { note: None }, Some(&known)),
            "nothing"
        );
    }

    #[test]
    fn templates_are_submitted_and_never_run() {
        let block = block();
        let name = "a@.service".parse().unwrap();
        let contents = UnitFile::parse("[Service]\nExecStart=/bin/true\n").unwrap();
        let resolved = Resolved::Write { contents, notes: Vec::new() };
        assert!(step(Raise::Submit, &name, resolved.clone(), None).is_ok());
        let refused = step(Raise::Load(&block), &name, resolved, None);
        assert_eq!(refused, Err(SourceError::Template(name)));
    }

    #[test]
    fn a_name_that_stands_twice_counts_once() {
        let ui = Ui::new(Box::new(std::io::sink()), Box::new(std::io::sink()), false);
        let mut failed = false;
        let words = ["a", "dir/a.service", "b"].map(str::to_owned);
        let names: Vec<String> = arguments(&words, &ui, &mut failed)
            .iter()
            .map(|argument| argument.name.to_string())
            .collect();
        assert_eq!((names, failed), (vec!["a.service".to_owned(), "b.service".to_owned()], false));
        assert_eq!(arguments(slice::from_ref(&"a b".to_owned()), &ui, &mut failed), []);
        assert!(failed);
    }
}
