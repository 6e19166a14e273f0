//! How the text of a unit relates it to other units of its machine, as far as the order of stops
//! and starts is concerned.

use std::collections::BTreeSet;

use fleet_units::{Directives, Glob, UnitFile, UnitName, specifier};

/// systemd's dependencies that put a start job on the other unit too.
const PULLING: [&str; 3] = ["Requires", "Wants", "BindsTo"];

/// No unit has a longer name.
const LONGEST: usize = 255;

/// Relations of one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Relations {
    /// Patterns of units that must not run beside it: `Conflicts=` and `Replaces=`.
    excluded: Vec<Glob>,
    /// Units that systemd starts with it.
    pulled: BTreeSet<String>,
}

impl Relations {
    /// Reads the relations from a unit's text; text that is no unit file has none.
    pub(crate) fn of(unit: &UnitName, text: &str) -> Self {
        let Ok(file) = UnitFile::parse(text) else { return Self::default() };
        let directives = Directives::lenient(&file, unit);
        let pulled = PULLING
            .iter()
            .flat_map(|name| file.values("Unit", name))
            .flat_map(str::split_whitespace)
            .filter(|word| word.len() <= LONGEST)
            .map(|word| specifier::expand(word, unit))
            .filter(|word| word.len() <= LONGEST)
            .collect();
        let excluded = directives.conflicts.into_iter().chain(directives.replaces).collect();
        Self { excluded, pulled }
    }

    /// Whether there is any unit that it excludes.
    pub(crate) const fn excludes_any(&self) -> bool {
        !self.excluded.is_empty()
    }

    /// Whether the other unit must not run beside it.
    pub(crate) fn excludes(&self, other: &UnitName) -> bool {
        self.excluded.iter().any(|pattern| pattern.matches(other.as_str()))
    }

    /// Whether systemd starts the other unit with it.
    pub(crate) fn pulls(&self, other: &UnitName) -> bool {
        self.pulled.contains(other.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> UnitName {
        text.parse().unwrap()
    }

    #[test]
    fn conflicts_and_replaces_exclude_and_wants_pulls() {
        let relations = Relations::of(
            &name("web@1.service"),
            "[Unit]\nWants=db.service cache.service\nBindsTo=%p@1%i.service\n[X-Fleet]\nConflicts=web@*.service\nReplaces=old.service\n",
        );

        let others =
            ["web@2.service", "old.service", "db.service", "cache.service", "web@11.service"]
                .map(name);

        assert_eq!(
            others.map(|other| (relations.excludes(&other), relations.pulls(&other))),
            [(true, false), (true, false), (false, true), (false, true), (true, true)]
        );
    }

    #[test]
    fn text_that_is_no_unit_file_relates_to_nothing() {
        assert_eq!(Relations::of(&name("web.service"), "[Unit\n"), Relations::default());
    }
}
