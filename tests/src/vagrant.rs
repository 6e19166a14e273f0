//! `testbed vagrant`: checks the Vagrantfile as far as that goes without a hypervisor, and the user data
//! that it gives machines.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{self, command};
use crate::error::Error;
use crate::{file, privilege, source, ui};

/// Settings and user data, and what becomes of these.
struct Case {
    name: &'static str,
    settings: &'static str,
    document: &'static str,
    /// A line of the document, and what takes its place.
    replaced: (&'static str, &'static str),
}

const CASES: [Case; 2] = [
    Case {
        name: "static",
        settings: "",
        document: "vagrant/user-data.sample",
        replaced: (
            "    discovery: https://discovery.etcd.io/<token>\n",
            "    name: $private_ipv4\n    initial-cluster: \
             192.168.56.101=http://192.168.56.101:2380,\
             192.168.56.102=http://192.168.56.102:2380,\
             192.168.56.103=http://192.168.56.103:2380\n",
        ),
    },
    Case {
        name: "discovery",
        settings: "$discovery = 'http://192.168.56.1:2379/v2/keys/discovery/1'\n\
                   $forwarded_ports = { 2379 => 2379 }\n$shared_folders = { '.' => '/srv/here' }\n",
        document: "cloud-config/examples/three-node-vagrant.yml",
        replaced: (
            "    #discovery: https://discovery.etcd.io/<token>\n",
            "    discovery: http://192.168.56.1:2379/v2/keys/discovery/1\n",
        ),
    },
];

/// Checks all cases with the programs in `binaries`.
///
/// # Errors
///
/// Vagrant or cloud-config refuse what is made, or it is not what it should be.
pub(crate) fn run(binaries: &Path) -> Result<(), Error> {
    ui::say("Checking the Vagrantfile and the user data that it gives machines");
    let place = directory()?;
    CASES.iter().try_for_each(|case| check(case, &place, binaries))
}

fn check(case: &Case, place: &Path, binaries: &Path) -> Result<(), Error> {
    let home = place.join(case.name);
    file::remove_tree(&home)?;
    let parts = source::root().join("vagrant");
    for name in ["Vagrantfile", "provision.sh"] {
        file::write(&home.join(name), read(&parts.join(name))?)?;
    }
    let sample = read(&parts.join("config.rb.sample"))?;
    let places = format!("$source = {:?}\n$programs = {binaries:?}\n", source::root());
    file::write(&home.join("config.rb"), format!("{sample}{places}{}", case.settings))?;
    let document = read(&source::root().join(case.document))?;
    file::write(&home.join("user-data"), &document)?;

    command::read(command(["sh", "-n", "provision.sh"]).current_dir(&home))?;
    let mut vagrant = command(["vagrant", "validate", "--ignore-provider"]);
    vagrant.current_dir(&home).env("VAGRANT_HOME", place.join("home"));
    for variable in ["VAGRANT_CWD", "VAGRANT_DOTFILE_PATH", "VAGRANT_VAGRANTFILE"] {
        vagrant.env_remove(variable);
    }
    // It asks nobody whether there is a newer one.
    command::read(vagrant.env("VAGRANT_CHECKPOINT_DISABLE", "1"))?;

    let made = home.join(".vagrant/user-data");
    let (line, instead) = case.replaced;
    if read(&made)? != document.replacen(line, instead, 1) || !document.contains(line) {
        ui::note(format_args!("{} is not {} with\n{instead}", made.display(), case.document));
        return Err(Error::Check { step: "the Vagrantfile" });
    }
    let cloud_config = binaries.join("cloud-config");
    command::read(command([cloud_config]).args(["validate", "--strict"]).arg(made))?;
    Ok(())
}

fn read(path: &Path) -> Result<String, Error> {
    Ok(fs::read_to_string(path).map_err(file::at("read", path))?)
}

/// Beside the builds, so that `cargo clean` removes it.
fn directory() -> Result<PathBuf, Error> {
    let mut directory = privilege::this_program()?;
    directory.pop();
    directory.set_file_name("vagrant");
    Ok(directory)
}
