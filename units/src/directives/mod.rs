//! The `[X-Fleet]` section: where in the cluster a unit may run.

mod check;
mod manual;
#[cfg(test)]
mod tests;
mod warning;

use std::collections::{BTreeMap, BTreeSet};

pub use check::DirectiveError;
pub use manual::{DIRECTIVES, Directive};
pub use warning::{MalformedDirective, MisspeltSection, UnknownDirective};

use crate::{Glob, MachineId, UnitFile, UnitName, specifier};

/// The section that holds directives.
const SECTION: &str = "X-Fleet";

const MACHINE_ID: &str = "MachineID";
const LEGACY_MACHINE_ID: &str = "X-ConditionMachineID";
const LEGACY_BOOT_ID: &str = "X-ConditionMachineBootID";
const MACHINE_OF: &str = "MachineOf";
const LEGACY_MACHINE_OF: &str = "X-ConditionMachineOf";
const CONFLICTS: &str = "Conflicts";
const LEGACY_CONFLICTS: &str = "X-Conflicts";
const METADATA: &str = "MachineMetadata";
const LEGACY_METADATA: &str = "X-ConditionMachineMetadata";
const GLOBAL: &str = "Global";
const REPLACES: &str = "Replaces";

/// All keys that are honoured; the ones to suggest come first.
const KNOWN: [&str; 11] = [
    MACHINE_ID,
    MACHINE_OF,
    CONFLICTS,
    METADATA,
    GLOBAL,
    REPLACES,
    LEGACY_MACHINE_ID,
    LEGACY_BOOT_ID,
    LEGACY_MACHINE_OF,
    LEGACY_CONFLICTS,
    LEGACY_METADATA,
];

/// What the values of one unit may come to once specifiers are expanded, in bytes: twice what a
/// unit may have, so that only those reach it that repeat a long name again and again.
const MAX_EXPANDED: usize = 1024 * 1024;

/// Longest piece of a value that is too long that is repeated.
const MAX_QUOTE: usize = 60;

/// Most warnings of one unit; nobody reads more.
const MAX_WARNINGS: usize = 20;

/// Where a unit may run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// The one machine for it: a whole id or a short one.
    pub machine_id: Option<String>,
    /// Names of units that must be on the same machine.
    pub machine_of: Vec<String>,
    /// Units that must not be on the same machine.
    pub conflicts: Vec<Glob>,
    /// Metadata that the machine must have: for each key one of the values.
    pub metadata: BTreeMap<String, BTreeSet<String>>,
    /// Whether each eligible machine is to run it.
    pub global: bool,
    /// Units that give way to it.
    pub replaces: Vec<Glob>,
    /// Keys that fleet does not know.
    pub unknown: Vec<UnknownDirective>,
    /// Values of known keys that cannot do what their author meant.
    pub malformed: Vec<MalformedDirective>,
    /// Sections that may have been meant to hold directives, and hold none.
    pub misspelt: BTreeSet<MisspeltSection>,
}

impl Directives {
    /// Reads the directives of a unit that somebody submits.
    ///
    /// # Errors
    ///
    /// Says what cannot go together, or cannot be.
    pub fn of(file: &UnitFile, name: &UnitName) -> Result<Self, DirectiveError> {
        let directives = Self::lenient(file, name);
        check::check(&directives, name)?;
        Ok(directives)
    }

    /// Reads the directives of a unit that is stored already, whatever they say together.
    #[must_use]
    pub fn lenient(file: &UnitFile, name: &UnitName) -> Self {
        let mut malformed = Vec::new();
        let written = Written::of(file, name, &mut malformed);
        let machine_id = read_machine_id(&written, &mut malformed);
        let machine_of = read_machine_of(&written, name, &mut malformed);
        let conflicts = written
            .all([LEGACY_CONFLICTS, CONFLICTS])
            .flat_map(|(key, patterns)| patterns.split_whitespace().map(move |one| (key, one)))
            .map(|(key, pattern)| read_glob(key, pattern, &mut malformed))
            .collect();
        let replaces = written
            .all([REPLACES])
            .map(|(key, pattern)| read_replaces(key, pattern, name, &mut malformed))
            .collect();
        let metadata = read_metadata(&written, &mut malformed);
        let global = read_global(&written, &mut malformed);
        let unknown = written.unknown.into_iter().collect();
        let misspelt = MisspeltSection::all_in(file);
        Self {
            machine_id,
            machine_of,
            conflicts,
            metadata,
            global,
            replaces,
            unknown,
            malformed,
            misspelt,
        }
    }

    /// The directives as they stand in a unit file, but for those that fleet does not know.
    #[must_use]
    pub fn as_written(file: &UnitFile) -> Vec<String> {
        let known = |name: &str| KNOWN.contains(&name);
        let options = file.options().iter();
        let options = options.filter(|option| option.section == SECTION && known(&option.name));
        options.map(|option| format!("{}={}", option.name, option.value)).collect()
    }

    /// One sentence for each thing that cannot do what its author meant; of very many, the first
    /// ones and how many more there are.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let misspelt = self.misspelt.iter().map(ToString::to_string);
        let unknown = self.unknown.iter().map(ToString::to_string);
        let malformed = self.malformed.iter().map(ToString::to_string);
        let warnings = misspelt.chain(unknown).chain(malformed);
        let mut warnings: Vec<_> = warnings.take(MAX_WARNINGS).collect();
        let all = self.misspelt.len() + self.unknown.len() + self.malformed.len();
        if all > warnings.len() {
            warnings.push(format!("and {} more of this kind", all - warnings.len()));
        }
        warnings
    }
}

/// The section as written: the values of each known key, with specifiers expanded.
struct Written {
    values: BTreeMap<&'static str, Vec<String>>,
    unknown: BTreeSet<UnknownDirective>,
}

impl Written {
    fn of(file: &UnitFile, name: &UnitName, malformed: &mut Vec<MalformedDirective>) -> Self {
        let mut written = Self { values: BTreeMap::new(), unknown: BTreeSet::new() };
        let mut room = MAX_EXPANDED;
        for option in file.options().iter().filter(|option| option.section == SECTION) {
            let known = KNOWN.into_iter().find(|key| *key == option.name);
            if let Some(key) = known {
                let values = split_quoted(&option.value).into_iter();
                // An empty value names nothing that a machine or unit could be; as the last of
                // `Global` it takes the earlier ones back.
                let values = values.filter(|value| key == GLOBAL || !value.trim().is_empty());
                for value in values {
                    let Some(left) = room.checked_sub(specifier::longest(&value, name)) else {
                        malformed.push(too_long(key, &value));
                        continue;
                    };
                    room = left;
                    let expanded = specifier::expand(&value, name);
                    written.values.entry(key).or_default().push(expanded);
                }
            } else {
                written.unknown.insert(UnknownDirective { key: option.name.clone() });
            }
        }
        written
    }

    /// Values of several keys: all of the first key, then all of the next.
    fn all<const N: usize>(
        &self,
        keys: [&'static str; N],
    ) -> impl Iterator<Item = (&'static str, &str)> {
        keys.into_iter().flat_map(|key| {
            let values = self.values.get(key).into_iter().flatten();
            values.map(move |value| (key, value.as_str()))
        })
    }
}

fn too_long(key: &'static str, value: &str) -> MalformedDirective {
    let start: String = value.chars().take(MAX_QUOTE).collect();
    let instead = "with its specifiers expanded, the directives of this unit would be larger than 1 MiB: write less of them";
    MalformedDirective { key, value: format!("{start}..."), instead }
}

fn read_machine_id(written: &Written, malformed: &mut Vec<MalformedDirective>) -> Option<String> {
    let mut ids = written.all([MACHINE_ID, LEGACY_MACHINE_ID, LEGACY_BOOT_ID]);
    let (key, first) = ids.next()?;
    if first.parse::<MachineId>().is_err() {
        let instead = "write the id of one machine, or its first eight characters";
        malformed.push(MalformedDirective { key, value: first.to_owned(), instead });
    }
    for (key, other) in ids.filter(|(_, other)| *other != first) {
        let instead = "a unit has one machine, and another one is named first: remove one of them";
        malformed.push(MalformedDirective { key, value: other.to_owned(), instead });
    }
    Some(first.to_owned())
}

fn read_machine_of(
    written: &Written,
    unit: &UnitName,
    malformed: &mut Vec<MalformedDirective>,
) -> Vec<String> {
    let mut names = Vec::new();
    for (key, name) in written.all([LEGACY_MACHINE_OF, MACHINE_OF]) {
        let instead = match name.parse::<UnitName>() {
            Err(_) => Some("name one unit, such as hello.service, per line, or each in quotes"),
            // What a template names is known once it has an instance.
            Ok(peer) if peer.is_template() && !unit.is_template() => {
                Some("a template runs nowhere: name an instance of it")
            }
            Ok(_) => None,
        };
        if let Some(instead) = instead {
            malformed.push(MalformedDirective { key, value: name.to_owned(), instead });
        }
        names.push(name.to_owned());
    }
    names
}

fn read_replaces(
    key: &'static str,
    pattern: &str,
    unit: &UnitName,
    malformed: &mut Vec<MalformedDirective>,
) -> Glob {
    let glob = read_glob(key, pattern, malformed);
    if glob.as_literal().is_some_and(|name| name == unit.as_str()) {
        let instead = "a unit does not replace itself: name the one that is to give way";
        malformed.push(MalformedDirective { key, value: pattern.to_owned(), instead });
    }
    glob
}

fn read_glob(key: &'static str, pattern: &str, malformed: &mut Vec<MalformedDirective>) -> Glob {
    let glob = Glob::lenient(pattern);
    if glob.is_malformed() {
        malformed.push(MalformedDirective {
            key,
            value: pattern.to_owned(),
            instead: "close each \"[\" with \"]\" and write \"\\\\\" for a backslash",
        });
    }
    glob
}

fn read_metadata(
    written: &Written,
    malformed: &mut Vec<MalformedDirective>,
) -> BTreeMap<String, BTreeSet<String>> {
    let mut metadata: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (key, pair) in written.all([LEGACY_METADATA, METADATA]) {
        match pair.split('=').collect::<Vec<_>>()[..] {
            [name, value] if !name.is_empty() && !value.is_empty() => {
                metadata.entry(name.to_owned()).or_default().insert(value.to_owned());
            }
            _ => malformed.push(MalformedDirective {
                key,
                value: pair.to_owned(),
                instead: "write \"key=value\", each pair on a line of its own or in quotes",
            }),
        }
    }
    metadata
}

fn read_global(written: &Written, malformed: &mut Vec<MalformedDirective>) -> bool {
    let mut global = false;
    for (key, word) in written.all([GLOBAL]) {
        global = matches!(word.to_lowercase().as_str(), "true" | "yes" | "1" | "on" | "t");
        let denied = ["", "false", "no", "0", "off", "f"].contains(&word.to_lowercase().as_str());
        if !global && !denied {
            let instead = "write \"true\" or \"false\"";
            malformed.push(MalformedDirective { key, value: word.to_owned(), instead });
        }
    }
    global
}

/// Splits a line of quoted chunks; a line that does not both start and end with a quote is one
/// value. Quotes cannot be escaped.
fn split_quoted(line: &str) -> Vec<String> {
    if !line.starts_with('"') || !line.ends_with('"') {
        return vec![line.to_owned()];
    }
    let mut chunks = Vec::new();
    let mut chunk: Option<String> = None;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                chunk.get_or_insert_default();
            }
            _ if c.is_whitespace() && !quoted => chunks.extend(chunk.take()),
            _ => chunk.get_or_insert_default().push(c),
        }
    }
    chunks.extend(chunk);
    chunks
}
