//! A volume in the layout of OpenStack's config drive.

use std::path::Path;

use super::json::Json;
use super::openstack::metadata_of;
use super::{Asking, Found, Name, Reading, SourceError, local, volume};

/// Where such volumes and shared directories are mounted, and where images are seeded.
const DIRECTORIES: [&str; 6] = [
    "media/configdrive",
    "media/configvirtfs",
    "media/config-2",
    "mnt/configdrive",
    "mnt/config",
    "var/lib/cloud/seed/config_drive",
];

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    for directory in asking.places(&DIRECTORIES) {
        if let Some(found) = of_directory(&directory)? {
            return Ok(Some(found));
        }
    }
    if asking.search.path.is_some() {
        return Ok(None);
    }
    match volume::of_label(asking, "config-2")? {
        Some(volume) => of_directory(&volume.path),
        None => Ok(None),
    }
}

fn of_directory(directory: &Path) -> Reading {
    let latest = directory.join("openstack/latest");
    let user_data = local::bytes(&latest.join("user_data"))?;
    let metadata = json(&latest.join("meta_data.json"))?;
    if user_data.is_none() && metadata.is_none() {
        return Ok(None);
    }
    let mut found = Found::new(Name::ConfigDrive).with_user_data(user_data);
    if let Some(json) = metadata {
        metadata_of(&json, &mut found);
    }
    // Nova writes addresses only there.
    if let Some(json) = json(&directory.join("ec2/latest/meta-data.json"))? {
        let private = json.text("/local-ipv4");
        found.metadata.private_ipv4 = found.address("local-ipv4", private);
        let public = json.text("/public-ipv4");
        found.metadata.public_ipv4 = found.address("public-ipv4", public);
    }
    Ok(Some(found))
}

fn json(path: &Path) -> Result<Option<Json>, SourceError> {
    let bytes = local::bytes(path)?;
    bytes.map(|bytes| Json::read(&bytes, &path.to_string_lossy())).transpose()
}
