//! The metadata service of DigitalOcean.

use super::attempt::Absent;
use super::service::Service;
use super::{Asking, Found, Name, Reading};

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    let base = asking.base("http://169.254.169.254/");
    let service = Service::new(asking, &base, &[]);
    let Some(json) = service.json("metadata/v1.json", Absent::MayCome)? else { return Ok(None) };
    let user_data = service.bytes("metadata/v1/user-data")?;
    let mut found = Found::new(Name::DigitalOcean).with_user_data(user_data);
    found.metadata.instance_id = json.text("/droplet_id");
    found.metadata.hostname = json.text("/hostname");
    json.texts("/public_keys").iter().for_each(|key| found.add_keys(key));
    let address =
        |kind: &str, family: &str| json.text(&format!("/interfaces/{kind}/0/{family}/ip_address"));
    found.metadata.public_ipv4 = found.address("public IPv4", address("public", "ipv4"));
    found.metadata.private_ipv4 = found.address("private IPv4", address("private", "ipv4"));
    found.metadata.public_ipv6 = found.address("public IPv6", address("public", "ipv6"));
    found.metadata.private_ipv6 = found.address("private IPv6", address("private", "ipv6"));
    Ok(Some(found))
}
