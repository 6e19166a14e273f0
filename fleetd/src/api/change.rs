//! What a request makes of a unit's record: the rules of 1.0's PUT, and what came since. Pure; who
//! may write and how it lands is decided elsewhere.

use fleet_units::{DirectiveError, Directives, TargetState, UnitFile, UnitName};

use crate::registry::document::Unit;

/// The largest unit that is stored, as a document.
pub(super) const MAX_DOCUMENT: usize = 512 * 1024;

/// What is asked for of one unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Its name.
    pub(super) name: UnitName,
    /// What it is to contain; none leaves that as it is.
    pub(super) contents: Option<Contents>,
    /// The target state; none leaves that as it is.
    pub(super) desired: Option<TargetState>,
    /// Keeps a target that is higher already.
    pub(super) raise_only: bool,
    /// Stops it even if its target does not say so; one that is to be launched is started again.
    pub(super) restart: bool,
}

/// The contents of a unit as they were sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// As options only: comments and blank lines are not known.
    Options(UnitFile),
    /// As text.
    Text(UnitFile),
}

impl Contents {
    pub(super) const fn file(&self) -> &UnitFile {
        match self {
            Self::Options(file) | Self::Text(file) => file,
        }
    }

    /// Whether storing this would change what is stored. Options that say the same leave the
    /// comments alone, which they cannot know.
    fn differs_from(&self, unit: &Unit) -> bool {
        match self {
            Self::Options(file) => file.hash() != unit.hash,
            Self::Text(file) => file.text() != unit.text,
        }
    }
}

/// A request that is granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The unit is new.
    Create(Unit),
    /// The unit gets other contents.
    Replace(Unit),
    /// The unit gets another target state, is stopped or started again, or gets other comments.
    Update(Unit),
    /// The unit is as it was asked to be.
    Nothing,
}

/// Why a request is not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such unit, and nothing to make one of.
    #[error("unit does not exist and options field empty")]
    NothingToCreate,
    /// The unit is there already, and nothing is asked of it.
    #[error("must provide DesiredState to update existing unit")]
    NothingToChange,
    /// Only instances of a template can run.
    #[error("cannot activate template {:?}", .0.as_str())]
    Template(UnitName),
    /// The directives contradict each other.
    #[error(transparent)]
    Directives(#[from] DirectiveError),
    /// The unit does not fit into the store.
    #[error("unit {0} is larger than 512 KiB: move large contents into files of their own")]
    TooLarge(UnitName),
}

/// Decides on a request for a unit of which `existing` is stored.
///
/// # Errors
///
/// Says in 1.0's words what is wrong with it.
pub(super) fn accept(existing: Option<&Unit>, request: &Request) -> Result<Change, Refusal> {
    match (existing, &request.contents) {
        (None, None) => Err(Refusal::NothingToCreate),
        (None, Some(contents)) => create(request, contents.file()),
        (Some(unit), Some(contents)) if contents.file().hash() != unit.hash => {
            replace(unit, request, contents.file())
        }
        (Some(unit), contents) => {
            update(unit, request, contents.as_ref().filter(|contents| contents.differs_from(unit)))
        }
    }
}

fn create(request: &Request, file: &UnitFile) -> Result<Change, Refusal> {
    Directives::of(file, &request.name)?;
    let target = request.desired.unwrap_or_default();
    check_template(&request.name, target)?;
    let text = file.text().to_owned();
    Ok(Change::Create(Unit { text, hash: file.hash(), target, generation: 1, stops: 0 }))
}

fn replace(unit: &Unit, request: &Request, file: &UnitFile) -> Result<Change, Refusal> {
    Directives::of(file, &request.name)?;
    // 1.0's clients replace first and ask for a state afterwards.
    let asked = request.desired.unwrap_or_default();
    let target = if request.raise_only { asked.max(unit.target) } else { asked };
    check_template(&request.name, target)?;
    let text = file.text().to_owned();
    // The agent starts a unit of another hash again by itself.
    Ok(Change::Replace(Unit { text, hash: file.hash(), ..moved(unit, target, false) }))
}

/// `comments` are contents that say the same in another text.
fn update(unit: &Unit, request: &Request, comments: Option<&Contents>) -> Result<Change, Refusal> {
    let target = match request.desired {
        None if comments.is_none() => return Err(Refusal::NothingToChange),
        None => unit.target,
        Some(desired) if request.raise_only => desired.max(unit.target),
        Some(desired) => desired,
    };
    check_template(&request.name, target)?;
    // A unit that is only loaded may run, too: systemd has started it for another one.
    let restarts = request.restart && unit.target.min(target) > TargetState::Inactive;
    if comments.is_none() && !restarts && target == unit.target {
        return Ok(Change::Nothing);
    }
    let text = comments.map_or_else(|| unit.text.clone(), |to| to.file().text().to_owned());
    Ok(Change::Update(Unit { text, ..moved(unit, target, restarts) }))
}

/// The record after one more accepted write. `stops` counts, so that an agent that sees only the
/// last of several writes still knows that the unit has to stop in between.
fn moved(unit: &Unit, target: TargetState, restarts: bool) -> Unit {
    let stops = unit.target == TargetState::Launched && target < TargetState::Launched;
    Unit {
        target,
        generation: unit.generation + 1,
        stops: unit.stops + u64::from(stops || restarts),
        ..unit.clone()
    }
}

fn check_template(name: &UnitName, target: TargetState) -> Result<(), Refusal> {
    if name.is_template() && target > TargetState::Inactive {
        return Err(Refusal::Template(name.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLEEP: &str = "[Service]\nExecStart=/bin/sleep 1\n";
    const COMMENTED: &str = "# nap\n[Service]\nExecStart=/bin/sleep 1\n";
    const OTHER: &str = "[Service]\nExecStart=/bin/sleep 2\n";
    const CONTRADICTORY: &str = "[X-Fleet]\nGlobal=true\nMachineID=abc\n";

    use TargetState::{Inactive, Launched, Loaded};

    fn file(text: &str) -> UnitFile {
        UnitFile::parse(text).unwrap()
    }

    fn stored(text: &str, target: TargetState) -> Unit {
        Unit { text: text.into(), hash: file(text).hash(), target, generation: 4, stops: 2 }
    }

    fn request(name: &str, text: Option<&str>, desired: Option<TargetState>) -> Request {
        Request {
            name: name.parse().unwrap(),
            contents: text.map(|text| Contents::Text(file(text))),
            desired,
            raise_only: false,
            restart: false,
        }
    }

    fn after(text: &str, target: TargetState, stops: u64) -> Unit {
        Unit { generation: 5, stops, ..stored(text, target) }
    }

    #[test]
    fn put_follows_the_rules_of_1_0() {
        let new = |target| Unit { generation: 1, stops: 0, ..stored(SLEEP, target) };
        let template = || Refusal::Template("a@.service".parse().unwrap());
        let contradiction =
            || Refusal::Directives(DirectiveError::Exclusive { one: "MachineID", other: "Global" });
        let cases = [
            ("a.service", None, None, None, Err(Refusal::NothingToCreate)),
            ("a.service", None, None, Some(Launched), Err(Refusal::NothingToCreate)),
            ("a.service", None, Some(SLEEP), None, Ok(Change::Create(new(Inactive)))),
            ("a.service", None, Some(SLEEP), Some(Launched), Ok(Change::Create(new(Launched)))),
            ("a@.service", None, Some(SLEEP), Some(Inactive), Ok(Change::Create(new(Inactive)))),
            ("a@.service", None, Some(SLEEP), Some(Loaded), Err(template())),
            ("a.service", None, Some(CONTRADICTORY), None, Err(contradiction())),
            ("a.service", Some(Loaded), None, None, Err(Refusal::NothingToChange)),
            ("a.service", Some(Loaded), Some(SLEEP), None, Err(Refusal::NothingToChange)),
            ("a.service", Some(Loaded), None, Some(Loaded), Ok(Change::Nothing)),
            ("a.service", Some(Loaded), Some(SLEEP), Some(Loaded), Ok(Change::Nothing)),
            (
                "a.service",
                Some(Loaded),
                None,
                Some(Launched),
                Ok(Change::Update(after(SLEEP, Launched, 2))),
            ),
            (
                "a.service",
                Some(Launched),
                None,
                Some(Loaded),
                Ok(Change::Update(after(SLEEP, Loaded, 3))),
            ),
            (
                "a.service",
                Some(Loaded),
                None,
                Some(Inactive),
                Ok(Change::Update(after(SLEEP, Inactive, 2))),
            ),
            ("a@.service", Some(Inactive), None, Some(Launched), Err(template())),
            (
                "a.service",
                Some(Launched),
                Some(OTHER),
                None,
                Ok(Change::Replace(after(OTHER, Inactive, 3))),
            ),
            (
                "a.service",
                Some(Launched),
                Some(OTHER),
                Some(Launched),
                Ok(Change::Replace(after(OTHER, Launched, 2))),
            ),
            ("a.service", Some(Launched), Some(CONTRADICTORY), None, Err(contradiction())),
            ("a@.service", Some(Inactive), Some(OTHER), Some(Launched), Err(template())),
            (
                "a.service",
                Some(Launched),
                Some(COMMENTED),
                None,
                Ok(Change::Update(after(COMMENTED, Launched, 2))),
            ),
            (
                "a.service",
                Some(Launched),
                Some(COMMENTED),
                Some(Loaded),
                Ok(Change::Update(after(COMMENTED, Loaded, 3))),
            ),
        ];

        for (name, existing, text, desired, expected) in cases {
            let existing = existing.map(|target| stored(SLEEP, target));
            let request = request(name, text, desired);
            assert_eq!(
                accept(existing.as_ref(), &request),
                expected,
                "{name} {:?} {text:?} {desired:?}",
                existing.map(|unit| unit.target)
            );
        }
    }

    #[test]
    fn options_that_say_the_same_leave_the_comments_alone() {
        let unit = stored(COMMENTED, Loaded);
        let options = Contents::Options(file(SLEEP));

        let same = Request { contents: Some(options), ..request("a.service", None, Some(Loaded)) };
        assert_eq!(accept(Some(&unit), &same), Ok(Change::Nothing));
        let launch = Request { desired: Some(Launched), ..same };
        assert_eq!(accept(Some(&unit), &launch), Ok(Change::Update(after(COMMENTED, Launched, 2))));
    }

    #[test]
    fn raising_never_lowers() {
        let unit = stored(SLEEP, Launched);
        let load = Request { raise_only: true, ..request("a.service", None, Some(Loaded)) };
        assert_eq!(accept(Some(&unit), &load), Ok(Change::Nothing));

        let replace =
            Request { raise_only: true, ..request("a.service", Some(OTHER), Some(Loaded)) };
        assert_eq!(accept(Some(&unit), &replace), Ok(Change::Replace(after(OTHER, Launched, 2))));
    }

    #[test]
    fn a_restart_counts_as_a_stop_where_a_machine_holds_the_unit_and_is_to_go_on() {
        let cases = [
            (Launched, Launched, Change::Update(after(SLEEP, Launched, 3))),
            (Loaded, Launched, Change::Update(after(SLEEP, Launched, 3))),
            (Inactive, Launched, Change::Update(after(SLEEP, Launched, 2))),
            (Loaded, Loaded, Change::Update(after(SLEEP, Loaded, 3))),
            (Launched, Loaded, Change::Update(after(SLEEP, Loaded, 3))),
            (Inactive, Inactive, Change::Nothing),
        ];
        for (target, asked, change) in cases {
            let restart = Request { restart: true, ..request("a.service", None, Some(asked)) };
            let accepted = accept(Some(&stored(SLEEP, target)), &restart);
            assert_eq!(accepted, Ok(change), "{target} to {asked}");
        }
    }
}
