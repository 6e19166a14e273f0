//! What is to be done with one unit. Pure.

use fleet_units::api::v2::{BatchUnit, Copy, JobState, UnitDetail};
use fleet_units::{Directives, TargetState, UnitName};

use super::Raise;
use crate::judge::is_up;
use crate::source::{Resolved, SourceError};

/// What is to be done with one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Its name.
    pub(super) name: String,
    /// Whether each machine that it suits is to run it.
    pub(super) global: bool,
    /// What is to be written, if anything is.
    pub(super) change: Option<BatchUnit>,
    /// Why nothing comes after that.
    pub(super) ends: Option<String>,
}

impl Step {
    /// The same, and whether only if it was never done before.
    pub(super) fn once(mut self, once: bool) -> Self {
        if let Some(change) = &mut self.change {
            change.once = once;
        }
        self
    }
}

/// Decides what is to be written of a unit.
pub(super) fn step(
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
    let failed = |copy: &Copy| {
        let latest = copy.uid == unit.uid && copy.observed >= unit.generation;
        let dead = copy.job == JobState::Failed && copy.active == "inactive";
        latest && !copy.leaving && (copy.active == "failed" || dead)
    };
    unit.desired_state == TargetState::Launched && !unit.global && unit.machines.iter().any(failed)
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use fleet_units::UnitFile;

    use super::*;
    use crate::error::chain;
    use crate::wait::BlockArgs;

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
}
