//! Sections of options for one program each: tables of what there is, and how to read it.

use super::Section;
use super::fields::{At, Known, Reader, quote};
use crate::yaml::scalar::Number;

/// The type of an option.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Truth,
    Whole,
    Number,
    /// One of some words.
    Word(&'static [&'static str]),
    /// A URL.
    Discovery,
    /// Text of a form, and an example of it.
    Form(fn(&str) -> bool, &'static str),
}

/// A program's section.
#[derive(Clone, Copy)]
pub(super) struct Table {
    pub(super) options: &'static [(&'static str, Kind)],
    /// Old names of options, and those of today.
    pub(super) renamed: &'static [(&'static str, &'static str)],
}

impl Table {
    /// Options that never had another name.
    pub(super) const fn of(options: &'static [(&'static str, Kind)]) -> Self {
        Self { options, renamed: &[] }
    }
}

/// Reads a section; options come in the order of the table.
pub(super) fn read(reader: &mut Reader<'_>, at: &At<'_>, table: Table) -> Section {
    let keys: Vec<&'static str> = table.options.iter().map(|(name, _)| *name).collect();
    let known = Known { renamed: table.renamed, ..Known::only(&keys) };
    let Some(fields) = reader.fields(at, known) else { return Section::default() };
    let options = table.options.iter().filter_map(|(name, kind)| {
        let value = fields.get(name).and_then(|at| value(reader, at, *kind))?;
        Some((*name, value))
    });
    let options = options.collect();
    Section { position: Some(at.key), options }
}

fn value(reader: &mut Reader<'_>, at: &At<'_>, kind: Kind) -> Option<String> {
    match kind {
        Kind::Text => reader.line(at),
        Kind::Truth => reader.truth(at).map(|truth| truth.to_string()),
        Kind::Whole => whole(reader, at),
        Kind::Number => reader.number(at).map(|number| match number {
            Number::Whole(number) => number.to_string(),
            Number::Real(number) => number.to_string(),
        }),
        Kind::Word(words) => {
            let words: Vec<_> = words.iter().map(|word| (*word, *word)).collect();
            reader.word(at, &words).map(str::to_owned)
        }
        Kind::Discovery => reader.line(at).inspect(|url| check_discovery(reader, at, url)),
        Kind::Form(has_form, example) => {
            let text = reader.line(at)?;
            if has_form(&text) {
                return Some(text);
            }
            reader.error(at, format!("invalid value {}, write it like {example}", quote(&text)));
            None
        }
    }
}

fn whole(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    match reader.number(at)? {
        Number::Whole(number) => Some(number.to_string()),
        Number::Real(number) => {
            let whole = number.trunc();
            if whole.abs() > 9e15 {
                reader.error(at, "must be a whole number");
                return None;
            }
            if whole != number {
                reader.warning(at, format!("must be a whole number: {whole} is used"));
            }
            Some(whole.to_string())
        }
    }
}

fn check_discovery(reader: &mut Reader<'_>, at: &At<'_>, url: &str) {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if host.is_empty() || url.contains(char::is_whitespace) {
        reader.warning(
            at,
            "discovery URL is not valid: write it like `https://discovery.etcd.io/TOKEN`",
        );
    } else if url.contains('<') {
        reader.warning(
            at,
            "discovery URL holds no token: ask for one at https://discovery.etcd.io/new?size=3",
        );
    }
}
