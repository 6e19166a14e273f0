//! Google Compute Engine: a tree of JSON that is only told with `Metadata-Flavor: Google`.

use serde_json::{Value, json};

use crate::fixture::{ED25519, RSA, file};
use crate::host::ask;
use crate::server::{Answer, Request, Server};

pub(crate) fn tree() -> Value {
    serde_json::from_str(&file("gce/metadata.json")).unwrap()
}

pub(crate) fn cloud(tree: Value) -> impl FnMut(&Request) -> Answer + Send + 'static {
    move |request| answer(&tree, request).with("Metadata-Flavor", "Google")
}

fn answer(tree: &Value, request: &Request) -> Answer {
    let flavored = request.header("metadata-flavor") == Some("Google");
    if !flavored || request.header("x-forwarded-for").is_some() {
        return Answer::page(403, "Forbidden");
    }
    let Some(path) = request.path.strip_prefix("/computeMetadata/v1") else {
        return Answer::page(404, "Error 404 (Not Found)!!1");
    };
    let found = path.split('/').filter(|part| !part.is_empty()).try_fold(tree, child);
    let asks = |name: &str, value: &str| request.query.get(name).is_some_and(|has| has == value);
    match found {
        None => Answer::page(404, "Error 404 (Not Found)!!1"),
        Some(value) if is_directory(value) && !path.ends_with('/') => {
            Answer::page(301, "Moved").with("Location", &format!("{}/", request.path))
        }
        Some(value) if asks("recursive", "true") || asks("alt", "json") => {
            Answer::json(value.to_string())
        }
        Some(value) => Answer::new(200, text(value)).with("Content-Type", "application/text"),
    }
}

fn is_directory(value: &Value) -> bool {
    value.is_object() || value.as_array().is_some_and(|items| items.iter().any(is_directory))
}

fn child<'a>(value: &'a Value, part: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => {
            let named = |(name, _): &(&String, &Value)| *name == part || dashed(name) == part;
            fields.iter().find(named).map(|(_, value)| value)
        }
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    }
}

/// JSON says `externalIp`, a path `external-ip`.
fn dashed(name: &str) -> String {
    let parts = name.chars().map(|char| match char {
        'A'..='Z' => format!("-{}", char.to_ascii_lowercase()),
        _ => char.to_string(),
    });
    parts.collect()
}

fn text(value: &Value) -> String {
    let line = |(name, value): (String, &Value)| {
        let end = if is_directory(value) { "/" } else { "" };
        format!("{name}{end}\n")
    };
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| line((dashed(name), value))).collect()
        }
        Value::Array(items) if is_directory(value) => {
            items.iter().enumerate().map(|(at, value)| line((at.to_string(), value))).collect()
        }
        Value::Array(items) => items.iter().map(|item| text(item) + "\n").collect(),
        other => other.to_string(),
    }
}

pub(crate) fn whole() -> Value {
    json!({
        "source": "gce",
        "userData": "#cloud-config\nhostname: from-gce\n",
        "metadata": {
            "instanceId": "8087716956832600933",
            "hostname": "web-1.c.example.internal",
            "sshAuthorizedKeys": [format!("{ED25519} alice@example.com"), format!("{RSA} operations")],
            "publicIpv4": "203.0.113.80",
            "privateIpv4": "10.128.0.2",
            "publicIpv6": null,
            "privateIpv6": null,
        },
    })
}

fn asked(tree: Value) -> Result<Value, String> {
    ask("gce", &Server::start(cloud(tree)))
}

#[test]
fn an_instance_is_read_with_its_keys_and_those_of_the_project() {
    assert_eq!(asked(tree()), Ok(whole()));
}

#[test]
fn keys_of_the_project_are_left_if_the_instance_blocks_them() {
    let mut tree = tree();
    tree["instance"]["attributes"]["block-project-ssh-keys"] = "TRUE".into();
    let mut expected = whole();
    expected["metadata"]["sshAuthorizedKeys"] = json!([format!("{ED25519} alice@example.com")]);

    assert_eq!(asked(tree), Ok(expected));
}

#[test]
fn an_instance_without_attributes_has_hostname_and_addresses() {
    let mut tree = tree();
    tree["instance"]["attributes"] = json!({});
    tree["project"]["attributes"] = json!({});
    let mut expected = whole();
    expected["userData"] = Value::Null;
    expected["metadata"]["sshAuthorizedKeys"] = json!([]);

    assert_eq!(asked(tree), Ok(expected));
}

#[test]
fn an_instance_without_public_address_has_none() {
    let mut expected = whole();
    expected["metadata"]["publicIpv4"] = Value::Null;
    for configs in [json!([]), json!([{"externalIp": "", "type": "ONE_TO_ONE_NAT"}])] {
        let mut tree = tree();
        tree["instance"]["networkInterfaces"][0]["accessConfigs"] = configs.clone();

        assert_eq!(asked(tree), Ok(expected.clone()), "{configs}");
    }
}

#[test]
fn user_data_that_looks_like_json_is_told_as_it_is() {
    let mut tree = tree();
    tree["instance"]["attributes"]["user-data"] = "{\"ignition\": {\"version\": \"2.0.0\"}}".into();
    let mut expected = whole();
    expected["userData"] = "{\"ignition\": {\"version\": \"2.0.0\"}}".into();

    assert_eq!(asked(tree), Ok(expected));
}
