//! User data in a file: of the image, of an installer, or that Vagrant drops.

use super::{Asking, Found, Name, Reading, local};

/// Where an image, `coreos-install -c` and the maker of a host's system leave user data.
const FILES: [&str; 4] = [
    "etc/cloud-config/user-data",
    "var/lib/cloud-config/user-data",
    "var/lib/coreos-install/user_data",
    "usr/share/oem/cloud-config.yml",
];

/// Where Vagrantfiles for CoreOS put it.
const VAGRANT: [&str; 1] = ["var/lib/coreos-vagrant/vagrantfile-user-data"];

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    first(asking, Name::File, &FILES)
}

pub(super) fn vagrant(asking: &Asking<'_>) -> Reading {
    first(asking, Name::Vagrant, &VAGRANT)
}

/// The first file that is not empty.
fn first(asking: &Asking<'_>, name: Name, files: &[&str]) -> Reading {
    for path in asking.places(files) {
        let bytes = local::bytes(&path)?.filter(|bytes| !bytes.is_empty());
        if bytes.is_some() {
            return Ok(Some(Found::new(name).with_user_data(bytes)));
        }
    }
    Ok(None)
}
