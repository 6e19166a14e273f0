//! What the host is called, and where it is.

use std::path::{Path, PathBuf};

use super::drafts::Draft;
use super::{Action, Planner, Scope};
use crate::host::FileState;
use crate::problem::Position;

/// The longest name that is taken from metadata: what fits between two dots.
const MAX_LABEL: usize = 63;

pub(super) fn plan(planner: &mut Planner<'_>) {
    if let Some(name) = name(planner) {
        let host = planner.host;
        let runs = host.running_hostname.as_ref().is_none_or(|running| *running == name);
        if host.hostname.as_ref() != Some(&name) || !runs {
            planner.first.push(Action::Hostname(name));
        }
    }
    if planner.input.scope == Scope::Whole
        && let Some(zone) = &planner.input.config.timezone
    {
        timezone(planner, zone);
    }
}

/// The name that the host is to have.
pub(super) fn name(planner: &Planner<'_>) -> Option<String> {
    planner.input.config.hostname.clone().or_else(|| {
        let told = planner.input.metadata?.hostname.as_deref()?;
        short(told)
    })
}

/// What a cloud's name for the host begins with; clouds tell whole names, and hosts have short ones.
fn short(name: &str) -> Option<String> {
    let label = name.split_whitespace().next()?.split('.').next()?;
    let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let cut: String = label.chars().take_while(|c| is_fine(*c)).take(MAX_LABEL).collect();
    let cut = cut.trim_matches('-');
    (!cut.is_empty() && label.chars().all(is_fine)).then(|| cut.to_owned())
}

fn timezone(planner: &mut Planner<'_>, zone: &str) {
    let target = zone_file(zone);
    if matches!(planner.host.files.get(&target), None | Some(FileState::Other)) {
        let text = format!("{} is no file on this host: the time zone stays", target.display());
        return planner.warn(Position::START, "timezone", text);
    }
    let path = PathBuf::from("/etc/localtime");
    if !planner.host.is_link(&path, &target) {
        planner.first.push(Action::Link { path, target });
    }
    planner.drafts.write("/etc/timezone".into(), Draft::new(format!("{zone}\n")));
}

/// Where the rules of a time zone are.
pub(super) fn zone_file(zone: &str) -> PathBuf {
    Path::new("/usr/share/zoneinfo").join(zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_clouds_are_cut_to_what_a_host_is_called() {
        for (told, expected) in [
            ("ip-10-0-0-5.ec2.internal", Some("ip-10-0-0-5")),
            ("host domain other", Some("host")),
            ("", None),
            (".", None),
            ("a_b.example", Some("a_b")),
            ("a+b", None),
            (&"x".repeat(80), Some(&*"x".repeat(63))),
        ] {
            assert_eq!(short(told).as_deref(), expected, "{told}");
        }
    }
}
