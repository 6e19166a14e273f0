//! `journal` and `ssh`, which run programs on machines as `status` does.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::Stdio;
use std::thread;

use crate::program::Fleetctl;
use crate::status::{program, run, script};

/// Leaves out what `status` shows of the words for ssh.
pub(crate) fn short(ended: &str) -> String {
    let mut shown = String::new();
    for line in ended.lines() {
        let line = match line.split_once("ssh -o ") {
            Some((before, words)) => {
                let (_, after) = words.split_once("ServerAliveInterval=15 ").unwrap();
                format!("{before}ssh {after}")
            }
            None => line.to_owned(),
        };
        shown.push_str(&line);
        shown.push('\n');
    }
    shown
}

#[test]
fn a_journal_comes_from_the_machine_of_the_unit_as_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 4);
    let lines: [&[&str]; 4] = [
        &["journal", "a"],
        &["journal", "--lines=all", "--f", "--sudo", "--output=cat", "a.service"],
        &["journal", "-n", "3", "-f", "-o", "cat", "--machine=m2", "all"],
        &["journal", "all"],
    ];
    let ended = lines.map(|words| short(&run(script("m1"), &ssh, words)));
    insta::assert_snapshot!(ended.join("\n"), @r#"
    ssh -l core -- 10.0.0.1 journalctl --unit a.service --no-pager -n 10 --output short
    exit 4

    ssh -l core -- 10.0.0.1 sudo journalctl --unit a.service --no-pager -n all --output cat -f
    exit 4

    ssh -l core -- 10.0.0.2 journalctl --unit all.service --no-pager -n 3 --output cat -f
    exit 4

    m1.../10.0.0.1:
    ssh -l core -- 10.0.0.1 journalctl --unit all.service --no-pager -n 10 --output short

    m2.../10.0.0.2:
    ssh -l core -- 10.0.0.2 journalctl --unit all.service --no-pager -n 10 --output short
    exit 4
    "#);
}

#[test]
fn journals_of_several_machines_are_followed_together_and_each_line_names_its_machine() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 1);
    let ended = run(script("m1"), &ssh, &["journal", "-f", "all"]);
    assert_eq!(ended.matches(": ssh -o BatchMode=yes ").count(), 2);
    let ended = short(&ended);
    let mut lines: Vec<&str> = ended.lines().collect();
    lines.sort_unstable();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    exit 1
    m1.../10.0.0.1: ssh -l core -- 10.0.0.1 journalctl --unit all.service --no-pager -n 10 --output short -f
    m2.../10.0.0.2: ssh -l core -- 10.0.0.2 journalctl --unit all.service --no-pager -n 10 --output short -f
    "#);
}

#[test]
fn what_has_no_journal_is_told() {
    let lines: [&[&str]; 4] = [
        &["journal", "idle"],
        &["journal", "lost"],
        &["journal", "--machine=m3", "all"],
        &["journal", "--lines=x", "a"],
    ];
    let ended = lines.map(|words| run(script("m1"), "ssh", words));
    insta::assert_snapshot!(ended.join("\n"), @r#"
    ! Unit idle.service does not appear to be running.
    exit 1
    ! Unit lost.service does not exist.
    exit 1
    ! Unit all.service is not on a machine whose id begins with "m3".
    exit 1
    ! error: invalid value 'x' for '--lines <N>': it takes a number or `all`
    ! 
    ! For more information, try '--help'.
    exit 2
    "#);
}

#[test]
fn ssh_goes_to_a_machine_or_to_that_of_a_unit() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = program(&directory, "ssh", 7);
    let lines: [&[&str]; 9] = [
        &["ssh", "m1"],
        &["ssh", "m1", "uptime", "-p", "--full=true", "--"],
        &["ssh", "m1", "--", "systemctl show a | grep x"],
        &["ssh", "a", "-A", "-ssh-port=2222", "ls", "-A"],
        &["ssh", "--unit=a.service", "--forward-agent", "--", "ls", "-l"],
        &["ssh", "--machine", "m2", "ls", "-l"],
        &["--strict-host-key-checking=false", "ssh", "--ssh-username=me", "m2", "id"],
        &["ssh", "all.service", "id", "-u"],
        &["ssh", "--unit", "all", "--", "id"],
    ];
    let ended = lines.map(|words| short(&run(script("m1"), &ssh, words)));
    insta::assert_snapshot!(ended.join("\n"), @r#"
    ssh -T -l core -- 10.0.0.1
    exit 7

    ssh -l core -- 10.0.0.1 uptime -p --full=true --
    exit 7

    ssh -l core -- 10.0.0.1 systemctl show a | grep x
    exit 7

    ssh -A -p 2222 -l core -- 10.0.0.1 ls -A
    exit 7

    ssh -A -l core -- 10.0.0.1 ls -l
    exit 7

    ssh -l core -- 10.0.0.2 ls -l
    exit 7

    ssh -o LogLevel=ERROR -l me -- 10.0.0.2 id
    exit 7

    m1.../10.0.0.1:
    ssh -l core -- 10.0.0.1 id -u

    m2.../10.0.0.2:
    ssh -l core -- 10.0.0.2 id -u
    exit 7

    m1.../10.0.0.1:
    ssh -l core -- 10.0.0.1 id

    m2.../10.0.0.2:
    ssh -l core -- 10.0.0.2 id
    exit 7
    "#);
}

#[test]
fn ssh_says_why_it_goes_nowhere() {
    let both = script("m1").on(
        "GET /fleet/v1/units/m1.service",
        200,
        r#"{"name":"m1.service","currentState":"launched","machineID":"m2","options":[]}"#,
    );
    let lines: [&[&str]; 11] = [
        &["ssh"],
        &["ssh", "--machine=m1", "--unit=a", "id"],
        &["ssh", "m", "id"],
        &["ssh", "x", "id"],
        &["ssh", "", "id"],
        &["ssh", "--machine=x", "id"],
        &["ssh", "--unit=x", "id"],
        &["ssh", "idle", "id"],
        &["ssh", "m3", "id"],
        &["ssh", "all"],
        &["ssh", "m1", "-x"],
    ];
    let mut ended = lines.map(|words| run(script("m1"), "ssh", words)).to_vec();
    ended.push(run(both, "ssh", &["ssh", "m1", "id"]));
    insta::assert_snapshot!(ended.join("\n"), @r#"
    ! Unable to proceed: one machine or unit must be provided
    exit 2
    ! Both machine and unit flags provided, please specify only one.
    exit 2
    ! Unable to proceed: found more than one machine whose id begins with "m"
    exit 1
    ! Unable to proceed: could not find matching unit or machine for "x"
    exit 1
    ! Unable to proceed: could not find matching unit or machine for ""
    exit 1
    ! Unable to proceed: machine does not exist: no id begins with "x"
    exit 1
    ! Unable to proceed: unit does not exist: x.service
    exit 1
    ! Unable to proceed: unit idle.service is on no machine
    exit 1
    ! Could not determine address of machine.
    exit 1
    ! Unable to proceed: the unit is global, and a shell is on one machine: name that with --machine
    exit 1
    ! error: unexpected argument '-x' found
    ! 
    !   tip: to pass '-x' as a value, use '-- -x'
    ! 
    ! Usage: fleetctl ssh [OPTIONS] [MACHINE|UNIT] [COMMAND]...
    ! 
    ! For more information, try '--help'.
    exit 2
    ! Unable to proceed: ambiguous argument, both machine and unit found for `m1`: put --machine or --unit before it
    exit 1
    "#);
}

#[test]
fn input_reaches_the_command_on_the_machine() {
    let directory = tempfile::tempdir().unwrap();
    let ssh = directory.path().join("ssh");
    fs::write(&ssh, "#!/bin/sh\nexec wc -c\n").unwrap();
    fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let server = script("m1").serve();

    let command = Fleetctl::at(&server, &["ssh", "m1", "--", "wc", "-c"])
        .env("FLEETCTL_SSH", &ssh.to_string_lossy());

    assert_eq!(command.fed(b"12345").to_string(), "5\nexit 0");
}

#[test]
fn fd_forward_passes_ends_on_in_both_directions() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let path = path.to_string_lossy().into_owned();
    let far = thread::spawn(move || {
        // One waits for the end of the input, one does not, one answers each byte.
        let (mut first, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        first.read_to_end(&mut asked).unwrap();
        first.write_all(&asked).unwrap();
        drop(first);
        let (mut second, _) = listener.accept().unwrap();
        second.write_all(b"no line").unwrap();
        drop(second);
        let (mut third, _) = listener.accept().unwrap();
        let mut byte = [0];
        while third.read(&mut byte).unwrap() > 0 {
            third.write_all(&byte).unwrap();
        }
    });

    let first = Fleetctl::new(&["fd-forward", &path]).fed(b"question");
    let mut second = Fleetctl::new(&["fd-forward", &path]).command();
    let mut second = second.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input = second.stdin.take();
    let second = second.wait_with_output().unwrap();
    drop(input);
    let mut third = Fleetctl::new(&["fd-forward", &path]).command();
    let mut third = third.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    for sent in 0..20 {
        third.stdin.as_mut().unwrap().write_all(&[sent]).unwrap();
        let mut answer = [u8::MAX];
        third.stdout.as_mut().unwrap().read_exact(&mut answer).unwrap();
        assert_eq!(answer, [sent]);
    }
    let third = third.wait_with_output().unwrap();
    far.join().unwrap();

    assert_eq!(first.to_string(), "question\nexit 0");
    assert_eq!((second.stdout, second.status.code()), (b"no line".to_vec(), Some(0)));
    assert_eq!(third.status.code(), Some(0));
}

#[test]
fn fd_forward_fails_without_a_socket() {
    let missing = Fleetctl::new(&["fd-forward", "/nonexistent/fleet.sock"]).run();
    insta::assert_snapshot!(missing.to_string(), @r#"
    ! Failed dialing remote address: unix /nonexistent/fleet.sock: No such file or directory (os error 2)
    exit 1
    "#);
}

#[test]
fn verify_says_that_it_is_no_more() {
    insta::assert_snapshot!(Fleetctl::new(&["verify", "a"]).run().to_string(), @r#"
    ! Command "verify" is deprecated, DEPRECATED - No longer works
    ! WARNING: The signed/verified units feature is DEPRECATED and cannot be used.
    exit 2
    "#);
}
