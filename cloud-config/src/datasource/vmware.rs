//! Variables that VMware gives a guest, by its tools or as an OVF environment.
//!
//! What they hold is never told: user data is among them.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::path::PathBuf;

use roxmltree::Document;

use super::attempt::Absent;
use super::http::Method;
use super::{Asking, Found, MAX_BYTES, Name, Reading, SourceError, local, program, volume};
use crate::document::{decode_base64, unpack};
use crate::facts::Metadata;

/// Where the volume with the OVF environment is mounted.
const ENVIRONMENT: &str = "ovf-env.xml";
const ENVIRONMENTS: [&str; 2] = ["media/ovfenv/ovf-env.xml", "run/cloud-config/ovf-env.xml"];

/// No guest has more; a host that answers everything does not keep us for ever.
const MAX_INTERFACES: usize = 16;

/// Asks for a variable without its beginning `guestinfo.`.
type Variables<'a> = &'a dyn Fn(&str) -> Result<Option<String>, SourceError>;

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    let of_tools = |name: &str| -> Result<Option<String>, SourceError> {
        let words = format!("info-get guestinfo.{name}");
        let printed = program::run("vmware-rpctool", &[&words], asking.http.limit())?;
        printed.map(|bytes| text_of(bytes, name)).transpose()
    };
    if let Some((path, text)) = environment(asking)? {
        let properties = properties(&text, &path.display())?;
        return of_variables(asking, &|name| Ok(properties.get(name).cloned()));
    }
    if let Some(found) = of_variables(asking, &of_tools)? {
        return Ok(Some(found));
    }
    let Some(text) = of_tools("ovfEnv")?.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let properties = properties(&text, "guestinfo.ovfEnv")?;
    of_variables(asking, &|name| Ok(properties.get(name).cloned()))
}

/// The OVF environment, if that is a file, and which one.
fn environment(asking: &Asking<'_>) -> Result<Option<(PathBuf, String)>, SourceError> {
    for path in asking.places(&ENVIRONMENTS) {
        let path: PathBuf = if path.is_dir() { path.join(ENVIRONMENT) } else { path };
        if let Some(text) = local::text(&path)? {
            return Ok(Some((path, text)));
        }
    }
    let Some(volume) = volume::of_label(asking, "OVF ENV")? else { return Ok(None) };
    let path = volume.path.join(ENVIRONMENT);
    Ok(local::text(&path)?.map(|text| (path, text)))
}

/// The properties of an OVF environment, without `guestinfo.` before their names.
fn properties(
    text: &str,
    place: &(impl ToString + ?Sized),
) -> Result<BTreeMap<String, String>, SourceError> {
    let document = Document::parse(text.trim_start_matches('\u{feff}').trim_end_matches('\0'))
        .map_err(|error| {
            let at = error.pos();
            let fault = format!("is not XML (line {}, column {})", at.row, at.col);
            SourceError::form(place, fault)
        })?;
    let attribute = |node: &roxmltree::Node<'_, '_>, name: &str| {
        let found = node.attributes().find(|attribute| attribute.name() == name);
        found.map(|attribute| attribute.value().to_owned())
    };
    let elements = document.descendants().filter(|node| node.tag_name().name() == "Property");
    Ok(elements
        .filter_map(|node| {
            let key = attribute(&node, "key")?;
            let key = key.strip_prefix("guestinfo.").unwrap_or(&key).to_owned();
            Some((key, attribute(&node, "value")?))
        })
        .collect())
}

/// What the variables say; `None` if they say nothing.
fn of_variables(asking: &Asking<'_>, variables: Variables<'_>) -> Reading {
    let text = |name: &str| -> Result<Option<String>, SourceError> {
        let value = variables(name)?;
        Ok(value.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    };
    let mut found = Found::new(Name::VMware).with_user_data(user_data(asking, variables)?);
    found.metadata.hostname = text("hostname")?;
    found.metadata.instance_id = text("instance-id")?;
    for interface in 0..MAX_INTERFACES {
        let variable = |name: &str| text(&format!("interface.{interface}.{name}"));
        let role = variable("role")?;
        let mut addresses = Vec::new();
        while let Some(address) = variable(&format!("ip.{}.address", addresses.len()))? {
            addresses.push(address);
            if addresses.len() == MAX_INTERFACES {
                break;
            }
        }
        if role.is_none()
            && addresses.is_empty()
            && variable("name")?.or(variable("mac")?).is_none()
        {
            break;
        }
        add_addresses(&mut found, interface, role.as_deref(), &addresses);
    }
    let says_something = found.user_data.is_some() || found.metadata != Metadata::default();
    Ok(says_something.then_some(found))
}

/// The user data, or what is at the URL that is given instead.
fn user_data(
    asking: &Asking<'_>,
    variables: Variables<'_>,
) -> Result<Option<Vec<u8>>, SourceError> {
    for name in ["coreos.config.data", "userdata"] {
        if let Some(text) = variables(name)?.filter(|text| !text.trim().is_empty()) {
            let encoding = variables(&format!("{name}.encoding"))?.unwrap_or_default();
            return decode(text.into_bytes(), encoding.trim(), name).map(Some);
        }
    }
    let url = variables("coreos.config.url")?.map(|url| url.trim().to_owned());
    let Some(url) = url.filter(|url| asking.online && !url.is_empty()) else { return Ok(None) };
    let http = &asking.http;
    Ok(http.persist(Absent::MayCome, || http.once(Method::Get, &url, &[]))?)
}

/// Decodes what is written as an encoding of Canonical's cloud-init or CoreOS.
fn decode(bytes: Vec<u8>, encoding: &str, name: &str) -> Result<Vec<u8>, SourceError> {
    let fail =
        |fault: &dyn Display| SourceError::form(&format!("guestinfo.{name}"), fault.to_string());
    let of_base64 = |bytes: Vec<u8>| decode_base64(&bytes).ok_or_else(|| fail(&"is not base64"));
    let of_gzip = |bytes: Vec<u8>| unpack(&bytes, MAX_BYTES).map_err(|error| fail(&error));
    match encoding {
        "" => Ok(bytes),
        "base64" | "b64" => of_base64(bytes),
        "gzip" | "gz" => of_gzip(bytes),
        "gzip+base64" | "gz+base64" | "gzip+b64" | "gz+b64" => of_gzip(of_base64(bytes)?),
        _ => Err(fail(&"has an encoding that is not one of base64, gzip and gzip+base64")),
    }
}

/// The last address of each kind counts, as it did for CoreOS.
fn add_addresses(found: &mut Found, interface: usize, role: Option<&str>, addresses: &[String]) {
    for (number, text) in addresses.iter().enumerate() {
        let what = format!("interface.{interface}.ip.{number}.address");
        let address = text.split('/').next().map(str::to_owned);
        let Some(address) = found.address::<IpAddr>(&what, address) else { continue };
        let metadata = &mut found.metadata;
        match (role, address) {
            (Some("public"), IpAddr::V4(address)) => metadata.public_ipv4 = Some(address),
            (Some("private"), IpAddr::V4(address)) => metadata.private_ipv4 = Some(address),
            (Some("public"), IpAddr::V6(address)) => metadata.public_ipv6 = Some(address),
            (Some("private"), IpAddr::V6(address)) => metadata.private_ipv6 = Some(address),
            (Some(_) | None, _) => {
                let told = format!(
                    "{}: the role of interface {interface} is neither public nor private: passed over",
                    Name::VMware
                );
                found.warnings.push(told);
                return;
            }
        }
    }
}

fn text_of(bytes: Vec<u8>, name: &str) -> Result<String, SourceError> {
    String::from_utf8(bytes)
        .map_err(|_| SourceError::form(&format!("guestinfo.{name}"), "is not UTF-8"))
}
