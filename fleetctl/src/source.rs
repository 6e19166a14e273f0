//! Where the contents of a unit come from: the registry, a file, or a template of either.
//!
//! [`resolve`] is pure; [`Findings`] is what was found for one argument.

use std::io;
use std::path::{Path, PathBuf};

use fleet_units::api::Unit;
use fleet_units::{
    DirectiveError, Directives, ParseError, TargetState, UnitFile, UnitName, UnitNameError,
};

/// A unit file that was looked for on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Local {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) contents: Result<UnitFile, LocalError>,
}

/// Why a file holds no unit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LocalError {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Unreadable(String),
    /// It is not a unit.
    #[error(transparent)]
    NotAUnit(#[from] ParseError),
    /// It says nothing.
    #[error("it holds no option: write a section such as [Service], and ExecStart= in it")]
    Empty,
}

/// All that was found for one argument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// The unit of that name in the registry.
    pub(crate) registered: Option<Registered>,
    /// The file that the argument names.
    pub(crate) file: Option<Local>,
    /// The template in the registry, if the name is an instance.
    pub(crate) template: Option<UnitFile>,
    /// The template beside the file that the argument names.
    pub(crate) template_file: Option<Local>,
}

/// A unit that is in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    /// What is asked for.
    pub(crate) desired: TargetState,
    /// Its contents, if anything has to be compared with them.
    pub(crate) contents: Option<UnitFile>,
    /// Whether the contents are its text byte for byte, which 1.0 does not keep.
    pub(crate) verbatim: bool,
}

/// What to do with the contents of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// The registry has it; the note says what the operator may not expect.
    Keep { note: Option<String> },
    /// The registry has the same, although it was to be replaced.
    Same { note: String },
    /// These are its contents from now on; the notes are about its directives.
    Write { contents: UnitFile, notes: Vec<String> },
}

impl Resolved {
    /// What the operator may not expect.
    pub(crate) fn notes(&self) -> impl Iterator<Item = &str> {
        let notes = match self {
            Self::Keep { note } => note.as_slice(),
            Self::Same { note } => std::slice::from_ref(note),
            Self::Write { notes, .. } => notes,
        };
        notes.iter().map(String::as_str)
    }
}

impl Findings {
    /// The same for a unit that is to be made if it is not there: what the registry has of it stands
    /// in for a file.
    pub(crate) fn of_once(self) -> Self {
        let contents = self.registered.and_then(|registered| registered.contents);
        let path = PathBuf::new();
        let file = self.file.or_else(|| contents.map(|file| Local { path, contents: Ok(file) }));
        Self { registered: None, file, ..self }
    }
}

/// Why a unit has no contents.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SourceError {
    /// The argument makes no name.
    #[error("error extracting information from unit name {argument}")]
    Name {
        /// The argument.
        argument: String,
        /// What is wrong with it.
        source: UnitNameError,
    },
    /// Nobody has it.
    #[error("unable to find Unit({0}) in Registry or on filesystem")]
    Nowhere(String),
    /// Nobody has its template.
    #[error(
        "failed getting Unit({unit}) from template: unable to find template Unit({template}) in Registry or on filesystem"
    )]
    NoTemplate {
        /// The unit, or the path that was given.
        unit: String,
        /// Its template.
        template: String,
    },
    /// The file is there and is no unit.
    #[error("failed getting Unit({}) from file", .path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: LocalError,
    },
    /// The directives cannot go together.
    #[error("failed creating unit {unit}")]
    Directives {
        /// The unit.
        unit: UnitName,
        /// Which cannot.
        source: DirectiveError,
    },
    /// A template was to be started.
    #[error("cannot activate template \"{0}\"")]
    Template(UnitName),
}

/// An argument that names a unit, perhaps by the path of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    /// The unit.
    pub(crate) name: UnitName,
    /// The file, if it is there.
    pub(crate) path: PathBuf,
}

impl Argument {
    /// Reads an argument as 1.0 does.
    pub(crate) fn parse(argument: &str) -> Result<Self, SourceError> {
        let name = UnitName::from_argument(argument)
            .map_err(|source| SourceError::Name { argument: argument.to_owned(), source })?;
        Ok(Self { name, path: PathBuf::from(&*UnitName::complete(argument)) })
    }

    /// Looks at the file system.
    pub(crate) fn local(&self) -> (Option<Local>, Option<Local>) {
        let template =
            self.name.template().map(|template| self.path.with_file_name(template.as_str()));
        (read(&self.path), template.and_then(|path| read(&path)))
    }
}

/// Reads a unit file; `None` if there is no file of that name.
fn read(path: &Path) -> Option<Local> {
    let contents = match std::fs::read(path) {
        Ok(bytes) => UnitFile::parse_bytes(&bytes).map_err(LocalError::from),
        Err(error) if is_absence(&error) => return None,
        Err(error) => Err(LocalError::Unreadable(error.to_string())),
    };
    Some(Local { path: path.to_owned(), contents })
}

// A directory that is named like a unit is not meant: its name is only an argument.
fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory
    )
}

/// Decides what the contents of a unit are.
///
/// The registry's unit comes before the file, the file before the template. What is to be
/// replaced takes its new contents from disk first, as that is what somebody has edited.
pub(crate) fn resolve(
    argument: &Argument,
    findings: Findings,
    may_replace: Option<&[TargetState]>,
) -> Result<Resolved, SourceError> {
    let Findings { registered, file, template, template_file } = findings;
    match (registered, may_replace) {
        (None, _) => {
            let contents = match file {
                Some(file) => contents(file)?,
                None => from_template(argument, template, template_file)?,
            };
            written(argument, contents)
        }
        (Some(registered), None) => {
            Ok(Resolved::Keep { note: difference(argument, &registered, file, template_file) })
        }
        (Some(registered), Some(states)) => {
            let new = match (file.or(template_file), template) {
                (Some(local), _) => contents(local)?,
                (None, Some(template)) => template,
                (None, None) => return Err(SourceError::Nowhere(argument.name.to_string())),
            };
            replaced(argument, &registered, new, states)
        }
    }
}

fn from_template(
    argument: &Argument,
    registered: Option<UnitFile>,
    local: Option<Local>,
) -> Result<UnitFile, SourceError> {
    match (registered, local, argument.name.template()) {
        (Some(template), _, _) => Ok(template),
        (None, Some(local), _) => contents(local),
        (None, None, Some(template)) => Err(SourceError::NoTemplate {
            unit: argument.path.display().to_string(),
            template: template.to_string(),
        }),
        (None, None, None) => Err(SourceError::Nowhere(argument.name.to_string())),
    }
}

fn contents(local: Local) -> Result<UnitFile, SourceError> {
    let contents = local.contents.and_then(|contents| {
        if contents.options().is_empty() { Err(LocalError::Empty) } else { Ok(contents) }
    });
    contents.map_err(|source| SourceError::BadFile { path: local.path, source })
}

fn replaced(
    argument: &Argument,
    registered: &Registered,
    new: UnitFile,
    states: &[TargetState],
) -> Result<Resolved, SourceError> {
    let name = &argument.name;
    let same = |old: &UnitFile| {
        old.hash() == new.hash() && (!registered.verbatim || old.text() == new.text())
    };
    if registered.contents.as_ref().is_some_and(same) {
        let note = format!("Found same Unit({name}) in Registry, nothing to do");
        return Ok(Resolved::Same { note });
    }
    if !states.contains(&registered.desired) {
        let state = registered.desired;
        let note = format!(
            "Warning: can not replace Unit({name}) in state '{state}', use the appropriate command"
        );
        return Ok(Resolved::Keep { note: Some(note) });
    }
    written(argument, new)
}

fn written(argument: &Argument, contents: UnitFile) -> Result<Resolved, SourceError> {
    let name = &argument.name;
    let directives = Directives::of(&contents, name)
        .map_err(|source| SourceError::Directives { unit: name.clone(), source })?;
    let notes = directives.warnings().into_iter().map(|warning| format!("Unit {name}: {warning}"));
    let notes = notes.collect();
    Ok(Resolved::Write { contents, notes })
}

/// Says that the registry's unit, which is used, is not what stands on disk.
fn difference(
    argument: &Argument,
    registered: &Registered,
    file: Option<Local>,
    template_file: Option<Local>,
) -> Option<String> {
    let (local, kind) = match (file, template_file) {
        (Some(file), _) => (file, "unit"),
        (None, Some(file)) => (file, "template unit"),
        (None, None) => return None,
    };
    let old = registered.contents.as_ref()?;
    let differs = local.contents.is_ok_and(|new| new.hash() != old.hash());
    differs.then(|| {
        format!(
            "WARNING: Unit {} in registry differs from local {kind} file {}. Add --replace to override.",
            argument.name,
            local.path.display()
        )
    })
}

impl Registered {
    /// Takes a unit as a server shows it. Contents that are no unit differ from any that are.
    pub(crate) fn of(unit: &Unit) -> Self {
        Self {
            desired: unit.desired_state.unwrap_or_default(),
            contents: unit_file(unit).ok(),
            verbatim: unit.text.is_some(),
        }
    }
}

/// Whether a unit runs on each machine that it suits.
pub(crate) fn is_global(name: &str, file: &UnitFile) -> bool {
    name.parse::<UnitName>().is_ok_and(|name| Directives::lenient(file, &name).global)
}

/// Gives a unit of the registry as a file, text byte for byte if the server has kept it.
pub(crate) fn unit_file(unit: &Unit) -> Result<UnitFile, ParseError> {
    match &unit.text {
        Some(text) => UnitFile::parse(text),
        None => UnitFile::from_options(unit.options.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;

    const ONE: &str = "[Service]\nExecStart=/bin/one\n";
    const COMMENTED: &str = "# first\n[Service]\nExecStart=/bin/one\n";
    const TWO: &str = "[Service]\nExecStart=/bin/two\n";
    const CLASH: &str = "[X-Fleet]\nGlobal=true\nMachineOf=b.service\n";
    const TYPO: &str = "[X-Fleet]\nMachineId=abc\n";
    const NONE: &str = "ExecStart=/bin/one\n[Service\n";

    fn file(text: &str) -> UnitFile {
        UnitFile::parse(text).unwrap()
    }

    fn local(path: &str, text: &str) -> Option<Local> {
        let contents = UnitFile::parse(text).map_err(LocalError::from);
        Some(Local { path: PathBuf::from(path), contents })
    }

    fn registered(desired: TargetState, text: &str) -> Option<Registered> {
        Some(Registered { desired, contents: Some(file(text)), verbatim: true })
    }

    fn shown(argument: &str, findings: Findings, may_replace: Option<&[TargetState]>) -> String {
        let argument = Argument::parse(argument).unwrap();
        match resolve(&argument, findings, may_replace) {
            Ok(Resolved::Keep { note: None }) => "keep".to_owned(),
            Ok(Resolved::Keep { note: Some(note) }) => format!("keep, {note}"),
            Ok(Resolved::Same { note }) => format!("same, {note}"),
            Ok(Resolved::Write { contents, notes }) => {
                let first = contents.options().first().map(|option| option.value.clone());
                format!("write {} {}", first.unwrap_or_default(), notes.join(", "))
            }
            Err(error) => format!("error: {}", chain(&error)),
        }
    }

    #[test]
    fn contents_come_from_registry_then_file_then_registered_template_then_template_file() {
        let launched = TargetState::Launched;
        let all = || Findings {
            registered: registered(launched, ONE),
            file: local("dir/a@1.service", TWO),
            template: Some(file("[Service]\nExecStart=/bin/template\n")),
            template_file: local("dir/a@.service", "[Service]\nExecStart=/bin/local\n"),
        };
        let cases = [
            ("in the registry and on disk", all()),
            (
                "the same in the registry and on disk",
                Findings { file: local("dir/a@1.service", COMMENTED), ..all() },
            ),
            ("in the registry, template on disk", Findings { file: None, ..all() }),
            ("only in the registry", Findings { file: None, template_file: None, ..all() }),
            ("on disk", Findings { registered: None, ..all() }),
            ("template in the registry", Findings { registered: None, file: None, ..all() }),
            (
                "template on disk",
                Findings { registered: None, file: None, template: None, ..all() },
            ),
            ("nowhere", Findings::default()),
        ];
        let rows =
            cases.map(|(case, findings)| format!("{case}: {}", shown("dir/a@1", findings, None)));
        insta::assert_snapshot!(rows.join("\n"), @r#"
        in the registry and on disk: keep, WARNING: Unit a@1.service in registry differs from local unit file dir/a@1.service. Add --replace to override.
        the same in the registry and on disk: keep
        in the registry, template on disk: keep, WARNING: Unit a@1.service in registry differs from local template unit file dir/a@.service. Add --replace to override.
        only in the registry: keep
        on disk: write /bin/two 
        template in the registry: write /bin/template 
        template on disk: write /bin/local 
        nowhere: error: failed getting Unit(dir/a@1.service) from template: unable to find template Unit(a@.service) in Registry or on filesystem
        "#);
    }

    #[test]
    fn what_is_no_unit_or_makes_no_sense_is_told_with_its_name() {
        let on_disk = |text| Findings { file: local("dir/a.service", text), ..Findings::default() };
        let unreadable = Some(Local {
            path: PathBuf::from("dir/a.service"),
            contents: Err(LocalError::Unreadable("permission denied".to_owned())),
        });
        let cases = [
            Findings::default(),
            on_disk(NONE),
            on_disk("Some prose.\n"),
            on_disk("[Service]\n"),
            on_disk(CLASH),
            on_disk(TYPO),
            Findings { file: unreadable, ..Findings::default() },
        ];
        let rows = cases.map(|findings| shown("dir/a.service", findings, None));
        let name = Argument::parse("dir/a b.service").map_err(|error| chain(&error));
        insta::assert_snapshot!(format!("{}\n{name:?}", rows.join("\n")), @r#"
        error: unable to find Unit(a.service) in Registry or on filesystem
        error: failed getting Unit(dir/a.service) from file: line 2: section header "[Service" has no end: write "[Section]" on a line of its own
        error: failed getting Unit(dir/a.service) from file: line 1: not a unit file: no [Section] header: put one, such as [Service], before "Some prose."
        error: failed getting Unit(dir/a.service) from file: it holds no option: write a section such as [Service], and ExecStart= in it
        error: failed creating unit a.service: Global cannot be used with Peers
        write abc Unit a.service: unrecognized requirement in [X-Fleet] section: "MachineId", did you mean "MachineID"?
        error: failed getting Unit(dir/a.service) from file: cannot read it: permission denied
        Err("error extracting information from unit name dir/a b.service: invalid character ' ' in unit name")
        "#);
    }

    #[test]
    fn a_unit_is_replaced_by_what_is_on_disk_if_the_command_may() {
        let states: &[TargetState] = &[TargetState::Inactive, TargetState::Loaded];
        let of = |state, text, path: Option<&str>| Findings {
            registered: registered(state, text),
            file: path.and_then(|_| local("a@1.service", TWO)),
            template: Some(file(ONE)),
            template_file: local("a@.service", COMMENTED),
        };
        let cases = [
            ("from its file", of(TargetState::Loaded, ONE, Some("file"))),
            ("from the template beside it", of(TargetState::Loaded, TWO, None)),
            (
                "from the registered template",
                Findings { template_file: None, ..of(TargetState::Loaded, TWO, None) },
            ),
            ("it is the same", of(TargetState::Launched, TWO, Some("file"))),
            ("only comments differ", of(TargetState::Loaded, ONE, None)),
            ("it runs", of(TargetState::Launched, ONE, Some("file"))),
            (
                "nothing to replace it by",
                Findings {
                    template: None,
                    template_file: None,
                    ..of(TargetState::Loaded, ONE, None)
                },
            ),
        ];
        let rows = cases.map(|(case, findings)| {
            format!("{case}: {}", shown("a@1.service", findings, Some(states)))
        });
        insta::assert_snapshot!(rows.join("\n"), @r#"
        from its file: write /bin/two 
        from the template beside it: write /bin/one 
        from the registered template: write /bin/one 
        it is the same: same, Found same Unit(a@1.service) in Registry, nothing to do
        only comments differ: write /bin/one 
        it runs: keep, Warning: can not replace Unit(a@1.service) in state 'launched', use the appropriate command
        nothing to replace it by: error: unable to find Unit(a@1.service) in Registry or on filesystem
        "#);
    }

    #[test]
    fn files_are_looked_for_beside_the_argument_and_absence_is_no_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a@.service");
        std::fs::write(&path, ONE).unwrap();
        std::fs::create_dir(directory.path().join("a@1.service")).unwrap();
        let argument = Argument::parse(&directory.path().join("a@1").to_string_lossy()).unwrap();
        assert_eq!(argument.local(), (None, Some(Local { path, contents: Ok(file(ONE)) })));
    }
}
