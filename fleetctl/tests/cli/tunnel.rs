//! `--tunnel`, with a program in place of ssh that runs here what it should run there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use crate::program::{Ended, Fleetctl};
use crate::status::script;

/// Notes its words. What it is to run on a machine it runs here; logins to others are only noted.
const SSH: &str = r#"#!/bin/sh
echo "$*" >>"$HOME/log"
case "$*" in
*" -f "*|*"-O exit"*) exit 0;;
esac
while [ "$1" != -- ]; do shift; done
[ "$2" = bastion ] || exit 5
shift 2
exec sh -c "$*"
"#;

struct Home(TempDir);

impl Home {
    fn new(ssh: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("ssh");
        fs::write(&path, ssh).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Self(home)
    }

    fn run(&self, words: &[&str]) -> Ended {
        let server = script("m1").serve();
        let programs = Path::new(env!("CARGO_BIN_EXE_fleetctl")).parent().unwrap();
        let path = format!("{}:/usr/bin:/bin", programs.display());
        let home = self.0.path().to_string_lossy();
        let words = [&["--tunnel=bastion:2222"], words].concat();
        let fleetctl = Fleetctl::at(&server, &words).env("PATH", &path).env("HOME", &home);
        fleetctl.env("FLEETCTL_SSH", &format!("{home}/ssh")).run()
    }

    /// What ssh was asked for, without what differs between two runs.
    fn log(&self) -> String {
        let log = fs::read_to_string(self.0.path().join("log")).unwrap_or_default();
        let home = self.0.path().to_string_lossy();
        let words = |line: &str| {
            let words = line.split(' ').map(|word| match word.split_once("/tunnel-") {
                Some((before, _)) => format!("{before}/tunnel"),
                None if word.ends_with("/fleet.sock") => "FLEET.SOCK".to_owned(),
                None => word.to_owned(),
            });
            words.collect::<Vec<_>>().join(" ").replace(&*home, "HOME")
        };
        log.lines().map(words).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn fleet_is_asked_through_one_connection_to_the_far_machine() {
    let home = Home::new(SSH);
    let ended = home.run(&["cat", "a"]);
    insta::assert_snapshot!(format!("{ended}\n{}", home.log()), @r#"
    exit 0
    -o StrictHostKeyChecking=ask -o UserKnownHostsFile=~/.fleetctl/known_hosts ~/.ssh/known_hosts -o ConnectTimeout=10 -o ServerAliveInterval=15 -M -S HOME/.fleetctl/tunnel -o ControlPersist=10 -f -N -T -p 2222 -l core -- bastion
    -o StrictHostKeyChecking=ask -o UserKnownHostsFile=~/.fleetctl/known_hosts ~/.ssh/known_hosts -o ConnectTimeout=10 -o ServerAliveInterval=15 -S HOME/.fleetctl/tunnel -T -p 2222 -l core -- bastion fleetctl fd-forward FLEET.SOCK
    -o StrictHostKeyChecking=ask -o UserKnownHostsFile=~/.fleetctl/known_hosts ~/.ssh/known_hosts -o ConnectTimeout=10 -o ServerAliveInterval=15 -S HOME/.fleetctl/tunnel -O exit -p 2222 -l core -- bastion
    "#);
}

#[test]
fn machines_are_reached_through_the_same_connection() {
    let home = Home::new(SSH);
    let ended = home.run(&["ssh", "m2", "uptime"]);
    let log = home.log();
    insta::assert_snapshot!(format!("{ended}\n{}", log.lines().last().unwrap()), @r#"
    exit 5
    -o StrictHostKeyChecking=ask -o UserKnownHostsFile=~/.fleetctl/known_hosts ~/.ssh/known_hosts -o ConnectTimeout=10 -o ServerAliveInterval=15 -o ProxyCommand=HOME/ssh -o StrictHostKeyChecking=ask -o 'UserKnownHostsFile=~/.fleetctl/known_hosts ~/.ssh/known_hosts' -o ConnectTimeout=10 -o ServerAliveInterval=15 -S HOME/.fleetctl/tunnel -W '[%h]:%p' -p 2222 -l core -- bastion -l core -- 10.0.0.2 uptime
    "#);
}

#[test]
fn a_tunnel_that_fails_is_one_sentence_with_the_words_of_ssh() {
    let unreachable =
        "#!/bin/sh\necho 'ssh: connect to host bastion port 2222: No route' >&2\nexit 255\n";
    let changed = "#!/bin/sh\nprintf '@@@\\r\\nKEY HAS CHANGED\\r\\nHost key verification failed.\\r\\n' >&2\nexit 255\n";
    let silent = "#!/bin/sh\nexit 255\n";
    let no_fleetctl =
        SSH.replace("exec sh -c \"$*\"", "echo 'sh: 1: fleetctl: not found' >&2; exit 127");
    let ended = [unreachable, changed, silent, &no_fleetctl].map(|ssh| {
        let ended = Home::new(ssh).run(&["list-machines"]).to_string();
        // The last names a socket that has another path each time.
        match ended.split_once("unix://") {
            Some((before, after)) => {
                format!("{before}SOCKET{}", after.split_once(".sock").unwrap().1)
            }
            None => ended,
        }
    });
    insta::assert_snapshot!(ended.join("\n"), @r#"
    ! Unable to initialize client: no tunnel to bastion:2222: ssh: connect to host bastion port 2222: No route
    exit 1
    ! @@@
    ! KEY HAS CHANGED
    ! Unable to initialize client: no tunnel to bastion:2222: Host key verification failed.
    exit 1
    ! Unable to initialize client: no tunnel to bastion:2222: ssh failed and gave no reason
    exit 1
    ! Error retrieving list of active machines from fleet API: the connection to fleet at SOCKET through bastion:2222 broke: sh: 1: fleetctl: not found
    exit 1
    "#);
}
