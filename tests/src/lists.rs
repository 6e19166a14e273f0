//! What hosts have by the lists of `hosts`, which the Vagrantfile reads as well.

/// Debian packages of each host.
pub(crate) fn packages() -> impl Iterator<Item = &'static str> {
    lines(include_str!("../../hosts/packages"))
}

/// Files of the source, and the directories of a host where they are installed.
pub(crate) fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    lines(include_str!("../../hosts/files")).filter_map(|line| line.split_once(' '))
}

fn lines(list: &str) -> impl Iterator<Item = &str> {
    list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::source;

    #[test]
    fn all_units_of_the_source_are_installed() {
        let installed: BTreeSet<_> = files().map(|(path, _)| path.to_owned()).collect();
        let mut units = BTreeSet::new();
        for directory in ["fleetd/dist", "cloud-config/dist"] {
            for name in crate::file::entries(&source::root().join(directory)) {
                if [".service", ".socket", ".target"].iter().any(|kind| name.ends_with(kind)) {
                    units.insert(format!("{directory}/{name}"));
                }
            }
        }

        assert!(units.contains("fleetd/dist/fleet.service"), "{units:?}");
        assert!(installed.is_superset(&units), "{units:?} {installed:?}");
    }
}
