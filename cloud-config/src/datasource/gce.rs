//! The metadata service of Google Compute Engine.

use super::http::HttpError;
use super::service::Service;
use super::{Asking, Found, Name, Reading};

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    let base = asking.base("http://metadata.google.internal/");
    let service = Service::new(asking, &base, &[("Metadata-Flavor", "Google")]);
    if !service.waits_for(&["computeMetadata/v1/", "computeMetadata/v1/instance/id"])? {
        return Ok(None);
    }
    let user_data = service.bytes("computeMetadata/v1/instance/attributes/user-data")?;
    let mut found = Found::new(Name::Gce).with_user_data(user_data);
    let text = |path: &str| service.text(&format!("computeMetadata/v1/instance/{path}"));
    found.metadata.instance_id = text("id")?;
    found.metadata.hostname = text("hostname")?;
    for key in keys(&service)? {
        found.add_keys(&key);
    }
    let interface = |path: &str| text(&format!("network-interfaces/0/{path}"));
    found.metadata.private_ipv4 = found.address("ip", interface("ip")?);
    let external = interface("access-configs/0/external-ip")?;
    found.metadata.public_ipv4 = found.address("external-ip", external);
    let external = interface("ipv6-access-configs/0/external-ipv6")?;
    found.metadata.public_ipv6 = found.address("external-ipv6", external);
    let internal = interface("ipv6s/0")?;
    found.metadata.private_ipv6 = found.address("ipv6s", internal);
    Ok(Some(found))
}

/// Keys of the instance, and of its project unless the instance wants none of those.
fn keys(service: &Service<'_>) -> Result<Vec<String>, HttpError> {
    let attribute = |path: &str| service.text(&format!("computeMetadata/v1/{path}"));
    let mut texts = vec![attribute("instance/attributes/ssh-keys")?];
    let blocks = attribute("instance/attributes/block-project-ssh-keys")?;
    if !blocks.is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        texts.push(attribute("project/attributes/ssh-keys")?);
    }
    Ok(texts.iter().flatten().flat_map(|text| text.lines()).filter_map(key).collect())
}

/// The key of a line `user:key`. One that expires within minutes is for the cloud's own console.
fn key(line: &str) -> Option<String> {
    let (before, after) = line.split_once(':')?;
    let key = if before.contains(' ') { line } else { after };
    (!key.contains(" google-ssh ")).then(|| key.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_what_follows_its_user() {
        assert_eq!(key("jane:ssh-rsa AAAA jane@x:1"), Some("ssh-rsa AAAA jane@x:1".to_owned()));
        assert_eq!(key("ssh-rsa AAAA jane@x:1"), Some("ssh-rsa AAAA jane@x:1".to_owned()));
        assert_eq!(key("# nothing"), None);
    }

    #[test]
    fn a_key_that_expires_is_passed_over() {
        let line = r#"jane:ssh-rsa AAAA google-ssh {"userName":"j","expireOn":"2026-01-01"}"#;

        assert_eq!(key(line), None);
    }
}
