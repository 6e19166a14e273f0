//! The `[X-Fleet]` section: where in the cluster a unit may run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::{Glob, UnitFile, UnitName, nearest, specifier};

/// The section that holds directives.
const SECTION: &str = "X-Fleet";

const MACHINE_ID: &str = "MachineID";
const LEGACY_MACHINE_ID: &str = "X-ConditionMachineID";
const LEGACY_BOOT_ID: &str = "X-ConditionMachineBootID";
const MACHINE_OF: &str = "MachineOf";
/// A placement compares the documents of each unit that it goes with, three of them, in one
/// transaction; etcd takes 128 compares.
const MOST_PEERS: usize = 30;
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
}

impl Directives {
    /// Reads the directives of a unit that somebody submits.
    ///
    /// # Errors
    ///
    /// Names two directives that cannot go together.
    pub fn of(file: &UnitFile, name: &UnitName) -> Result<Self, DirectiveError> {
        let directives = Self::lenient(file, name);
        directives.check()?;
        Ok(directives)
    }

    /// Reads the directives of a unit that is stored already, whatever they say together.
    #[must_use]
    pub fn lenient(file: &UnitFile, name: &UnitName) -> Self {
        let written = Written::of(file, name);
        let mut malformed = Vec::new();
        let machine_id = written
            .all([MACHINE_ID, LEGACY_MACHINE_ID, LEGACY_BOOT_ID])
            .next()
            .map(|(_, id)| id.to_owned());
        let machine_of = read_machine_of(&written, &mut malformed);
        let conflicts = written
            .all([LEGACY_CONFLICTS, CONFLICTS])
            .flat_map(|(key, patterns)| patterns.split_whitespace().map(move |one| (key, one)))
            .map(|(key, pattern)| read_glob(key, pattern, &mut malformed))
            .collect();
        let replaces = written
            .all([REPLACES])
            .map(|(key, pattern)| read_glob(key, pattern, &mut malformed))
            .collect();
        let metadata = read_metadata(&written, &mut malformed);
        let global = read_global(&written, &mut malformed);
        let unknown = written.unknown.into_iter().collect();
        Self { machine_id, machine_of, conflicts, metadata, global, replaces, unknown, malformed }
    }

    /// One sentence for each thing in the section that cannot do what its author meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let unknown = self.unknown.iter().map(ToString::to_string);
        unknown.chain(self.malformed.iter().map(ToString::to_string)).collect()
    }

    /// Refuses combinations that cannot be satisfied, in 1.0's order and words.
    fn check(&self) -> Result<(), DirectiveError> {
        for peer in &self.machine_of {
            for (kind, globs) in [("conflict", &self.conflicts), ("replace", &self.replaces)] {
                if let Some(glob) = globs.iter().find(|glob| glob.matches(peer)) {
                    return Err(DirectiveError::Unresolvable {
                        peer: peer.clone(),
                        kind,
                        pattern: glob.to_string(),
                    });
                }
            }
        }
        let peers = ("Peers", !self.machine_of.is_empty());
        let conflicts = ("Conflicts", !self.conflicts.is_empty());
        let global = ("Global", self.global);
        let replaces = ("Replaces", !self.replaces.is_empty());
        let machine_id = ("MachineID", self.machine_id.is_some());
        let exclusive = [
            (machine_id, peers),
            (machine_id, conflicts),
            (machine_id, global),
            (machine_id, replaces),
            (global, peers),
            (global, replaces),
            (conflicts, replaces),
        ];
        match exclusive.into_iter().find(|((_, one), (_, other))| *one && *other) {
            Some(((one, _), (other, _))) => Err(DirectiveError::Exclusive { one, other }),
            None if self.machine_of.len() > MOST_PEERS => {
                Err(DirectiveError::TooManyPeers { count: self.machine_of.len() })
            }
            None => Ok(()),
        }
    }
}

/// Why the directives of a unit cannot go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveError {
    /// A unit is both wanted near and kept away.
    #[error("unresolvable requirements: peer {peer:?} matches {kind} {pattern:?}")]
    Unresolvable {
        /// The unit that is wanted near.
        peer: String,
        /// What keeps it away: conflict or replace.
        kind: &'static str,
        /// The pattern that matches it.
        pattern: String,
    },
    /// One excludes the other.
    #[error("{one} cannot be used with {other}")]
    Exclusive {
        /// The first of them.
        one: &'static str,
        /// The second.
        other: &'static str,
    },
    /// More units are wanted near than a decision can vouch for.
    #[error(
        "MachineOf names {count} units, {MOST_PEERS} at most are possible: chain them, each naming the one before"
    )]
    TooManyPeers {
        /// How many are named.
        count: usize,
    },
}

/// A key in `[X-Fleet]` that fleet does not know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownDirective {
    /// The key as written.
    pub key: String,
}

impl UnknownDirective {
    /// The known key that may have been meant.
    #[must_use]
    pub fn nearest(&self) -> Option<&'static str> {
        let bare = self.key.strip_prefix("X-").unwrap_or(&self.key);
        let bare = bare.strip_prefix("Condition").unwrap_or(bare);
        nearest(bare, KNOWN)
            .or_else(|| nearest(&self.key, KNOWN))
            .or_else(|| KNOWN.into_iter().find(|known| !bare.is_empty() && known.ends_with(bare)))
    }
}

impl fmt::Display for UnknownDirective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unrecognized requirement in [{SECTION}] section: {:?}", self.key)?;
        self.nearest().map_or(Ok(()), |nearest| write!(f, ", did you mean {nearest:?}?"))
    }
}

/// A value in `[X-Fleet]` that cannot do what its author meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}={value} in [{SECTION}] section: {instead}")]
pub struct MalformedDirective {
    /// The key.
    pub key: &'static str,
    /// The value, with specifiers expanded.
    pub value: String,
    /// What to write.
    pub instead: &'static str,
}

/// The section as written: the values of each known key, with specifiers expanded.
struct Written {
    values: BTreeMap<&'static str, Vec<String>>,
    unknown: BTreeSet<UnknownDirective>,
}

impl Written {
    fn of(file: &UnitFile, name: &UnitName) -> Self {
        let mut written = Self { values: BTreeMap::new(), unknown: BTreeSet::new() };
        for option in file.options().iter().filter(|option| option.section == SECTION) {
            let known = KNOWN.into_iter().find(|key| *key == option.name);
            if let Some(key) = known {
                let values = split_quoted(&option.value).into_iter();
                // An empty value names nothing that a machine or unit could be; as the last of
                // `Global` it takes the earlier ones back.
                let values = values.filter(|value| key == GLOBAL || !value.trim().is_empty());
                let expanded = values.map(|value| specifier::expand(&value, name));
                written.values.entry(key).or_default().extend(expanded);
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

fn read_machine_of(written: &Written, malformed: &mut Vec<MalformedDirective>) -> Vec<String> {
    let mut names = Vec::new();
    for (key, name) in written.all([LEGACY_MACHINE_OF, MACHINE_OF]) {
        if name.parse::<UnitName>().is_err() {
            malformed.push(MalformedDirective {
                key,
                value: name.to_owned(),
                instead: "name one unit, such as hello.service, per line, or each in quotes",
            });
        }
        names.push(name.to_owned());
    }
    names
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

#[cfg(test)]
mod tests;
