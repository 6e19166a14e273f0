//! The last good user data, for a boot on which no datasource answers.

use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::json::Json;
use super::{Found, Reading, SourceError, local};
use crate::host::Root;
use crate::state;

const PATH: &str = "/var/lib/cloud-config/last-good.json";

/// Keeps what a datasource had, once it was applied without an error. Only root can read it.
pub fn keep(root: &Path, found: &Found) -> io::Result<()> {
    let metadata = &found.metadata;
    let value = json!({
        "machine": machine(root),
        "source": found.source.as_str(),
        "userData": found.user_data.as_ref().map(|bytes| STANDARD.encode(bytes)),
        "instanceId": metadata.instance_id,
        "hostname": metadata.hostname,
        "sshAuthorizedKeys": metadata.ssh_authorized_keys,
        "publicIpv4": metadata.public_ipv4,
        "privateIpv4": metadata.private_ipv4,
        "publicIpv6": metadata.public_ipv6,
        "privateIpv6": metadata.private_ipv6,
    });
    state::save(&Root::new(root), PATH, &value)
}

/// What was kept on this machine, with a warning that says so; `None` if nothing was, or on another
/// machine that this one is a copy of.
pub fn kept(root: &Path) -> Reading {
    let path = root.join(PATH.trim_start_matches('/'));
    let Some(bytes) = local::bytes(&path)? else { return Ok(None) };
    let place = path.to_string_lossy();
    let json = Json::read(&bytes, &place)?;
    if json.text("/machine").unwrap_or_default() != machine(root) {
        return Ok(None);
    }
    let damaged = |what: &str| SourceError::form(&place, format!("{what} is damaged"));
    let source = json.text("/source").and_then(|name| name.parse().ok());
    let user_data = json.text("/userData").map(|text| STANDARD.decode(text)).transpose();
    let user_data = user_data.map_err(|_| damaged("userData"))?;
    let mut found = Found::new(source.ok_or_else(|| damaged("source"))?).with_user_data(user_data);
    found.metadata.instance_id = json.text("/instanceId");
    found.metadata.hostname = json.text("/hostname");
    json.texts("/sshAuthorizedKeys").iter().for_each(|key| found.add_keys(key));
    found.metadata.public_ipv4 = found.address("publicIpv4", json.text("/publicIpv4"));
    found.metadata.private_ipv4 = found.address("privateIpv4", json.text("/privateIpv4"));
    found.metadata.public_ipv6 = found.address("publicIpv6", json.text("/publicIpv6"));
    found.metadata.private_ipv6 = found.address("privateIpv6", json.text("/privateIpv6"));
    let source = found.source;
    found
        .warnings
        .push(format!("no datasource answers: took what {source} had at an earlier boot"));
    Ok(Some(found))
}

/// What tells this machine from a copy of its disk.
fn machine(root: &Path) -> String {
    local::hint(&root.join("sys/class/dmi/id/product_uuid"))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::super::Name;
    use super::*;
    use crate::facts::Metadata;

    fn found() -> Found {
        Found {
            user_data: Some(b"#cloud-config\n\xff".to_vec()),
            metadata: Metadata {
                instance_id: Some("i-1".to_owned()),
                hostname: Some("one".to_owned()),
                ssh_authorized_keys: vec!["ssh-rsa AAAA a".to_owned()],
                public_ipv4: Some(Ipv4Addr::new(198, 51, 100, 1)),
                private_ipv4: None,
                public_ipv6: None,
                private_ipv6: Some(Ipv6Addr::LOCALHOST),
            },
            source: Name::Ec2,
            warnings: Vec::new(),
        }
    }

    #[test]
    fn what_is_kept_comes_back_with_a_warning() {
        let root = tempfile::tempdir().unwrap();

        keep(root.path(), &found()).unwrap();

        let warning = "no datasource answers: took what ec2 had at an earlier boot".to_owned();
        let expected = Found { warnings: vec![warning], ..found() };
        assert_eq!(kept(root.path()).unwrap(), Some(expected));
    }

    #[test]
    fn only_root_reads_what_is_kept_and_it_is_written_once() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("var/lib/cloud-config/last-good.json");

        keep(root.path(), &found()).unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        keep(root.path(), &found()).unwrap();

        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), metadata.ino());
    }

    #[test]
    fn a_copy_of_a_disk_does_not_take_what_the_original_kept() {
        let root = tempfile::tempdir().unwrap();
        let id = root.path().join("sys/class/dmi/id");
        std::fs::create_dir_all(&id).unwrap();
        std::fs::write(id.join("product_uuid"), "one\n").unwrap();
        keep(root.path(), &found()).unwrap();

        std::fs::write(id.join("product_uuid"), "two\n").unwrap();

        assert_eq!(kept(root.path()).unwrap(), None);
    }

    #[test]
    fn what_is_damaged_is_told() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(kept(root.path()).unwrap(), None);
        let path = root.path().join("var/lib/cloud-config/last-good.json");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        for (text, fault) in [
            ("{", "is not JSON (line 1, column 1)"),
            ("{}", "source is damaged"),
            (r#"{"source": "ec2", "userData": "?"}"#, "userData is damaged"),
        ] {
            std::fs::write(&path, text).unwrap();

            let told = kept(root.path()).unwrap_err().to_string();
            assert_eq!(told, format!("{}: {fault}", path.display()));
        }
    }
}
