//! Patterns in place of names: they stand for units that the cluster knows. Patterns over files are
//! the shell's matter.

use std::collections::BTreeSet;
use std::path::Path;

use fleet_units::{Glob, GlobError, UnitName};

use super::name_of;
use crate::client::{Client, ClientError};
use crate::error::CommandError;
use crate::ui::Ui;

/// Which units a pattern may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All that match.
    All,
    /// Those that match and can run: no templates.
    Runnable,
}

/// Arguments with names in place of patterns.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expanded {
    /// Arguments that are no patterns, and the names that match one, in its directory.
    pub(super) words: Vec<String>,
    /// Patterns that stand for nothing.
    pub(super) problems: Vec<PatternError>,
}

/// Why a pattern stands for nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    /// There is no such unit.
    #[error("No unit in the registry matches {0}")]
    NoMatch(String),
    /// It is no pattern.
    #[error(transparent)]
    Malformed(#[from] GlobError),
}

/// A pattern over the names of units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// As it stands: `web@*` takes sockets, too.
    written: Glob,
    /// With the suffix that arguments may lack: `web@?` takes `web@1.service`.
    completed: Glob,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Fails if it is malformed.
    pub(crate) fn parse(word: &str) -> Result<Self, GlobError> {
        let written = base_name(word);
        let completed = UnitName::complete(written).parse()?;
        Ok(Self { written: written.parse()?, completed })
    }

    /// Whether the unit of that name is meant.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.written.matches(name) || self.completed.matches(name)
    }
}

impl PatternError {
    /// Whether nothing matches, which is no failure where nothing has to be there.
    pub(super) const fn is_absence(&self) -> bool {
        matches!(self, Self::NoMatch(_))
    }
}

/// Puts names in place of patterns; asks for the names only if there are patterns.
pub(super) async fn expand(
    client: &Client<'_>,
    words: &[String],
    scope: Scope,
) -> Result<Expanded, ClientError> {
    let is_pattern = |word: &str| is_pattern(word) && !names_a_file(word);
    if !words.iter().any(|word| is_pattern(word)) {
        return Ok(Expanded { words: words.to_vec(), problems: Vec::new() });
    }
    let units = client.units().await?;
    let names = units.into_iter().map(|unit| unit.name).collect();
    Ok(expanded(words, &names, scope, is_pattern))
}

/// Reads words that name units or stand for some, for commands that need them to be there. What is
/// wrong is told; the first of it is how the command ends.
pub(super) async fn named(
    client: &Client<'_>,
    words: &[String],
    scope: Scope,
    ui: &Ui,
) -> Result<(Vec<UnitName>, Result<(), CommandError>), CommandError> {
    let Expanded { words, problems } = expand(client, words, scope).await?;
    let mut ended = Ok(());
    for problem in problems {
        ended = ended.and(Err(CommandError::failed(problem.to_string()).tell(ui)));
    }
    let mut names = Vec::with_capacity(words.len());
    for word in words {
        match name_of(&word) {
            Ok(name) => names.push(name),
            Err(error) => ended = ended.and(Err(error.tell(ui))),
        }
    }
    Ok((names, ended))
}

fn expanded(
    words: &[String],
    names: &BTreeSet<String>,
    scope: Scope,
    is_pattern: impl Fn(&str) -> bool,
) -> Expanded {
    let mut expanded = Expanded { words: Vec::new(), problems: Vec::new() };
    for word in words {
        if !is_pattern(word) {
            expanded.words.push(word.clone());
            continue;
        }
        match matching(word, names, scope) {
            Ok(matching) => expanded.words.extend(matching),
            Err(problem) => expanded.problems.push(problem),
        }
    }
    expanded
}

fn matching(
    word: &str,
    names: &BTreeSet<String>,
    scope: Scope,
) -> Result<Vec<String>, PatternError> {
    let pattern = Pattern::parse(word)?;
    // Kept, as templates are looked for beside the file that an argument names.
    let directory = word.strip_suffix(base_name(word)).unwrap_or_default();
    let matching: Vec<String> = names
        .iter()
        .filter(|name| pattern.matches(name) && (scope == Scope::All || is_runnable(name)))
        .map(|name| format!("{directory}{name}"))
        .collect();
    if matching.is_empty() { Err(PatternError::NoMatch(word.to_owned())) } else { Ok(matching) }
}

fn is_runnable(name: &str) -> bool {
    name.parse::<UnitName>().is_ok_and(|name| !name.is_template())
}

fn is_pattern(word: &str) -> bool {
    base_name(word).contains(['*', '?', '['])
}

/// A file of that very name is what the shell has left alone.
fn names_a_file(word: &str) -> bool {
    Path::new(word).is_file() || Path::new(&*UnitName::complete(word)).is_file()
}

fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(word: &str, scope: Scope) -> String {
        let names = ["db.service", "web.socket", "web@.service", "web@1.service", "web@2.socket"];
        let names = names.map(str::to_owned).into_iter().collect();
        let Expanded { words, problems } = expanded(&[word.to_owned()], &names, scope, is_pattern);
        let problems = problems.into_iter().map(|problem| format!("! {problem}"));
        words.into_iter().chain(problems).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn patterns_stand_for_names_in_the_registry_with_and_without_a_suffix() {
        let words =
            ["web", "web@*", "web@?", "dir/web@*", "web@[12].service", "*.socket", "?", "[", "*"];
        let rows = words.map(|word| format!("{word}: {}", shown(word, Scope::Runnable)));
        insta::assert_snapshot!(rows.join("\n"), @r#"
        web: web
        web@*: web@1.service web@2.socket
        web@?: web@1.service
        dir/web@*: dir/web@1.service dir/web@2.socket
        web@[12].service: web@1.service
        *.socket: web.socket web@2.socket
        ?: ! No unit in the registry matches ?
        [: ! malformed pattern "[.service": close each "[" with "]" and write "\\" for a backslash
        *: db.service web.socket web@1.service web@2.socket
        "#);
    }

    #[test]
    fn a_pattern_means_templates_where_they_need_not_run() {
        assert_eq!(shown("web@*", Scope::All), "web@.service web@1.service web@2.socket");
    }
}
