//! Keys that are given twice.

use std::collections::BTreeMap;

use super::{Entry, Key, Node, Value};
use crate::problem::Problem;

/// Unites what keys of the same name say: lists are joined, maps united, and of other values the
/// last one counts. Tells all but the maps, as those lose nothing.
pub(crate) fn unite_duplicates(node: &mut Node, path: &str, problems: &mut Vec<Problem>) {
    match &mut node.value {
        Value::Scalar(_) => {}
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                unite_duplicates(item, &format!("{path}[{index}]"), problems);
            }
        }
        Value::Map(entries) => {
            *entries = unite(std::mem::take(entries), path, problems);
            for entry in entries {
                unite_duplicates(&mut entry.value, &path_of(path, &entry.key), problems);
            }
        }
    }
}

/// The path of a key in the map at `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn path_of(path: &str, key: &Key) -> String {
    if key.is_name() { join(path, &key.name()) } else { join(path, "...") }
}

fn unite(entries: Vec<Entry>, path: &str, problems: &mut Vec<Problem>) -> Vec<Entry> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut united: Vec<Entry> = Vec::new();
    for entry in entries {
        let name = entry.key.name();
        let Some(earlier) = places.get(&name).and_then(|place| united.get_mut(*place)) else {
            places.insert(name, united.len());
            united.push(entry);
            continue;
        };
        let line = earlier.key.position.line;
        let position = entry.key.position;
        let path = path_of(path, &entry.key);
        let told = match (&mut earlier.value.value, entry.value.value) {
            (Value::List(items), Value::List(more)) => {
                items.extend(more);
                Some(format!(
                    "is given in line {line} too: both lists are used, one after the other"
                ))
            }
            (Value::Map(fields), Value::Map(more)) => {
                fields.extend(more);
                None
            }
            (_, value) => {
                earlier.value = Node { position: entry.value.position, value };
                Some(format!("is given in line {line} too: that is ignored"))
            }
        };
        problems.extend(told.map(|text| Problem::warning(position, path, text)));
    }
    united
}
