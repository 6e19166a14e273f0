//! Changes of machine metadata on the wire: a list of operations on paths, in the manner of JSON
//! Patch.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::MachineId;

/// An operation as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct MetadataOperation {
    /// What to do: add, replace or remove.
    #[cfg_attr(feature = "openapi", schema(required = true, pattern = "^(add|replace|remove)$"))]
    pub op: String,
    /// What to do it to: `/<machine>/metadata/<key>`.
    #[cfg_attr(
        feature = "openapi",
        schema(required = true, pattern = "^/[A-Za-z0-9_.-]{1,64}/metadata/[A-Za-z0-9_.-]+$")
    )]
    pub path: String,
    /// The new value, as text or as fleet 1.0 took it: `{"value": text}`.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub value: Value,
}

/// What is to become of one key of a machine's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataChange {
    /// The machine.
    pub machine: MachineId,
    /// The key: letters, digits, `_`, `.` and `-`.
    pub key: String,
    /// The new value, never empty; none takes the key away.
    pub value: Option<String>,
}

/// Why an operation means nothing. The sentences are 1.0's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MetadataOperationError {
    /// It is none of the three.
    #[error("invalid op: expect add, remove, or replace")]
    Op,
    /// The path is not that of a key.
    #[error("machine metadata path invalid")]
    Path,
    /// There is nothing to set.
    #[error("invalid value: add and replace require a value")]
    Value,
}

impl TryFrom<MetadataOperation> for MetadataChange {
    type Error = MetadataOperationError;

    fn try_from(operation: MetadataOperation) -> Result<Self, MetadataOperationError> {
        let MetadataOperation { op, path, value } = operation;
        let sets = match op.as_str() {
            // 1.0 made no difference, and tools rely on it.
            "add" | "replace" => true,
            "remove" => false,
            _ => return Err(MetadataOperationError::Op),
        };
        let (machine, key) = target(&path).ok_or(MetadataOperationError::Path)?;
        let value = match text(value).filter(|_| sets) {
            None if sets => return Err(MetadataOperationError::Value),
            value => value,
        };
        Ok(Self { machine, key, value })
    }
}

fn target(path: &str) -> Option<(MachineId, String)> {
    let (machine, key) = path.strip_prefix('/')?.split_once("/metadata/")?;
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_valid = !key.is_empty() && key.chars().all(is_key);
    is_valid.then_some((machine.parse().ok()?, key.to_owned()))
}

/// An empty text is no value: in the store it stands for a key that is taken away.
fn text(value: Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text,
        Value::Object(mut members) => match members.remove("value")? {
            Value::String(text) => text,
            _ => return None,
        },
        _ => return None,
    };
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::from_json;

    fn change(operation: &str) -> Result<MetadataChange, MetadataOperationError> {
        from_json::<MetadataOperation>(operation.as_bytes()).unwrap().try_into()
    }

    #[test]
    fn all_spellings_of_an_operation_are_read() {
        let set = |value: Option<&str>| MetadataChange {
            machine: "m1".parse().unwrap(),
            key: "disk.0_a-B".into(),
            value: value.map(str::to_owned),
        };
        let cases = [
            (r#""op":"add","value":{"value":"ssd"}"#, Some("ssd")),
            (r#""op":"replace","value":{"value":"ssd"}"#, Some("ssd")),
            (r#""op":"add","value":"ssd""#, Some("ssd")),
            (r#""Op":"add","VALUE":{"Value":"ssd","more":1}"#, Some("ssd")),
            (r#""op":"add","value":"a=b, \u00e4","from":"x""#, Some("a=b, \u{e4}")),
            (r#""op":"remove""#, None),
            (r#""op":"remove","value":{"value":"ssd"}"#, None),
        ];

        for (members, value) in cases {
            let operation = format!(r#"{{"path":"/m1/metadata/disk.0_a-B",{members}}}"#);
            assert_eq!(change(&operation), Ok(set(value)), "{operation}");
        }
    }

    #[test]
    fn operations_that_mean_nothing_are_refused_in_1_0s_words() {
        let op = "invalid op: expect add, remove, or replace";
        let path = "machine metadata path invalid";
        let value = "invalid value: add and replace require a value";
        let cases = [
            (r#"{}"#, op),
            (r#"{"op":"move","path":"/m1/metadata/a"}"#, op),
            (r#"{"op":"Add","path":"/m1/metadata/a","value":"b"}"#, op),
            (r#"{"op":"add","value":"b"}"#, path),
            (r#"{"op":"add","path":"/m1/metadata/","value":"b"}"#, path),
            (r#"{"op":"add","path":"//metadata/a","value":"b"}"#, path),
            (r#"{"op":"add","path":"m1/metadata/a","value":"b"}"#, path),
            (r#"{"op":"add","path":"/m1/metadata/a/b","value":"b"}"#, path),
            (r#"{"op":"add","path":"/m1/metadata/a b","value":"b"}"#, path),
            (r#"{"op":"add","path":"/m1/x/metadata/a","value":"b"}"#, path),
            (r#"{"op":"add","path":"/m1/object/a","value":"b"}"#, path),
            (r#"{"op":"remove","path":"/m1"}"#, path),
            (r#"{"op":"add","path":"/m1/metadata/a"}"#, value),
            (r#"{"op":"add","path":"/m1/metadata/a","value":null}"#, value),
            (r#"{"op":"add","path":"/m1/metadata/a","value":""}"#, value),
            (r#"{"op":"replace","path":"/m1/metadata/a","value":{}}"#, value),
            (r#"{"op":"replace","path":"/m1/metadata/a","value":{"value":""}}"#, value),
            (r#"{"op":"replace","path":"/m1/metadata/a","value":{"value":1}}"#, value),
            (r#"{"op":"replace","path":"/m1/metadata/a","value":["b"]}"#, value),
        ];

        for (operation, expected) in cases {
            let refused = change(operation).map_err(|error| error.to_string());
            assert_eq!(refused, Err(expected.to_owned()), "{operation}");
        }
    }
}
