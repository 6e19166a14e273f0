//! Tokens such as `$private_ipv4`, which stand for addresses of the host.
//!
//! Before YAML is read, a token becomes a character that nobody writes, followed by as many fillers
//! as make it as long as before: no quotes or escapes of YAML get in its way, positions stay, and an
//! address cannot change what the text around it means.

use std::ops::Range;

use crate::facts::Facts;
use crate::problem::{Position, Problem};
use crate::yaml::{Scalar, Style, Token};

/// The tokens. A backslash before one makes it plain text, and disappears.
const TOKENS: [&str; 4] = ["$public_ipv4", "$private_ipv4", "$public_ipv6", "$private_ipv6"];

/// Stand in for the tokens, in their order.
const STANDINS: [char; 4] = ['\u{10FF00}', '\u{10FF01}', '\u{10FF02}', '\u{10FF03}'];

/// The most unknown tokens of a script that are told.
const MAX_UNKNOWN: usize = 100;

/// Stands in for the rest of a token, and for a backslash that disappears.
const FILLER: char = '\u{10FF04}';

/// A text whose tokens are hidden from the YAML parser.
pub(super) struct Hidden {
    /// The text, as many characters long as before.
    pub(super) text: String,
    /// Index in characters, position and number of each token, in order.
    places: Vec<(usize, Position, usize)>,
}

/// Hides the tokens of a text that is preceded by some lines.
pub(super) fn hide(text: &str, lines_before: usize) -> Result<Hidden, Problem> {
    if let Some(byte) = text.find(|c| STANDINS.contains(&c) || c == FILLER) {
        let at = position_of(text.as_bytes(), byte).below(lines_before);
        return Err(Problem::error(at, "", "a character from U+10FF00 to U+10FF04: remove it"));
    }
    let mut hidden = Hidden { text: String::with_capacity(text.len()), places: Vec::new() };
    let mut cursor = Cursor { byte: 0, index: 0, position: Position::START.below(lines_before) };
    for found in find(text.as_bytes()) {
        let before = &text[cursor.byte..found.bytes.start];
        hidden.text.push_str(before);
        cursor.pass(before);
        let token = &text[found.bytes.clone()];
        if found.is_escaped {
            hidden.text.push(FILLER);
            hidden.text.push_str(&token[1..]);
        } else {
            hidden.places.push((cursor.index, cursor.position, found.token));
            hidden.text.push(STANDINS[found.token]);
            hidden.text.extend(std::iter::repeat_n(FILLER, token.len() - 1));
        }
        cursor.pass(token);
    }
    hidden.text.push_str(&text[cursor.byte..]);
    Ok(hidden)
}

impl Hidden {
    /// Replaces the tokens in a part of the text; `range` is where that is, in characters.
    ///
    /// A token that nobody knows gets a sample address, so that what is around it can be checked.
    pub(super) fn reveal(&self, part: &str, range: &Range<usize>, facts: &Facts) -> Scalar {
        let mut text = String::with_capacity(part.len());
        for c in part.chars() {
            match STANDINS.iter().position(|standin| *standin == c) {
                Some(token) => {
                    let value = value(facts, token).or_else(|| value(&Facts::sample(), token));
                    text.push_str(&value.unwrap_or_default());
                }
                None if c == FILLER => {}
                None => text.push(c),
            }
        }
        let first = self.places.partition_point(|(index, ..)| *index < range.start);
        let within = self.places.iter().skip(first).take_while(|(index, ..)| *index < range.end);
        let tokens = within.map(|(_, position, token)| Token {
            position: *position,
            name: TOKENS[*token],
            is_known: value(facts, *token).is_some(),
        });
        Scalar { text, style: Style::Text, binary: false, tokens: tokens.collect() }
    }
}

/// Replaces the tokens in a script.
pub(super) fn substitute(script: &[u8], facts: &Facts, problems: &mut Vec<Problem>) -> Vec<u8> {
    let mut result = Vec::with_capacity(script.len());
    let mut passed = 0;
    let mut unknown = 0;
    for found in find(script) {
        result.extend_from_slice(&script[passed..found.bytes.start]);
        passed = found.bytes.end;
        match value(facts, found.token) {
            _ if found.is_escaped => result.extend_from_slice(TOKENS[found.token].as_bytes()),
            Some(value) => result.extend_from_slice(value.as_bytes()),
            // To count lines takes time, and nobody reads so many problems.
            None if unknown >= MAX_UNKNOWN => {}
            None => {
                unknown += 1;
                let position = position_of(script, found.bytes.start);
                problems.push(unresolved(position, TOKENS[found.token], "", facts));
            }
        }
    }
    result.extend_from_slice(&script[passed..]);
    result
}

/// The error for a token without a value.
pub(super) fn unresolved(position: Position, token: &str, path: &str, facts: &Facts) -> Problem {
    let variable = variable(token);
    let tried = match facts.tried.as_slice() {
        [] => String::new(),
        tried => format!(" (looked in {})", tried.join(", ")),
    };
    let text = format!(
        "the address for `{token}` is not known{tried}: set {variable} in /etc/environment, or \
         write `\\{token}` for these very characters"
    );
    Problem::error(position, path, text)
}

/// The variable in /etc/environment that has what a token stands for.
pub(super) fn variable(token: &str) -> String {
    format!("COREOS_{}", token.trim_start_matches('$').to_ascii_uppercase())
}

/// Line and column of a byte of a text that may not be UTF-8.
pub(super) fn position_of(bytes: &[u8], byte: usize) -> Position {
    let before = bytes.get(..byte).unwrap_or(bytes);
    let line_start =
        before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    Position {
        line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        column: 1 + String::from_utf8_lossy(&before[line_start..]).chars().count(),
    }
}

/// A token, with its backslash if it has one.
struct Found {
    bytes: Range<usize>,
    token: usize,
    is_escaped: bool,
}

fn find(text: &[u8]) -> impl Iterator<Item = Found> {
    let dollars = text.iter().enumerate().filter(|(_, byte)| **byte == b'$');
    dollars.filter_map(|(start, _)| {
        let token = TOKENS.iter().position(|token| text[start..].starts_with(token.as_bytes()))?;
        let is_escaped = start > 0 && text[start - 1] == b'\\';
        let end = start + TOKENS[token].len();
        Some(Found { bytes: start - usize::from(is_escaped)..end, token, is_escaped })
    })
}

/// How far a text has been passed, in all measures.
struct Cursor {
    byte: usize,
    index: usize,
    position: Position,
}

impl Cursor {
    fn pass(&mut self, text: &str) {
        self.byte += text.len();
        for c in text.chars() {
            self.index += 1;
            if c == '\n' {
                self.position = Position { line: self.position.line + 1, column: 1 };
            } else {
                self.position.column += 1;
            }
        }
    }
}

fn value(facts: &Facts, token: usize) -> Option<String> {
    match token {
        0 => facts.public_ipv4.as_ref().map(|fact| fact.value.to_string()),
        1 => facts.private_ipv4.as_ref().map(|fact| fact.value.to_string()),
        2 => facts.public_ipv6.as_ref().map(|fact| fact.value.to_string()),
        _ => facts.private_ipv6.as_ref().map(|fact| fact.value.to_string()),
    }
}
