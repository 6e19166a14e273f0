//! Lists that follow changes, and the line that tells what is waited for.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::program::Fleetctl;
use crate::server::{Script, Server};

const BEFORE: &str = r#"{"states":[{"name":"a.service","systemdActiveState":"activating"}]}"#;
const AFTER: &str = r#"{"states":[{"name":"a.service","systemdActiveState":"active"}]}"#;

/// A server whose list changes once it was asked for.
fn changing() -> Server {
    Script::new()
        .in_turn("GET /fleet/v2/states", &[BEFORE, AFTER])
        .events(&["{}"], &["{}"])
        .after("GET /fleet/v2/states")
        .serve()
}

fn read_until(output: &mut impl BufRead, wanted: &str) -> String {
    let mut read = String::new();
    while !read.contains(wanted) {
        assert_ne!(output.read_line(&mut read).unwrap(), 0, "ended after {read:?}");
    }
    read
}

fn spawn(fleetctl: Fleetctl) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = fleetctl.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// What is printed until the unit is active; then a signal ends the program with this code.
fn watched(words: &[&str], wanted: &str, signal: &str) -> (String, Option<i32>) {
    let server = changing();
    let (mut child, mut output) = spawn(Fleetctl::at(&server, words));
    let read = read_until(&mut output, wanted);
    Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    (read + &rest, child.wait().unwrap().code())
}

#[test]
fn each_change_is_a_new_table_in_a_pipe_and_a_signal_ends_it() {
    let (read, code) =
        watched(&["list-units", "--watch", "--fields=unit,active"], " active", "-INT");
    insta::assert_snapshot!(read, @r#"
    UNIT       ACTIVE
    a.service  activating

    UNIT       ACTIVE
    a.service  active
    "#);
    assert_eq!(code, Some(130));
    let (_, code) = watched(&["list-units", "--watch"], " active", "-TERM");
    assert_eq!(code, Some(143));
}

#[test]
fn each_change_is_one_line_of_json_for_programs() {
    let words = ["list-units", "--watch", "--json", "--fields=unit,active"];
    let (read, _) = watched(&words, r#""active":"active""#, "-INT");
    insta::assert_snapshot!(read, @r#"
    [{"active":"activating","unit":"a.service"}]
    [{"active":"active","unit":"a.service"}]
    "#);
}

#[test]
fn a_table_is_drawn_over_itself_on_a_terminal_and_ctrl_c_ends_it() {
    let server = changing();
    let fleetctl = Fleetctl::on_terminal(&server, "list-units --watch", 30, 24);
    let (mut child, mut output) = spawn(fleetctl);
    let mut read = read_until(&mut output, " active");
    // The end of what is drawn, which ^C is not to overtake.
    let mut end = Vec::new();
    output.read_until(b'J', &mut end).unwrap();
    read.push_str(std::str::from_utf8(&end).unwrap());
    let mut terminal = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut terminal, b"\x03").unwrap();
    output.read_to_string(&mut read).unwrap();
    insta::assert_snapshot!(read.replace('\u{1b}', "^").replace('\r', "\\r"), @r#"
    \r^[K^[1mUNIT^[0m       ^[1mMACHINE^[0m  ^[1mACTIVE^[0m\r
    ^[Ka.service  -        ^[33mactivating^[0m\r
    ^[J^[2A\r^[K^[1mUNIT^[0m       ^[1mMACHINE^[0m  ^[1mACTIVE^[0m  ^[1mS…^[0m\r
    ^[Ka.service  -        active  -\r
    ^[J^C\r
    "#);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn there_is_nothing_to_follow_where_nobody_answers() {
    let ended = Fleetctl::new(&["--endpoint=unix:///nonexistent", "list-units", "--watch"]).run();
    insta::assert_snapshot!(ended.to_string(), @r#"
    ! Error: cannot connect to fleet at unix:///nonexistent: there is no such socket; does fleetd run on this machine? (--endpoint names another)
    exit 1
    "#);
}

fn unit(name: &str, active: &str, job: &str) -> String {
    format!(
        r#"{{"name":"{name}","uid":4,"generation":2,"desiredState":"launched",
            "currentState":"launched","machines":[{{"machine":"8145ebb7d1f0","current":"launched",
            "observed":2,"uid":4,"load":"loaded","active":"{active}","sub":"{active}",
            "job":"{job}"}}]}}"#
    )
    .replace('\n', "")
}

fn update(units: &[String]) -> String {
    format!(r#"{{"revision":9,"units":[{}]}}"#, units.join(","))
}

#[test]
fn a_terminal_is_told_how_far_a_long_start_is_and_a_pipe_is_not() {
    let loaded = |name| {
        let unit = unit(name, "inactive", "none").replace("launched", "loaded");
        unit.replace(r#""generation":2"#, r#""generation":1"#)
    };
    let first = update(&[loaded("a.service"), loaded("b.service")]);
    let second = update(&[unit("a.service", "active", "done")]);
    let third = update(&[unit("b.service", "activating", "running")]);
    let last = update(&[unit("b.service", "active", "done")]);
    let wrote = |name| format!(r#"{{"name":"{name}","status":201,"uid":4,"generation":2}}"#);
    let wrote = format!(r#"{{"units":[{},{}]}}"#, wrote("a.service"), wrote("b.service"));
    let server = || {
        let script = Script::new().on("POST /fleet/v2/units", 200, &wrote);
        script.events(&[&first], &[&second, &third, &last]).serve()
    };

    let told = Fleetctl::on_terminal(&server(), "start a b", 60, 24).run().out();
    insta::assert_snapshot!(told.replace('\u{1b}', "^").replace('\r', "\\r"), @r#"
    \r^[K0/2 launched, waiting for fleet to act on a.service\r^[KUnit a.service launched on 8145ebb7...\r
    \r^[K1/2 launched, waiting for fleet to act on b.service\r^[K1/2 launched, waiting for b.service on 8145ebb7...: activa…\r^[KUnit b.service launched on 8145ebb7...\r
    "#);
    let piped = Fleetctl::at(&server(), &["start", "a", "b"]).run().to_string();
    insta::assert_snapshot!(piped, @r#"
    Unit a.service launched on 8145ebb7...
    Unit b.service launched on 8145ebb7...
    exit 0
    "#);
}
