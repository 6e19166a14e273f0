//! The pages in `docs/man`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use fleetd::config::Key;

fn written() -> BTreeMap<String, String> {
    let files = fs::read_dir(crate::directory()).unwrap().map(|file| file.unwrap().path());
    let named = files.map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path).unwrap())
    });
    named.collect()
}

#[test]
fn the_pages_are_those_that_the_programs_make_today() {
    let (written, made) = (written(), crate::pages().unwrap());
    let names: Vec<&String> = made.keys().collect();
    assert_eq!(written.keys().collect::<Vec<_>>(), names, "run: cargo run -p fleet-pages");
    for (name, text) in &made {
        assert_eq!(written[name], *text, "{name} is stale; run: cargo run -p fleet-pages");
    }
}

#[test]
fn user_data_can_say_each_setting_of_fleetd_and_no_other() {
    let said: BTreeSet<&str> = cloud_config::document::fleet_options().collect();

    assert_eq!(said, Key::ALL.into_iter().map(Key::name).collect());
}

/// Programs that find fault with pages.
const JUDGES: [&[&str]; 2] =
    [&["groff", "-man", "-ww", "-z", "-Tutf8"], &["mandoc", "-Tlint", "-Wwarning"]];

#[test]
fn the_pages_are_rendered_without_a_complaint() {
    for judge in JUDGES {
        for name in written().into_keys() {
            let mut line = Command::new(judge[0]);
            line.args(&judge[1..]).arg(crate::directory().join(&name));
            let judged = match line.output() {
                Err(_) if std::env::var_os("FLEET_TEST_PROGRAMS").is_none() => continue,
                judged => judged.unwrap_or_else(|error| panic!("{judge:?}: {error}")),
            };
            let said = [judged.stdout, judged.stderr].concat();
            // Pages have no date on purpose.
            let fault = |line: &&str| !line.contains("missing date");
            let said: Vec<String> =
                String::from_utf8_lossy(&said).lines().filter(fault).map(str::to_owned).collect();
            assert_eq!(said, Vec::<String>::new(), "{name}: {judge:?}");
        }
    }
}
