//! What is wrong with a text that is not YAML, in words for the person who wrote it.

use saphyr_parser::ScanError;

use super::SyntaxError;
use super::load::position;
use crate::problem::Position;

/// Puts an error of the parser into words, and finds its place where the parser is beyond it.
pub(super) fn explain(error: &ScanError, text: &str) -> SyntaxError {
    let info = error.info();
    let marker = position(*error.marker());
    let needs_colon = info == "simple key expect ':'" || info == "simple key expected";
    let is_beyond = needs_colon || marker.line > text.lines().count();
    let at = if is_beyond { last_text(text, marker) } else { marker };
    let after_colon = info.contains("must be followed by a valid YAML whitespace");
    let tab =
        if info.contains("tab") { Some(tab_in_blanks(text, at.line).unwrap_or(at)) } else { None };
    let tab = tab
        .or_else(|| tab_in_blanks(text, at.line).filter(|tab| after_colon && tab.line == at.line));
    if let Some(tab) = tab {
        return SyntaxError::new(tab, TAB);
    }
    if needs_colon {
        return SyntaxError::new(at, "a key without `:`: write `key: value`");
    }
    if let Some(character) = info.strip_prefix("unexpected character: `") {
        let character = character.trim_end_matches('\'');
        return SyntaxError::new(
            at,
            format!("`{character}` cannot begin a value: put the value in quotes"),
        );
    }
    let known = EXPLAINED.iter().find(|(part, _)| info.contains(part));
    known.map_or_else(
        || SyntaxError::new(at, format!("is not YAML: {info}")),
        |(_, sentence)| SyntaxError::new(at, *sentence),
    )
}

const TAB: &str = "a tab where blanks should be: write blanks";

/// Parts of the parser's messages, and what to tell instead.
const EXPLAINED: [(&str, &str); 14] = [
    ("must be followed by a valid YAML whitespace", "a blank must follow `:` or `-`"),
    (
        "mapping values are not allowed",
        "a second `: ` in one line, or a line that is indented too far: put the value in quotes, \
         or align the line with its neighbours",
    ),
    (
        "did not find expected key",
        "is indented differently from the keys before it: align it with them",
    ),
    (
        "did not find expected '-' indicator",
        "a key beside items of a list: align it with the key before the list, or begin it with `- `",
    ),
    ("block sequence entries are not allowed", "an item of a list cannot begin here"),
    ("unexpected end of stream", "a quote that is not closed"),
    ("unknown escape", "a backslash in double quotes: write `\\\\`, or use single quotes"),
    ("invalid trailing content", "text after the closing quote"),
    ("unknown anchor", "an alias `*name` without an anchor `&name` before it"),
    ("flow sequence, expected", "a list `[...]` needs `,` or `]` here"),
    ("flow mapping, did not find", "a map `{...}` needs `,` or `}` here"),
    ("invalid indentation in flow", "must be indented further than the key of its list or map"),
    ("did not find expected node content", "a list or map that is not closed"),
    ("recursion limit", "is nested too deep"),
];

/// An error for a text in which only a tab is to be seen: somebody meant something by it.
pub(super) fn only_blanks(text: &str) -> Result<(), SyntaxError> {
    tab_in_blanks(text, 1).map_or(Ok(()), |found| Err(SyntaxError::new(found, TAB)))
}

/// The first tab before the text of a line, or directly after its key, from line `from`.
fn tab_in_blanks(text: &str, from: usize) -> Option<Position> {
    text.lines().enumerate().skip(from.saturating_sub(1)).find_map(|(index, line)| {
        let leading = line.chars().position(|c| c != ' ');
        let indent = leading.filter(|column| line.chars().nth(*column) == Some('\t'));
        let after_key = || line.find(":\t").map(|byte| line[..byte].chars().count() + 1);
        let column = indent.or_else(after_key)? + 1;
        Some(Position { line: index + 1, column })
    })
}

/// Start of the last line with text before `at`.
fn last_text(text: &str, at: Position) -> Position {
    let lines: Vec<&str> = text.lines().take(at.line).collect();
    let before = match lines.get(at.line - 1) {
        Some(line) if at.column > 1 && !line.trim().is_empty() => at.line,
        _ => at.line - 1,
    };
    let found = lines.iter().take(before).enumerate().rev().find(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#')
    });
    found.map_or(at, |(index, line)| {
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        Position { line: index + 1, column: indent + 1 }
    })
}
