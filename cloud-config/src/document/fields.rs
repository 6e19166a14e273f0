//! Reading values of the wanted type out of the tree, and telling what is wrong.

use std::collections::BTreeMap;

use fleet_units::nearest;

use super::multipart::decode_base64;
use super::tokens;
use crate::facts::Facts;
use crate::problem::{Position, Problem, Severity};
use crate::yaml::scalar::{Number, truth_of};
use crate::yaml::{Key, Node, Scalar, Style, Value, join};

/// Longest piece of a document that a problem repeats.
const MAX_QUOTE: usize = 40;

/// Gathers what is wrong while values are read.
pub(super) struct Reader<'a> {
    pub(super) facts: &'a Facts,
    pub(super) problems: Vec<Problem>,
}

/// A value, where its key is, and the path of that.
#[derive(Clone)]
pub(super) struct At<'a> {
    pub(super) node: &'a Node,
    pub(super) key: Position,
    pub(super) path: String,
}

/// The keys of a map that are known, and what they hold.
pub(super) struct Fields<'a> {
    found: BTreeMap<&'static str, At<'a>>,
}

/// Keys that a map may have.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) keys: &'a [&'static str],
    /// Keys that other programs know, and why nothing comes of them here.
    pub(super) foreign: &'static [(&'static str, &'static str)],
    /// Keys that belong to another map, and to which.
    pub(super) elsewhere: &'static [(&'static str, &'static str)],
    /// Old names of keys, and those of today.
    pub(super) renamed: &'static [(&'static str, &'static str)],
}

impl<'a> Known<'a> {
    /// Some keys, and nothing known of others.
    pub(super) const fn only(keys: &'a [&'static str]) -> Self {
        Self { keys, foreign: &[], elsewhere: &[], renamed: &[] }
    }
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, key: &str) -> Option<&At<'a>> {
        self.found.get(key)
    }
}

impl<'a> At<'a> {
    /// Where the value starts.
    pub(super) fn position(&self) -> Position {
        self.node.position
    }

    fn item(&self, index: usize, node: &'a Node) -> Self {
        Self { node, key: node.position, path: format!("{}[{index}]", self.path) }
    }
}

impl Reader<'_> {
    pub(super) fn error(&mut self, at: &At<'_>, text: impl Into<String>) {
        self.problems.push(Problem::error(at.position(), at.path.as_str(), text));
    }

    pub(super) fn warning(&mut self, at: &At<'_>, text: impl Into<String>) {
        self.problems.push(Problem::warning(at.position(), at.path.as_str(), text));
    }

    /// The known keys of a map.
    pub(super) fn fields<'a>(&mut self, at: &At<'a>, known: Known<'_>) -> Option<Fields<'a>> {
        let Value::Map(entries) = &at.node.value else {
            self.wrong_type(at, "a map of keys and values");
            return None;
        };
        let mut found = BTreeMap::new();
        for entry in entries {
            let name = self.todays_name(at, &entry.key, known);
            let path = join(&at.path, &name);
            match known.keys.iter().find(|known| **known == name) {
                Some(_) if entry.value.is_null() => {
                    let text = "has no value, and is ignored";
                    self.problems.push(Problem::warning(entry.key.position, path, text));
                }
                Some(key) => {
                    let value = At { node: &entry.value, key: entry.key.position, path };
                    found.insert(*key, value);
                }
                None => self.problems.push(unknown(&at.path, &entry.key, known)),
            }
        }
        Some(Fields { found })
    }

    fn todays_name(&mut self, at: &At<'_>, key: &Key, known: Known<'_>) -> String {
        let name = key.name();
        let Some((_, new)) = find(known.renamed, &name) else {
            return name;
        };
        let text = format!("old key {} is read as `{new}`", quote(&key.written));
        self.problems.push(Problem::warning(key.position, at.path.as_str(), text));
        (*new).to_owned()
    }

    /// The items of a list; items that say nothing are left out.
    pub(super) fn list<'a>(&mut self, at: &At<'a>) -> Vec<At<'a>> {
        let Value::List(items) = &at.node.value else {
            self.wrong_type(at, "a list, each item on a line of its own after `- `");
            return Vec::new();
        };
        let items = items.iter().enumerate().map(|(index, node)| at.item(index, node));
        let (empty, items): (Vec<_>, Vec<_>) = items.partition(|item| item.node.is_null());
        for item in empty {
            self.warning(&item, "is empty, and is ignored");
        }
        items
    }

    /// Text as it is written; any scalar is one.
    pub(super) fn text(&mut self, at: &At<'_>) -> Option<String> {
        let scalar = self.scalar(at, "text")?;
        if !scalar.binary {
            return Some(scalar.text.clone());
        }
        let bytes = self.binary(at, scalar)?;
        let text = String::from_utf8(bytes).ok();
        if text.is_none() {
            self.error(at, "must be text, is `!!binary` that is not UTF-8");
        }
        text
    }

    /// Text of one line, without a break at its end.
    pub(super) fn line(&mut self, at: &At<'_>) -> Option<String> {
        let text = self.text(at)?;
        let line = text.trim_end_matches(['\n', '\r']);
        if line.contains(char::is_control) {
            self.error(at, "must be one line without control characters");
            return None;
        }
        Some(line.to_owned())
    }

    /// Bytes: text as UTF-8, `!!binary` decoded.
    pub(super) fn bytes(&mut self, at: &At<'_>) -> Option<Vec<u8>> {
        let scalar = self.scalar(at, "text")?;
        if scalar.binary {
            return self.binary(at, scalar);
        }
        Some(scalar.text.as_bytes().to_vec())
    }

    /// Truth, by one of YAML 1.1's words without quotes.
    pub(super) fn truth(&mut self, at: &At<'_>) -> Option<bool> {
        let scalar = self.scalar(at, "true or false")?;
        let truth = scalar.truth();
        if truth.is_none() {
            let quoted = scalar.style != Style::Plain && truth_of(scalar.text.trim()).is_some();
            self.error(
                at,
                if quoted {
                    "must be true or false, is text: remove the quotes"
                } else {
                    "must be true or false"
                },
            );
        }
        truth
    }

    /// A number without quotes.
    pub(super) fn number(&mut self, at: &At<'_>) -> Option<Number> {
        let scalar = self.scalar(at, "a number")?;
        let number = scalar.number();
        if number.is_none() {
            let is_text = scalar.style != Style::Plain;
            self.error(
                at,
                if is_text {
                    "must be a number, is text: remove the quotes"
                } else {
                    "must be a number"
                },
            );
        }
        number
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&mut self, at: &At<'_>, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.line(at)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let all: Vec<&str> =
            words.iter().map(|(word, _)| *word).filter(|word| !word.is_empty()).collect();
        let meant = nearest(&text, all.iter().copied());
        let meant = meant.map_or_else(String::new, |word| format!(": did you mean `{word}`?"));
        self.error(
            at,
            format!("invalid value {}, must be one of {}{meant}", quote(&text), all.join(", ")),
        );
        None
    }

    fn scalar<'s>(&mut self, at: &At<'s>, wanted: &str) -> Option<&'s Scalar> {
        let Value::Scalar(scalar) = &at.node.value else {
            self.wrong_type(at, wanted);
            return None;
        };
        for token in scalar.tokens.iter().filter(|token| !token.is_known) {
            let problem = tokens::unresolved(token.position, token.name, &at.path, self.facts);
            self.problems.push(problem);
        }
        Some(scalar)
    }

    fn binary(&mut self, at: &At<'_>, scalar: &Scalar) -> Option<Vec<u8>> {
        let bytes = decode_base64(scalar.text.as_bytes());
        if bytes.is_none() {
            self.error(at, "`!!binary` must be followed by base64");
        }
        bytes
    }

    fn wrong_type(&mut self, at: &At<'_>, wanted: &str) {
        let found = match &at.node.value {
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        };
        self.error(at, format!("must be {wanted}, is {found}"));
    }
}

/// A piece of a document for a problem; never of what may be secret.
pub(super) fn quote(text: &str) -> String {
    let short: String = text.chars().take(MAX_QUOTE).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    format!("`{}{dots}`", short.escape_debug())
}

fn unknown(path: &str, key: &Key, known: Known<'_>) -> Problem {
    let name = key.name();
    if !key.is_name() {
        let text =
            "a line that is no key: the text of a value must be indented further than its key";
        return Problem::warning(key.position, path, text);
    }
    let shown = quote(&key.written);
    let path = join(path, &name);
    let (is_error, text) = if let Some((_, why)) = find(known.foreign, &name) {
        (false, format!("key {shown} is ignored: {why}"))
    } else if let Some((_, place)) = find(known.elsewhere, &name) {
        (true, format!("key {shown} belongs {place}"))
    } else if let Some(meant) = nearest(&name, known.keys.iter().copied()) {
        (true, format!("unknown key {shown}: did you mean `{meant}`?"))
    } else {
        (false, format!("unknown key {shown}, which is ignored"))
    };
    let severity = if is_error { Severity::Error } else { Severity::Warning };
    Problem { severity, position: key.position, path, text }
}

fn find(
    words: &'static [(&'static str, &'static str)],
    name: &str,
) -> Option<&'static (&'static str, &'static str)> {
    words.iter().find(|(word, _)| *word == name)
}
