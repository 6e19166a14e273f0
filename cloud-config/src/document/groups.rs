//! `groups` at the top level: text, a list, or a map.

use super::Group;
use super::fields::{At, Reader, quote};
use crate::yaml::{Node, Value};

/// Reads `a, b`, or `[a, {b: [member]}]`, or `{b: [member]}`.
pub(super) fn read(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<Group> {
    match &at.node.value {
        Value::Scalar(_) => {
            let groups = names(reader, at).into_iter();
            groups.map(|name| Group { name, members: Vec::new() }).collect()
        }
        Value::List(_) => reader.list(at).iter().flat_map(|item| read(reader, item)).collect(),
        Value::Map(entries) => entries
            .iter()
            .filter_map(|entry| {
                let key = At { node: at.node, key: entry.key.position, path: at.path.clone() };
                let name = check(reader, &key, &entry.key.written)?;
                let path = format!("{}.{name}", at.path);
                let value = At { node: &entry.value, key: entry.key.position, path };
                Some(Group { name, members: members(reader, &value, &entry.value) })
            })
            .collect(),
    }
}

fn members(reader: &mut Reader<'_>, at: &At<'_>, node: &Node) -> Vec<String> {
    if node.is_null() { Vec::new() } else { names(reader, at) }
}

/// Names of users or groups: text with commas between them, or a list.
pub(super) fn names(reader: &mut Reader<'_>, at: &At<'_>) -> Vec<String> {
    if matches!(at.node.value, Value::List(_)) {
        let items = reader.list(at);
        return items.iter().filter_map(|item| name(reader, item)).collect();
    }
    let text = reader.line(at).unwrap_or_default();
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.filter_map(|word| check(reader, at, word)).collect()
}

/// A name of a user or group.
pub(super) fn name(reader: &mut Reader<'_>, at: &At<'_>) -> Option<String> {
    let name = reader.line(at)?;
    check(reader, at, &name)
}

fn check(reader: &mut Reader<'_>, at: &At<'_>, name: &str) -> Option<String> {
    if is_name(name) {
        return Some(name.to_owned());
    }
    let text = format!(
        "{} is not a name of a user or group: use letters, digits, `_`, `-` and `.`, first a letter \
         or `_`, at most 32 of them",
        quote(name)
    );
    reader.error(at, text);
    None
}

/// Whether useradd and groupadd take a name.
pub(super) fn is_name(name: &str) -> bool {
    let bare = name.strip_suffix('$').unwrap_or(name);
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let starts_well = bare.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well && name.len() <= 32 && bare.chars().all(is_allowed)
}
