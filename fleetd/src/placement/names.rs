//! Units that a directive names, by name or by pattern, and an index of who names whom.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use fleet_units::{Glob, UnitName};

/// Where a glob stops being plain text.
const SPECIAL: [char; 4] = ['*', '?', '[', '\\'];

/// What one directive of one unit names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Names without blanks to fill.
    literals: Vec<String>,
    /// Names with blanks to fill.
    patterns: Vec<Pattern>,
}

/// A glob with the text that all its matches begin with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pattern {
    start: String,
    glob: Glob,
}

impl Pattern {
    fn of(glob: &Glob) -> Self {
        let start = glob.as_str().split(SPECIAL).next().unwrap_or_default().to_owned();
        Self { start, glob: glob.clone() }
    }

    fn matches(&self, name: &str) -> bool {
        name.starts_with(&self.start) && self.glob.matches(name)
    }
}

impl Names {
    /// Sorts globs into names and patterns; malformed ones name nothing.
    pub(super) fn of(globs: &[Glob]) -> Self {
        let literals = globs.iter().filter_map(Glob::as_literal).collect();
        let patterns = globs
            .iter()
            .filter(|glob| !glob.is_malformed() && glob.as_literal().is_none())
            .map(Pattern::of)
            .collect();
        Self { literals, patterns }
    }

    /// Whether nothing is named.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.literals.is_empty() && self.patterns.is_empty()
    }

    /// Whether a unit is named.
    #[must_use]
    pub fn matches(&self, unit: &UnitName) -> bool {
        let name = unit.as_str();
        self.literals.iter().any(|literal| literal == name)
            || self.patterns.iter().any(|pattern| pattern.matches(name))
    }

    /// The units of a map that are named; one that several patterns match comes several times.
    pub(super) fn among<'a, T>(
        &'a self,
        units: &'a BTreeMap<UnitName, T>,
    ) -> impl Iterator<Item = (&'a UnitName, &'a T)> {
        let literals = self.literals.iter().filter_map(|name| units.get_key_value(name.as_str()));
        let patterns = self.patterns.iter().flat_map(|pattern| {
            units
                .range::<str, _>((Bound::Included(pattern.start.as_str()), Bound::Unbounded))
                .take_while(|(name, _)| name.as_str().starts_with(&pattern.start))
                .filter(|(name, _)| pattern.glob.matches(name.as_str()))
        });
        literals.chain(patterns)
    }
}

/// Who names a unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    literals: BTreeMap<String, BTreeSet<UnitName>>,
    /// Instances of one template share an entry.
    patterns: BTreeMap<Pattern, BTreeSet<UnitName>>,
}

impl Claims {
    pub(super) fn insert(&mut self, unit: &UnitName, names: &Names) {
        for literal in &names.literals {
            self.literals.entry(literal.clone()).or_default().insert(unit.clone());
        }
        for pattern in &names.patterns {
            self.patterns.entry(pattern.clone()).or_default().insert(unit.clone());
        }
    }

    pub(super) fn remove(&mut self, unit: &UnitName, names: &Names) {
        for literal in &names.literals {
            withdraw(&mut self.literals, literal, unit);
        }
        for pattern in &names.patterns {
            withdraw(&mut self.patterns, pattern, unit);
        }
    }

    /// Others that name a unit; one comes several times if it does so in several ways.
    pub(super) fn on<'a>(&'a self, unit: &'a UnitName) -> impl Iterator<Item = &'a UnitName> {
        let name = unit.as_str();
        let literals = self.literals.get(name).into_iter().flatten();
        let patterns = self.patterns.iter().filter(|(pattern, _)| pattern.matches(name));
        literals.chain(patterns.flat_map(|(_, units)| units)).filter(move |other| *other != unit)
    }
}

/// Takes a unit out of an index.
pub(super) fn withdraw<K: Ord>(
    index: &mut BTreeMap<K, BTreeSet<UnitName>>,
    key: &K,
    unit: &UnitName,
) {
    if let Some(names) = index.get_mut(key) {
        names.remove(unit);
        if names.is_empty() {
            index.remove(key);
        }
    }
}
