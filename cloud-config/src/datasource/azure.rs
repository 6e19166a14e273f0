//! Azure: the directory of its agent, and the metadata service.

use std::path::Path;

use roxmltree::{Document, Node};

use super::attempt::Absent;
use super::identify;
use super::json::Json;
use super::service::Service;
use super::{Asking, Found, Name, Reading, SourceError, local};
use crate::document::decode_base64;

/// Where the agent keeps what the host was given.
const AGENT: [&str; 1] = ["var/lib/waagent"];

/// The first version that has user data.
const INSTANCE: &str = "metadata/instance?api-version=2021-01-01";
const USER_DATA: &str = "metadata/instance/compute/userData?api-version=2021-01-01&format=text";

/// What the service says for about a minute while it is updated.
const UPDATING: u16 = 410;

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    let mut local = None;
    for directory in asking.places(&AGENT) {
        local = local.or(of_agent(&directory)?);
    }
    // A host elsewhere may have the agent's directory, and no service to ask.
    let has_service = local.is_none()
        || asking.search.url.is_some()
        || identify::cloud(asking.search.root) == Some(Name::Azure);
    match (local, asking.online && has_service) {
        (local, false) => Ok(local),
        (None, true) => of_service(asking),
        (Some(local), true) => Ok(Some(match of_service(asking) {
            Ok(service) => complete(local, service),
            Err(error) => {
                let warning = format!("{}: {error}", Name::Azure);
                Found { warnings: [local.warnings, vec![warning]].concat(), ..local }
            }
        })),
    }
}

/// What the agent was given, with what only the service knows.
fn complete(local: Found, service: Option<Found>) -> Found {
    let Some(service) = service else { return local };
    let mut found = Found { user_data: local.user_data.or(service.user_data), ..service };
    local.metadata.ssh_authorized_keys.iter().for_each(|key| found.add_keys(key));
    let metadata = &mut found.metadata;
    metadata.hostname = local.metadata.hostname.or(metadata.hostname.take());
    metadata.private_ipv4 = local.metadata.private_ipv4.or(metadata.private_ipv4);
    metadata.public_ipv4 = local.metadata.public_ipv4.or(metadata.public_ipv4);
    found.warnings.extend(local.warnings);
    found
}

fn of_agent(directory: &Path) -> Reading {
    let custom_data = local::bytes(&directory.join("CustomData"))?;
    let environment = directory.join("ovf-env.xml");
    let environment_text = local::text(&environment)?;
    if custom_data.is_none()
        && environment_text.is_none()
        && !directory.join("provisioned").exists()
    {
        return Ok(None);
    }
    let mut found = Found::new(Name::Azure).with_user_data(custom_data);
    if let Some(text) = environment_text {
        add_environment(&parse(&text, &environment)?, &environment, &mut found)?;
    }
    let shared = directory.join("SharedConfig.xml");
    if let Some(text) = local::text(&shared)? {
        add_addresses(&parse(&text, &shared)?, &mut found);
    }
    Ok(Some(found))
}

fn parse<'t>(text: &'t str, path: &Path) -> Result<Document<'t>, SourceError> {
    Document::parse(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let place = error.pos();
        SourceError::form(
            &path.display(),
            format!("is not XML (line {}, column {})", place.row, place.col),
        )
    })
}

/// What the installer of the host was given: the agent hides the password in its copy.
fn add_environment(
    document: &Document<'_>,
    path: &Path,
    found: &mut Found,
) -> Result<(), SourceError> {
    let text = |name: &str| texts(document, name).next();
    found.metadata.hostname = text("HostName");
    for key in texts(document, "Value").filter(|key| key.contains(' ')) {
        found.add_keys(&key);
    }
    if let (None, Some(packed)) = (&found.user_data, text("CustomData")) {
        let bytes = decode_base64(packed.as_bytes())
            .ok_or_else(|| SourceError::form(&path.display(), "CustomData is not base64"))?;
        found.user_data = Some(bytes).filter(|bytes| !bytes.is_empty());
    }
    Ok(())
}

/// The addresses of this host among those that share a service.
fn add_addresses(document: &Document<'_>, found: &mut Found) {
    let named =
        |name: &'static str| document.descendants().filter(move |node| local_name(node) == name);
    let own = named("Incarnation").find_map(|node| node.attribute("instance"));
    let instance = named("Instance")
        .find(|node| own.is_some() && node.attribute("id") == own)
        .or_else(|| named("Instance").next());
    let Some(instance) = instance else { return };
    let private = instance.attribute("address").map(str::to_owned);
    found.metadata.private_ipv4 = found.address("the address of the instance", private);
    let public = instance
        .descendants()
        .filter_map(|node| node.attribute("loadBalancedPublicAddress"))
        .find(|address| !address.is_empty())
        .map(|address| address.split(':').next().unwrap_or_default().to_owned());
    found.metadata.public_ipv4 = found.address("the address of the load balancer", public);
}

/// The texts of elements with a name, in whatever namespace.
fn texts<'t>(document: &'t Document<'_>, name: &'t str) -> impl Iterator<Item = String> + 't {
    let elements = document.descendants().filter(move |node| local_name(node) == name);
    elements
        .filter_map(|node| node.text().map(|text| text.trim().to_owned()))
        .filter(|text| !text.is_empty())
}

fn local_name<'t>(node: &Node<'t, '_>) -> &'t str {
    node.tag_name().name()
}

fn of_service(asking: &Asking<'_>) -> Reading {
    let base = asking.base("http://169.254.169.254/");
    let service = Service::new(asking, &base, &[("Metadata", "true")]).updating_with(UPDATING);
    let Some(json) = service.json(INSTANCE, Absent::MayCome)? else { return Ok(None) };
    let mut found = Found::new(Name::Azure);
    let packed = match json.text("/compute/userData").or_else(|| json.text("/compute/customData")) {
        Some(packed) => Some(packed),
        None => service.text(USER_DATA)?,
    };
    if let Some(packed) = packed {
        let bytes = decode_base64(packed.as_bytes()).ok_or_else(|| {
            SourceError::form(&format!("{base}metadata"), "userData is not base64")
        })?;
        found = found.with_user_data(Some(bytes));
    }
    add_instance(&json, &mut found);
    Ok(Some(found))
}

fn add_instance(json: &Json, found: &mut Found) {
    found.metadata.instance_id = json.text("/compute/vmId");
    found.metadata.hostname =
        json.text("/compute/osProfile/computerName").or_else(|| json.text("/compute/name"));
    for key in json.list("/compute/publicKeys") {
        found.add_keys(&key.text("/keyData").unwrap_or_default());
    }
    let address = |path: &str| json.text(&format!("/network/interface/0/{path}"));
    let private = address("ipv4/ipAddress/0/privateIpAddress");
    found.metadata.private_ipv4 = found.address("privateIpAddress", private);
    let public = address("ipv4/ipAddress/0/publicIpAddress");
    found.metadata.public_ipv4 = found.address("publicIpAddress", public);
    let private = address("ipv6/ipAddress/0/privateIpAddress");
    found.metadata.private_ipv6 = found.address("privateIpAddress of IPv6", private);
    let public = address("ipv6/ipAddress/0/publicIpAddress");
    found.metadata.public_ipv6 = found.address("publicIpAddress of IPv6", public);
}
