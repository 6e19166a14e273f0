//! The metadata service of Packet.

use super::attempt::Absent;
use super::json::Json;
use super::service::Service;
use super::{Asking, Found, Name, Reading};

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    let base = asking.base("https://metadata.packet.net/");
    let service = Service::new(asking, &base, &[]);
    let Some(json) = service.json("metadata", Absent::MayCome)? else { return Ok(None) };
    let user_data = service.bytes("userdata")?;
    let mut found = Found::new(Name::Packet).with_user_data(user_data);
    found.metadata.instance_id = json.text("/id");
    found.metadata.hostname = json.text("/hostname");
    json.texts("/ssh_keys").iter().for_each(|key| found.add_keys(key));
    let addresses = json.list("/network/addresses");
    let first = |family: &str, public: bool| {
        let is_it = |address: &&Json| {
            address.text("/address_family").as_deref() == Some(family)
                && address.truth("/public") == Some(public)
        };
        addresses.iter().find(is_it).and_then(|address| address.text("/address"))
    };
    found.metadata.public_ipv4 = found.address("public IPv4", first("4", true));
    found.metadata.private_ipv4 = found.address("private IPv4", first("4", false));
    found.metadata.public_ipv6 = found.address("public IPv6", first("6", true));
    found.metadata.private_ipv6 = found.address("private IPv6", first("6", false));
    Ok(Some(found))
}
