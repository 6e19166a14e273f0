//! The text of a unit: what systemd would pass over, and what fleet would refuse.

use fleet_units::{Directives, ParseError, ParseErrorKind, UnitFile, UnitName};

use super::fields::{At, Reader};
use crate::problem::{Position, Problem, Severity};
use crate::yaml::{Style, Value};

/// Longest text of fleet about a directive that is told.
const MAX_TEXT: usize = 400;

/// Whose text it is.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) name: &'a UnitName,
    /// Whether the cluster gets it.
    pub(super) cluster: bool,
}

/// Checks the text of a unit, or of a drop-in, which has no place of its own.
pub(super) fn check(reader: &mut Reader<'_>, at: &At<'_>, text: &str, place: Option<Place<'_>>) {
    let is_fleets = place.is_some_and(|place| place.cluster) || text.lines().any(is_fleet_header);
    match UnitFile::parse(text) {
        Ok(file) => {
            if let Some(place) = place {
                check_directives(reader, at, text, &file, place.name);
            }
        }
        Err(error) => {
            // systemd passes over such a line, and starts the unit; fleet takes no such unit.
            let severity = if is_fleets { Severity::Error } else { Severity::Warning };
            let fate = if is_fleets { "refused by fleet" } else { "ignored by systemd" };
            let (position, text) = explain(at, text, &error, fate);
            reader.problems.push(Problem { severity, position, path: at.path.clone(), text });
        }
    }
}

fn is_fleet_header(line: &str) -> bool {
    line.trim() == "[X-Fleet]"
}

fn check_directives(
    reader: &mut Reader<'_>,
    at: &At<'_>,
    text: &str,
    file: &UnitFile,
    name: &UnitName,
) {
    let header = text.lines().position(is_fleet_header).map(|index| index + 1);
    let position = header.and_then(|line| line_of(at, text, line)).unwrap_or(at.position());
    if let Err(error) = Directives::of(file, name) {
        reader.problems.push(Problem::error(
            position,
            at.path.as_str(),
            one_line(&error.to_string()),
        ));
    }
    for warning in Directives::lenient(file, name).warnings() {
        reader.problems.push(Problem::warning(position, at.path.as_str(), one_line(&warning)));
    }
}

/// What repeats a value of the unit, without control characters and of a bearable length.
fn one_line(text: &str) -> String {
    text.chars().take(MAX_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Where the error is, and what it is. The line itself is not told: it may hold a secret.
fn explain(at: &At<'_>, text: &str, error: &ParseError, fate: &str) -> (Position, String) {
    let fault = match &error.kind {
        ParseErrorKind::NotText => "holds a character that no unit file has",
        ParseErrorKind::NoSection { .. } => "no [Section] header, such as [Service], is before it",
        ParseErrorKind::UnclosedSection { .. } => "a section header has no `]`",
        ParseErrorKind::GarbageAfterSection { .. } => "text follows a section header",
        ParseErrorKind::LongSection { .. } => "the name of a section is too long",
        ParseErrorKind::NoEquals { .. } => "has no `=`, and is neither a header nor a comment",
    };
    match line_of(at, text, error.line) {
        Some(position) => (position, format!("this line of the unit is {fate}: {fault}")),
        None => {
            let line = error.line;
            (at.position(), format!("line {line} of the unit is {fate}: {fault}"))
        }
    }
}

/// Where a line of a text is in the document, if its lines are lines of that.
fn line_of(at: &At<'_>, text: &str, line: usize) -> Option<Position> {
    let Value::Scalar(scalar) = &at.node.value else { return None };
    if scalar.style != Style::Literal {
        return None;
    }
    // A literal block's position is that of its first line with text.
    let empty_before = text.lines().take_while(|line| line.is_empty()).count();
    let start = at.position();
    Some(Position { line: (start.line + line).checked_sub(1 + empty_before)?, ..start })
}
