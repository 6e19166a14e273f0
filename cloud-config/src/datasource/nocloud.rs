//! NoCloud: a volume, directory or server with `user-data` and `meta-data`.

use std::path::Path;

use super::cmdline::Parameters;
use super::service::Service;
use super::{Asking, Found, Name, Reading, local, nocloud_metadata, volume};

/// Where images are seeded, and where the volume is mounted.
const DIRECTORIES: [&str; 5] = [
    "var/lib/cloud-config/seed",
    "var/lib/cloud/seed/nocloud",
    "var/lib/cloud/seed/nocloud-net",
    "media/cidata",
    "mnt/cidata",
];

/// What the firmware or the command line of the kernel says of the seed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seed {
    /// A URL or directory that names are appended to.
    pub(super) place: Option<String>,
    instance_id: Option<String>,
    hostname: Option<String>,
}

impl Seed {
    /// That of the host: `ds=nocloud;s=...` of the kernel, or the serial number of the machine.
    pub(super) fn of(root: &Path) -> Option<Self> {
        let parameters = Parameters::of(root);
        let serial = local::hint(&root.join("sys/class/dmi/id/product_serial"));
        let serial = serial.strip_prefix("ds=").map(str::to_owned);
        [parameters.value("ds").map(str::to_owned), serial]
            .into_iter()
            .flatten()
            .find_map(|text| Self::read(&text))
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';');
        let kind = parts.next()?;
        if !matches!(kind, "nocloud" | "nocloud-net") {
            return None;
        }
        let mut seed = Self::default();
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let field = match name {
                "s" | "seedfrom" => &mut seed.place,
                "i" | "instance-id" => &mut seed.instance_id,
                "h" | "local-hostname" => &mut seed.hostname,
                _ => continue,
            };
            *field = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
        Some(seed)
    }

    /// Where the seed is if it is on a server.
    pub(super) fn url(&self) -> Option<&str> {
        self.place
            .as_deref()
            .filter(|place| place.starts_with("http://") || place.starts_with("https://"))
    }

    /// The directory of the seed.
    fn directory(&self) -> Option<&str> {
        let place = self.place.as_deref().filter(|_| self.url().is_none())?;
        Some(place.strip_prefix("file://").unwrap_or(place).trim_start_matches('/'))
    }
}

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    let seed = Seed::of(asking.search.root).unwrap_or_default();
    let mut found = match asking.search.url {
        Some(_) => None,
        None => of_directories(asking, &seed)?,
    };
    let is_served = asking.search.url.is_some() || seed.url().is_some();
    if found.is_none() && asking.online && is_served {
        found = of_server(asking, seed.url().unwrap_or_default())?;
    }
    if let Some(found) = &mut found {
        found.metadata.instance_id = seed.instance_id.or(found.metadata.instance_id.take());
        found.metadata.hostname = seed.hostname.or(found.metadata.hostname.take());
    }
    Ok(found)
}

fn of_directories(asking: &Asking<'_>, seed: &Seed) -> Reading {
    if let Some(directory) = seed.directory() {
        let found = of_directory(&asking.search.root.join(directory))?;
        if found.is_some() {
            return Ok(found);
        }
    }
    for directory in asking.places(&DIRECTORIES) {
        let found = of_directory(&directory)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    if asking.search.path.is_some() {
        return Ok(None);
    }
    match volume::of_label(asking, "cidata")? {
        Some(volume) => of_directory(&volume.path),
        None => Ok(None),
    }
}

fn of_directory(directory: &Path) -> Reading {
    let user_data = local::bytes(&directory.join("user-data"))?;
    let path = directory.join("meta-data");
    let metadata = local::text(&path)?;
    if user_data.is_none() && metadata.is_none() {
        return Ok(None);
    }
    let mut found = Found::new(Name::NoCloud).with_user_data(user_data);
    nocloud_metadata::add(&metadata.unwrap_or_default(), path.display(), &mut found)?;
    Ok(Some(found))
}

fn of_server(asking: &Asking<'_>, seed: &str) -> Reading {
    let base = asking.base(seed);
    let service = Service::new(asking, &base, &[]);
    if !service.waits_for(&["meta-data", "user-data"])? {
        return Ok(None);
    }
    let metadata = service.text("meta-data")?;
    let user_data = service.bytes("user-data")?;
    let mut found = Found::new(Name::NoCloud).with_user_data(user_data);
    let place = format!("{}meta-data", super::http::without_secrets(&base));
    nocloud_metadata::add(&metadata.unwrap_or_default(), place, &mut found)?;
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_read_with_short_and_long_names() {
        for text in [
            "nocloud;s=http://10.0.0.1:8000/;i=one;h=web",
            "nocloud-net;seedfrom=http://10.0.0.1:8000/;instance-id=one;local-hostname=web",
        ] {
            let seed = Seed::read(text).unwrap();

            assert_eq!(seed.url(), Some("http://10.0.0.1:8000/"));
            assert_eq!((seed.directory(), seed.hostname.as_deref()), (None, Some("web")));
            assert_eq!(seed.instance_id.as_deref(), Some("one"));
        }
    }

    #[test]
    fn a_seed_may_be_a_directory() {
        for text in ["nocloud;s=file:///srv/seed/", "nocloud;s=/srv/seed/"] {
            assert_eq!(Seed::read(text).unwrap().directory(), Some("srv/seed/"), "{text}");
        }
    }

    #[test]
    fn other_sources_are_no_seed() {
        assert_eq!(Seed::read("openstack;s=http://x/"), None);
        assert_eq!(Seed::read("nocloudy"), None);
    }
}
