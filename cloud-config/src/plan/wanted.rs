//! What a plan looks at on a host.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::{Input, environment, hosts, identity, image, keys, members, paths, sudo, units};
use crate::host::Accounts;
use crate::state::Memory;

/// What a plan looks at on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Paths of files and links, without those in `homes`.
    pub files: BTreeSet<PathBuf>,
    /// Home directories whose keys count, by user.
    pub homes: BTreeMap<String, PathBuf>,
    /// Names of units.
    pub units: BTreeSet<String>,
}

/// What a plan for this input looks at.
#[must_use]
pub fn of(input: &Input<'_>, accounts: &Accounts, memory: &Memory) -> Wanted {
    let mut wanted = Wanted::default();
    wanted.fixed();
    wanted.document(input);
    wanted.keys(input, accounts, memory);
    wanted.memory(memory);
    wanted
}

impl Wanted {
    fn fixed(&mut self) {
        let paths = [
            "/etc/localtime",
            "/etc/timezone",
            environment::PATH,
            hosts::PATH,
            image::FLANNEL,
            image::OEM,
            image::UPDATE,
            image::UPDATE_DEFAULT,
            sudo::PATH,
        ];
        self.files.extend(paths.map(PathBuf::from));
        for unit in members::UNITS {
            self.unit(unit);
            self.files.insert(members::path(unit));
        }
    }

    fn unit(&mut self, name: &str) {
        self.units.insert(name.to_owned());
        self.files.extend([false, true].map(|runtime| paths::unit(name, runtime)));
    }

    fn document(&mut self, input: &Input<'_>) {
        let config = input.config;
        self.files.extend(config.timezone.as_deref().map(identity::zone_file));
        self.files.extend(config.write_files.iter().map(|file| file.path.clone()));
        for unit in &config.coreos.units {
            self.unit(&unit.name);
            let drop_ins = unit.drop_ins.iter();
            self.files.extend(drop_ins.map(|drop_in| paths::drop_in(unit, &drop_in.name)));
            if unit.cluster {
                self.files.insert(units::cluster_path(&unit.name));
            }
        }
    }

    fn keys(&mut self, input: &Input<'_>, accounts: &Accounts, memory: &Memory) {
        let listed = input.config.users.iter().map(|user| user.name.as_str());
        let known = memory.manifest.keys.keys().map(String::as_str);
        for user in listed.chain(known).chain([input.default_user]) {
            let home = keys::home(user, input.config, accounts);
            self.homes.insert(user.to_owned(), home);
        }
    }

    fn memory(&mut self, memory: &Memory) {
        let manifest = &memory.manifest;
        for path in manifest.files.keys().chain(&manifest.masks).chain(manifest.aliases.keys()) {
            self.files.insert(path.clone());
            if let Some(unit) = paths::unit_of(path) {
                self.unit(&unit);
            }
        }
    }
}
