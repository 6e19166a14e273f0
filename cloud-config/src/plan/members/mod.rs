//! Sections of options, as files for the programs that they are for.

mod address;
mod environment;
mod etcd;
mod fate;
mod image;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use fate::{ETCD, ETCD2, Fate};
pub(super) use image::{flannel_options, oem_release, update_conf};

use crate::document::{CoreOs, Section};
use crate::problem::{Position, Problem};
use environment::Variables;

/// Follows what is said about reboots.
pub(super) const LOCKSMITH: &str = "locksmithd.service";
/// Follows what is said about updates.
pub(super) const UPDATE_ENGINE: &str = "update-engine.service";

/// Units that sections are for.
pub(super) const UNITS: [&str; 5] =
    ["etcd.service", "etcd2.service", "fleet.service", LOCKSMITH, UPDATE_ENGINE];

/// Where the drop-in for a unit is.
pub(super) fn path(unit: &str) -> PathBuf {
    PathBuf::from(format!("/run/systemd/system/{unit}.d/20-cloudinit.conf"))
}

/// A drop-in that a section is turned into.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Generated {
    /// The unit that it adds to.
    pub(super) unit: &'static str,
    /// Its text.
    pub(super) content: String,
    /// Whether a password is in it.
    pub(super) secret: bool,
}

impl Generated {
    pub(super) fn path(&self) -> PathBuf {
        path(self.unit)
    }
}

/// The drop-ins for all sections, and what is to be said about their options.
pub(super) fn drop_ins(coreos: &CoreOs) -> (Vec<Generated>, Vec<Problem>) {
    let mut generated = Vec::new();
    let mut warnings = Vec::new();
    let mut add = |unit, section: &Section, variables: Variables| {
        let secret = section.options.iter().any(|(option, _)| option.ends_with("password"));
        generated.extend(variables.drop_in().map(|content| Generated { unit, content, secret }));
    };
    for (section, name, unit, fates) in [
        (&coreos.etcd, "etcd", "etcd.service", ETCD.as_slice()),
        (&coreos.etcd2, "etcd2", "etcd2.service", ETCD2.as_slice()),
    ] {
        if section.position.is_some() {
            let (variables, told) = etcd::translate(section, name, fates);
            add(unit, section, variables);
            warnings.extend(told);
        }
    }
    let (variables, told) = fleet(coreos);
    add("fleet.service", &coreos.fleet, variables);
    warnings.extend(told);
    add(LOCKSMITH, &coreos.locksmith, locksmith(&coreos.locksmith));
    (generated, warnings)
}

/// What a document says of its options without looking at the host.
#[must_use]
pub fn warnings(coreos: &CoreOs) -> Vec<Problem> {
    drop_ins(coreos).1
}

/// fleetd uses the etcd that the document configures, unless it says otherwise.
fn fleet(coreos: &CoreOs) -> (Variables, Option<Problem>) {
    let mut variables = Variables::of_section("FLEET", &coreos.fleet);
    let says = |option| coreos.fleet.options.iter().any(|(known, _)| *known == option);
    let members = [&coreos.etcd, &coreos.etcd2];
    let member =
        members.into_iter().find(|section| section.position.is_some() && etcd::is_member(section));
    let Some(member) = member.filter(|_| !says("etcd_servers") && !says("store")) else {
        return (variables, None);
    };
    let url = etcd::local_url(member);
    variables.set("FLEET_ETCD_SERVERS", &url);
    if !url.starts_with("https:") {
        return (variables, None);
    }
    let (authorities, needs_certificate) = etcd::authorities(member);
    if let Some(file) = authorities.filter(|_| !says("etcd_cafile")) {
        variables.set("FLEET_ETCD_CAFILE", file);
    }
    let lacks = needs_certificate && !says("etcd_certfile");
    let warning = lacks.then(|| {
        let text = "etcd asks its clients for a certificate: name one for fleetd here, and its key in \
                    `etcd_keyfile`";
        let position = coreos.fleet.position.or(member.position).unwrap_or(Position::START);
        Problem::warning(position, "coreos.fleet.etcd_certfile", text)
    });
    (variables, warning)
}

fn locksmith(section: &Section) -> Variables {
    let mut variables = Variables::of_section("LOCKSMITHD", section);
    variables.rename("LOCKSMITHD_WINDOW_START", "REBOOT_WINDOW_START");
    variables.rename("LOCKSMITHD_WINDOW_LENGTH", "REBOOT_WINDOW_LENGTH");
    variables
}
