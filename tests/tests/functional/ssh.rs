//! Commands that go to machines by ssh, and fleet behind a tunnel.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use fleet_tests::Host;
use fleet_tests::wait::until;

use crate::fixture::{Finished, Fleet, PATIENCE, Undo, sleeper};

/// Says something once, and again and again something else.
const TALKER: &str = "\
[Service]
ExecStart=/bin/sh -c 'echo \"Hello, World!\"; while true; do echo again; sleep 0.2; done'
";

const CTRL_C: &[u8] = b"\x03";

/// A program on a host that believes itself to be on a terminal.
struct Terminal {
    program: Child,
    input: ChildStdin,
    output: ChildStdout,
    seen: String,
}

impl Terminal {
    /// Runs a line of the shell; one that hangs is ended in time.
    fn run(host: &Host, line: &str) -> Self {
        let script = ["timeout", "60", "script", "--quiet", "--return", "--command", line];
        let mut command = host.command(script.iter().chain(&["/dev/null"])).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = command.spawn().unwrap();
        let (input, output) = (program.stdin.take().unwrap(), program.stdout.take().unwrap());
        Self { program, input, output, seen: String::new() }
    }

    /// Reads until it has printed all of these.
    #[track_caller]
    fn expect(&mut self, words: &[String]) {
        let mut space = [0; 4096];
        while !words.iter().all(|word| self.seen.contains(word)) {
            let read = self.output.read(&mut space).unwrap();
            assert!(read > 0, "it ended before it printed {words:?}: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&space[..read]));
        }
    }

    fn type_in(&mut self, keys: &[u8]) {
        self.input.write_all(keys).unwrap();
    }

    /// Waits for the end, and gives the exit code.
    fn end(mut self) -> Option<i32> {
        self.output.read_to_string(&mut self.seen).unwrap();
        self.program.wait().unwrap().code()
    }
}

/// Hosts whose keys a test changes. They get their own back.
struct Keys {
    from: Host,
    to: Host,
}

impl Keys {
    const FORGET: &str = "mv /etc/ssh/ssh_known_hosts /etc/ssh/known_hosts.before; \
                          rm -f /root/.fleetctl/known_hosts /root/.ssh/known_hosts";
    const REMEMBER: &str = "mv /etc/ssh/known_hosts.before /etc/ssh/ssh_known_hosts; \
                            rm -f /root/.fleetctl/known_hosts";
    const REBUILD: &str = "cd /etc/ssh; [ -e key.before ] || cp -p ssh_host_ed25519_key key.before; \
                           rm ssh_host_ed25519_key; \
                           ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key <<<y && \
                           systemctl restart ssh";
    const RESTORE: &str = "cd /etc/ssh; [ ! -e key.before ] || mv key.before ssh_host_ed25519_key; \
                           ssh-keygen -y -f ssh_host_ed25519_key >ssh_host_ed25519_key.pub; \
                           systemctl restart ssh";

    /// Nobody knows any key any more.
    fn forget(from: Host, to: Host) -> Self {
        from.read(["sh", "-c", Self::FORGET]).unwrap();
        Self { from, to }
    }

    /// The host gets a new key, as one that was set up anew.
    fn rebuild(&self) {
        self.to.read(["bash", "-c", Self::REBUILD]).unwrap();
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // A failure here shows in the next test; the one that was there is the one to be told.
        self.from.read(["sh", "-c", Self::REMEMBER]).ok();
        self.to.read(["sh", "-c", Self::RESTORE]).ok();
    }
}

/// A host of the fleet that does not hold the unit.
fn other_than(fleet: &Fleet, holder: &Host) -> Host {
    let mut hosts = fleet.hosts().into_iter();
    hosts.find(|host| host.number() != holder.number()).unwrap()
}

/// Acceptance row 1.
#[test]
fn a_host_key_is_asked_about_once_and_a_changed_one_is_refused() {
    let fleet = Fleet::of(2);
    let (from, to) = (fleet.host(1), fleet.host(2));
    let machine = to.machine_id().unwrap();
    let keys = Keys::forget(from.clone(), to);
    let say_yes = || {
        let mut terminal = Terminal::run(&from, &format!("fleetctl ssh {machine} uptime"));
        terminal.expect(&["continue connecting (yes/no".to_owned()]);
        terminal.type_in(b"yes\r");
        terminal.end()
    };
    let uptime = || fleet.fleetctl_on(&from, &["ssh", &machine, "uptime"]);

    let untold = uptime();
    assert_eq!(untold.code, 255, "{untold:?}");
    assert_eq!(say_yes(), Some(0));
    assert!(uptime().good().stdout.contains("load average"));

    keys.rebuild();
    let refused = uptime();
    assert_eq!((refused.code, &*refused.stdout), (255, ""), "{refused:?}");
    assert!(refused.stderr.contains("Host key verification failed."), "{refused:?}");

    from.read(["truncate", "--size=0", "/root/.fleetctl/known_hosts"]).unwrap();
    assert_eq!(say_yes(), Some(0));
    assert!(uptime().good().stdout.contains("load average"));
}

/// Acceptance row 36, and what rows 9 and 18 want of ssh.
#[test]
fn commands_go_to_the_machine_of_a_unit_and_their_output_and_exit_code_come_back() {
    let fleet = Fleet::of(3);
    let path = fleet.write("talker.service", TALKER);
    fleet.fleetctl(&["start", &path]).good();
    let machine = fleet.await_active(1).remove("talker.service").unwrap();
    let holder = fleet.host_of(&machine);
    let from = other_than(&fleet, &holder);
    let run = |words: &[&str]| fleet.fleetctl_on(&from, words);
    let printed = |words: &[&str]| {
        let Finished { code, stdout, stderr } = run(words);
        (code, stdout, stderr)
    };
    let of_name = (0, format!("{}\n", holder.name()), String::new());

    let talker = "talker.service";
    assert_eq!(printed(&["ssh", talker, "hostname"]), of_name);
    assert_eq!(printed(&["ssh", "--unit", "talker", "--", "hostname"]), of_name);
    assert_eq!(printed(&["ssh", &machine[..8], "hostname"]), of_name);
    assert_eq!(printed(&["ssh", "--machine", &machine, "hostname"]), of_name);
    let shown = run(&["ssh", talker, "systemctl show --property=ActiveState talker.service"]);
    assert_eq!(shown.good().stdout, "ActiveState=active\n");
    assert_eq!(run(&["ssh", talker, "--", "exit", "7"]).code, 7);
    let fed = from.output(["fleetctl", "ssh", talker, "wc", "-c"], b"12345").unwrap();
    assert_eq!(Finished::from(fed).good().stdout, "5\n");

    let status = run(&["status", talker]).good();
    assert!(status.stdout.contains("Active: active"), "{status:?}");
    let journal = run(&["journal", "--sudo", "--lines=all", talker]).good();
    assert!(journal.stdout.contains("Hello, World!"), "{journal:?}");
    let raw = run(&["journal", "--lines=1", "--output=cat", talker]).good();
    assert_eq!(raw.stdout, "again\n");
    fleet.fleetctl(&["stop", talker]).good();
    assert_eq!(run(&["status", talker]).code, 3);
}

#[test]
fn ctrl_c_ends_the_program_on_the_machine_too() {
    let fleet = Fleet::of(2);
    let (from, to) = (fleet.host(1), fleet.host(2));
    let machine = to.machine_id().unwrap();

    let line = format!("fleetctl ssh {machine} 'echo begun; sleep 98765'");
    let mut terminal = Terminal::run(&from, &line);
    terminal.expect(&["begun".to_owned()]);
    terminal.type_in(CTRL_C);
    let code = terminal.end();

    // What ssh makes of a program that a signal has ended.
    assert_eq!(code, Some(255));
    await_none(&to, "sleep 98765");
}

/// Acceptance row 25, but for the restart.
#[test]
fn status_and_journal_of_a_global_unit_come_from_each_machine_or_one() {
    let fleet = Fleet::of(3);
    let path = fleet.write("talker.service", &format!("{TALKER}[X-Fleet]\nGlobal=true\n"));
    fleet.fleetctl(&["start", &path]).good();
    fleet.await_everywhere("talker.service");
    let machine = fleet.host(2).machine_id().unwrap();

    let status = fleet.fleetctl(&["status", "--no-block", "talker.service"]).good();
    assert_eq!(status.stdout.matches("Active: active").count(), 3, "{status:?}");
    let status = fleet.fleetctl(&["status", "--machine", &machine[..6], "talker"]).good();
    assert_eq!(status.stdout.matches("Active: active").count(), 1, "{status:?}");
    let names = fleet.fleetctl(&["ssh", "talker", "hostname"]).good().stdout;
    assert!(fleet.hosts().iter().all(|host| names.contains(host.name())), "{names}");

    let mut terminal = Terminal::run(&fleet.host(1), "fleetctl journal -f --lines=1 talker");
    let legend =
        |host: &Host| format!("{}.../{}: ", &host.machine_id().unwrap()[..8], host.address());
    terminal.expect(&fleet.hosts().iter().map(legend).collect::<Vec<_>>());
    terminal.type_in(CTRL_C);
    assert_eq!(terminal.end(), Some(130));
    for host in fleet.hosts() {
        await_none(&host, "journalctl");
    }
}

/// Acceptance row 31.
#[test]
fn units_are_started_in_one_call_through_a_tunnel_from_outside_the_cluster() {
    let fleet = Fleet::of(3);
    let outside = fleet.host(4);
    outside.write("/root/units/hello@.service", sleeper("").as_bytes()).unwrap();
    let tunnel = format!("--tunnel={}", fleet.host(1).address());
    let paths: Vec<_> = (1..=11).map(|n| format!("/root/units/hello@{n}.service")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let start = |paths: &[&str]| {
        let started = fleet.fleetctl_on(&outside, &[&[&*tunnel, "start"], paths].concat()).good();
        assert_eq!(started.stderr, "");
        started.stdout.lines().count()
    };

    assert_eq!((start(&paths[..1]), start(&paths[1..])), (1, 10));

    let places = fleet.await_active(11);
    let elsewhere = fleet.host(2).machine_id().unwrap();
    let unit = places.iter().find(|(_, machine)| **machine == elsewhere).unwrap().0;
    let name = fleet.fleetctl_on(&outside, &[&tunnel, "ssh", unit, "hostname"]).good().stdout;
    assert_eq!(name, format!("{}\n", fleet.host(2).name()));
    let status = fleet.fleetctl_on(&outside, &[&tunnel, "status", unit]).good().stdout;
    assert!(status.contains("Active: active"), "{status}");
    until(PATIENCE, "no connection is left", || {
        let left = outside.read(["sh", "-c", "ls /root/.fleetctl; pgrep -x ssh || true"]).unwrap();
        if left.contains("tunnel") { Err(left) } else { Ok(()) }
    });
}

#[test]
fn a_tunnel_leads_to_a_port_of_the_far_machine_as_well() {
    let fleet = Fleet::of(1);
    let _gone = Undo::new(&fleet.host(1), "systemctl stop port.service || true");
    let listen = "systemd-run --quiet --collect --unit=port systemd-socket-activate \
                  --listen=127.0.0.1:4901 --inetd --accept fleetctl fd-forward /run/fleet.sock";
    fleet.host(1).read(["sh", "-c", listen]).unwrap();
    let tunnel = format!("--tunnel={}", fleet.host(1).address());
    let list = [&tunnel, "--endpoint=http://127.0.0.1:4901", "list-machines", "--no-legend"];

    let listed = until(PATIENCE, "the port answers", || {
        let listed = fleet.fleetctl_on(&fleet.host(4), &list);
        if listed.code == 0 { Ok(listed.stdout) } else { Err(format!("{listed:?}")) }
    });
    assert!(listed.starts_with(&fleet.host(1).machine_id().unwrap()[..8]), "{listed}");
}

#[test]
fn a_tunnel_that_fails_is_one_sentence() {
    let fleet = Fleet::of(1);
    let address = fleet.host(1).address();
    let list = |flags: &[&str]| {
        let listed = fleet.fleetctl_on(&fleet.host(4), &[flags, &["list-machines"]].concat());
        (listed.code, listed.stderr)
    };

    let (code, refused) = list(&[&format!("--tunnel={address}:1")]);
    let expected = format!(
        "Unable to initialize client: no tunnel to {address}:1: \
         ssh: connect to host {address} port 1: Connection refused\n"
    );
    assert_eq!((code, refused), (1, expected));
    let tunnel = format!("--tunnel={address}");
    let (code, nothing) = list(&[&tunnel, "--endpoint=unix:///nowhere"]);
    assert_eq!((code, nothing.lines().count()), (1, 1), "{nothing}");
    let expected = format!("fleet at unix:///nowhere through {address} broke: Failed dialing");
    assert!(nothing.contains(&expected), "{nothing}");
}

/// Waits until no process with these words is left.
fn await_none(host: &Host, words: &str) {
    // Which does not match the line of whoever asks for it.
    let pattern = format!("[{}]{}", &words[..1], &words[1..]);
    until(PATIENCE, format!("no `{words}` is left on {}", host.name()), || {
        let found = host.output(["pgrep", "--full", "--list-full", &pattern], b"").unwrap();
        let found = String::from_utf8_lossy(&found.stdout).into_owned();
        if found.is_empty() { Ok(()) } else { Err(found) }
    });
}
