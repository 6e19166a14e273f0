//! Where the contents of a unit come from: the registry, a file, or a template of either.
//!
//! [`resolve`] is pure; [`Findings`] is what was found for one argument.

#[cfg(test)]
mod tests;

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
