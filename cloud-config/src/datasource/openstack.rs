//! The metadata service of OpenStack.

use super::attempt::Absent;
use super::json::Json;
use super::service::Service;
use super::{Asking, Found, Name, Reading};

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    let base = asking.base("http://169.254.169.254/");
    let service = Service::new(asking, &base, &[]);
    let Some(json) = service.json("openstack/latest/meta_data.json", Absent::MayCome)? else {
        return Ok(None);
    };
    let user_data = service.bytes("openstack/latest/user_data")?;
    let mut found = Found::new(Name::OpenStack).with_user_data(user_data);
    metadata_of(&json, &mut found);
    found.metadata.private_ipv4 = address(&service, "local-ipv4", &mut found);
    found.metadata.public_ipv4 = address(&service, "public-ipv4", &mut found);
    Ok(Some(found))
}

/// What `meta_data.json` says.
pub(super) fn metadata_of(json: &Json, found: &mut Found) {
    found.metadata.instance_id = json.text("/uuid");
    found.metadata.hostname = json.text("/hostname").or_else(|| json.text("/name"));
    for key in json.texts("/public_keys") {
        found.add_keys(&key);
    }
    let keys = json.list("/keys").into_iter();
    for key in keys.filter(|key| key.text("/type").as_deref() == Some("ssh")) {
        found.add_keys(&key.text("/data").unwrap_or_default());
    }
}

/// An address that only the part that is like EC2 has; some clouds leave that out.
fn address(service: &Service<'_>, name: &str, found: &mut Found) -> Option<std::net::Ipv4Addr> {
    match service.optional_text(&format!("latest/meta-data/{name}")) {
        // Several networks give several lines.
        Ok(text) => {
            let first = text.and_then(|text| text.lines().next().map(str::to_owned));
            found.address(name, first)
        }
        Err(error) => {
            found.warnings.push(format!("{}: {error}", Name::OpenStack));
            None
        }
    }
}
