//! The key `<<`, which takes over the entries of other maps.

use std::collections::BTreeSet;

use super::{Entry, Node, SyntaxError, Value};

/// Replaces `<<` by the entries of its maps that the map does not have itself; of several maps the
/// earlier one wins.
pub(super) fn merge(entries: Vec<Entry>) -> Result<Vec<Entry>, SyntaxError> {
    let (merges, mut own): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| entry.key.plain && entry.key.written == "<<");
    if merges.is_empty() {
        return Ok(own);
    }
    let mut names: BTreeSet<String> = own.iter().map(|entry| entry.key.name()).collect();
    for map in merges
        .into_iter()
        .map(|entry| sources(entry.value))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
    {
        let fresh: Vec<Entry> =
            map.into_iter().filter(|entry| !names.contains(&entry.key.name())).collect();
        names.extend(fresh.iter().map(|entry| entry.key.name()));
        own.extend(fresh);
    }
    Ok(own)
}

/// The maps that a value of `<<` names.
fn sources(value: Node) -> Result<Vec<Vec<Entry>>, SyntaxError> {
    match value.value {
        Value::Map(entries) => Ok(vec![entries]),
        Value::List(items) => {
            let maps: Result<Vec<_>, _> = items.into_iter().map(sources).collect();
            maps.map(|maps| maps.into_iter().flatten().collect())
        }
        Value::Scalar(_) => {
            Err(SyntaxError::new(value.position, "`<<` takes a map, or a list of maps"))
        }
    }
}
