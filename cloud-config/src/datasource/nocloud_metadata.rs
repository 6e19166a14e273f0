//! The `meta-data` of NoCloud: YAML.

use std::fmt::Display;

use super::{Found, SourceError};
use crate::yaml::{Node, Scalar, Style, Value, load};

/// Adds what a text says.
pub(super) fn add(text: &str, place: impl Display, found: &mut Found) -> Result<(), SourceError> {
    let scalar = |text: &str, _| Scalar {
        text: text.to_owned(),
        style: Style::Plain,
        binary: false,
        tokens: Vec::new(),
    };
    let loaded = load(text, 0, scalar)
        .map_err(|error| SourceError::form(&place, format!("is not YAML: {error}")))?;
    let entries = match loaded.root.map(|root| root.value) {
        Some(Value::Map(entries)) => entries,
        Some(Value::Scalar(scalar)) if scalar.is_null() => Vec::new(),
        None => Vec::new(),
        Some(Value::Scalar(_) | Value::List(_)) => {
            return Err(SourceError::form(&place, "is YAML, but not a map"));
        }
    };
    let value = |name: &str| {
        entries.iter().rev().find(|entry| entry.key.name() == name).map(|entry| &entry.value)
    };
    let text = |name: &str| value(name).and_then(text_of);
    found.metadata.instance_id = text("instance_id");
    found.metadata.hostname = text("local_hostname").or_else(|| text("hostname"));
    if let Some(keys) = value("public_keys") {
        texts_of(keys).iter().for_each(|keys| found.add_keys(keys));
    }
    Ok(())
}

fn text_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::Scalar(scalar) if !node.is_null() => Some(scalar.text.trim().to_owned()),
        Value::Scalar(_) | Value::List(_) | Value::Map(_) => None,
    }
}

/// The texts in a value, in lists and maps of any depth.
fn texts_of(node: &Node) -> Vec<String> {
    match &node.value {
        Value::Scalar(_) => text_of(node).into_iter().collect(),
        Value::List(items) => items.iter().flat_map(texts_of).collect(),
        Value::Map(entries) => entries.iter().flat_map(|entry| texts_of(&entry.value)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Name;
    use super::*;
    use crate::facts::Metadata;

    fn metadata(text: &str) -> Result<Metadata, String> {
        let mut found = Found::new(Name::NoCloud);
        let added = add(text, "meta-data", &mut found).map_err(|error| error.to_string());
        added.map(|()| found.metadata)
    }

    #[test]
    fn names_and_keys_are_read_as_they_are_written() {
        let keys = vec!["ssh-rsa AAAA a".to_owned(), "ssh-rsa BBBB b".to_owned()];
        let expected = Metadata {
            instance_id: Some("0012".to_owned()),
            hostname: Some("no".to_owned()),
            ssh_authorized_keys: keys,
            ..Metadata::default()
        };
        let names = "instance-id: 0012\nhostname: other\nlocal-hostname: no\npublic-keys:";
        for keys in [
            "\n  - ssh-rsa AAAA a\n  - ssh-rsa BBBB b\n",
            " |\n  ssh-rsa AAAA a\n  ssh-rsa BBBB b\n",
            "\n  one: ssh-rsa AAAA a\n  two: {openssh-key: ssh-rsa BBBB b}\n",
        ] {
            assert_eq!(metadata(&format!("{names}{keys}")), Ok(expected.clone()), "{keys}");
        }
        let json = r#"{"instance-id": "0012", "local-hostname": "no", "public-keys": ["ssh-rsa AAAA a", "ssh-rsa BBBB b"]}"#;
        assert_eq!(metadata(json), Ok(expected));
    }

    #[test]
    fn nothing_says_nothing() {
        for text in ["", "# only this\n", "~\n", "instance-id:\n"] {
            assert_eq!(metadata(text), Ok(Metadata::default()), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_map_is_told() {
        assert_eq!(metadata("- a\n"), Err("meta-data: is YAML, but not a map".to_owned()));
        assert!(metadata("a: b: c\n").unwrap_err().starts_with("meta-data: is not YAML: 1:5: "));
    }
}
