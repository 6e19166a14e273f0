//! Several cloud-configs as one.

use super::{CloudConfig, Section};
use crate::problem::{Position, Problem};

/// Adds what a later cloud-config says to the earlier ones: lists are joined; of values that there
/// can be one of, the first stays. `start` is where the later one begins.
pub(super) fn unite(
    all: &mut CloudConfig,
    more: CloudConfig,
    start: Position,
    problems: &mut Vec<Problem>,
) {
    let mut keep = |first: &mut Option<String>, later, path| {
        problems.extend(keep_first(first, later, start, path));
    };
    keep(&mut all.hostname, more.hostname, "hostname");
    keep(&mut all.fqdn, more.fqdn, "fqdn");
    keep(&mut all.timezone, more.timezone, "timezone");
    all.manage_etc_hosts |= more.manage_etc_hosts;
    all.ssh_authorized_keys.extend(more.ssh_authorized_keys);
    all.groups.extend(more.groups);
    all.users.extend(more.users);
    all.write_files.extend(more.write_files);
    all.runcmd.extend(more.runcmd);
    let (coreos, more) = (&mut all.coreos, more.coreos);
    coreos.units.extend(more.units);
    for (section, more, name) in [
        (&mut coreos.etcd, more.etcd, "etcd"),
        (&mut coreos.etcd2, more.etcd2, "etcd2"),
        (&mut coreos.fleet, more.fleet, "fleet"),
        (&mut coreos.flannel, more.flannel, "flannel"),
        (&mut coreos.locksmith, more.locksmith, "locksmith"),
        (&mut coreos.update, more.update, "update"),
        (&mut coreos.oem, more.oem, "oem"),
    ] {
        unite_section(section, more, name, problems);
    }
}

fn keep_first(
    first: &mut Option<String>,
    later: Option<String>,
    position: Position,
    path: &str,
) -> Option<Problem> {
    let is_ignored = first.is_some() && later.is_some() && *first != later;
    if first.is_none() {
        *first = later;
    }
    is_ignored.then(|| ignored_problem(position, path))
}

fn unite_section(section: &mut Section, more: Section, name: &str, problems: &mut Vec<Problem>) {
    for (option, value) in more.options {
        match section.options.iter().find(|(known, _)| *known == option) {
            Some((_, kept)) if *kept != value => {
                let position = more.position.unwrap_or(Position::START);
                problems.push(ignored_problem(position, &format!("coreos.{name}.{option}")));
            }
            Some(_) => {}
            None => section.options.push((option, value)),
        }
    }
    section.position = section.position.or(more.position);
}

fn ignored_problem(position: Position, path: &str) -> Problem {
    Problem::warning(position, path, "an earlier part says otherwise: this is ignored")
}
