//! Metadata in JSON: values by their paths, wrong types as absent.

use serde_json::Value;

use super::SourceError;

/// A document of JSON.
#[derive(Debug, Clone)]
pub(super) struct Json(Value);

impl Json {
    /// Reads it; `place` is where it is from.
    pub(super) fn read(bytes: &[u8], place: &str) -> Result<Self, SourceError> {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            SourceError::form(place, format!("is not JSON (line {line}, column {column})"))
        })?;
        match value.is_object() {
            true => Ok(Self(value)),
            false => Err(SourceError::form(place, "is JSON, but not an object")),
        }
    }

    /// The text or number at a path such as `/network/0/name`; `None` if it is empty.
    pub(super) fn text(&self, pointer: &str) -> Option<String> {
        text_of(self.0.pointer(pointer)?)
    }

    /// The parts of a list at a path.
    pub(super) fn list(&self, pointer: &str) -> Vec<Self> {
        let list = self.0.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten().cloned().map(Self).collect()
    }

    /// The texts of a list or map at a path.
    pub(super) fn texts(&self, pointer: &str) -> Vec<String> {
        match self.0.pointer(pointer) {
            Some(Value::Array(list)) => list.iter().filter_map(text_of).collect(),
            Some(Value::Object(map)) => map.values().filter_map(text_of).collect(),
            _ => Vec::new(),
        }
    }

    /// A truth at a path.
    pub(super) fn truth(&self, pointer: &str) -> Option<bool> {
        self.0.pointer(pointer)?.as_bool()
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_wrong_type_are_absent() {
        let json = Json::read(br#"{"a": {"b": [1, " two ", null, "", []]}, "c": true}"#, "x");
        let json = json.unwrap();

        assert_eq!(json.texts("/a/b"), ["1", "two"]);
        assert_eq!(json.text("/a"), None);
        assert_eq!(json.text("/a/b/3"), None);
        assert_eq!(json.truth("/c"), Some(true));
        assert_eq!(json.truth("/a"), None);
    }

    #[test]
    fn what_is_not_an_object_is_told_without_its_content() {
        let told = |bytes: &[u8]| Json::read(bytes, "http://x/").unwrap_err().to_string();

        assert_eq!(told(b"{\n secret"), "http://x/: is not JSON (line 2, column 2)");
        assert_eq!(told(b"[\"secret\"]"), "http://x/: is JSON, but not an object");
    }
}
