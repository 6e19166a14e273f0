//! Bodies as tolerant clients and servers of 1.0's time read them: keys in any case, `null` for a
//! field that is not there, unknown keys ignored.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Keys of all documents on the wire, as they are spelt.
const KEYS: &[&str] = &[
    "absent",
    "active",
    "address",
    "asked",
    "asks",
    "change",
    "choice",
    "code",
    "coming",
    "current",
    "currentState",
    "delete",
    "desiredState",
    "effect",
    "error",
    "generation",
    "global",
    "gone",
    "hash",
    "health",
    "hold",
    "holding",
    "id",
    "job",
    "kept",
    "key",
    "leaderless",
    "leaving",
    "load",
    "machine",
    "machineID",
    "machines",
    "message",
    "metadata",
    "name",
    "nearest",
    "nextPageToken",
    "observed",
    "obstacles",
    "once",
    "op",
    "options",
    "path",
    "pending",
    "primaryIP",
    "problem",
    "raiseOnly",
    "reason",
    "reasons",
    "restart",
    "revision",
    "section",
    "since",
    "states",
    "status",
    "sub",
    "systemdActiveState",
    "systemdLoadState",
    "systemdSubState",
    "text",
    "uid",
    "units",
    "unplaceable",
    "unreadable",
    "value",
    "verdict",
    "warnings",
];

/// The key whose value is a map of other people's keys.
const METADATA: &str = "metadata";

/// Reads a body, with keys in any case.
///
/// # Errors
///
/// Says where the body is not JSON, or which value is not what it should be.
pub fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_value(normalized(serde_json::from_slice(body)?))
}

fn normalized(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().map(normalized).collect(),
        Value::Object(members) => Value::Object(normalized_members(members)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

fn normalized_members(members: Map<String, Value>) -> Map<String, Value> {
    let mut result = Map::new();
    for (key, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
        let known = KEYS.iter().find(|known| known.eq_ignore_ascii_case(&key));
        let exact = known.is_some_and(|known| *known == key);
        let key = known.map_or(key, |known| (*known).to_owned());
        if exact || !result.contains_key(&key) {
            let value = if key == METADATA { value } else { normalized(value) };
            result.insert(key, value);
        }
    }
    result
}
