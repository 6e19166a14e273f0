//! User data: whatever it is, it is read or refused, and what is read is safe to apply.
//!
//! The modules are taken as they are, as those that fetch would bring all of TLS with them.

#![no_main]

#[expect(dead_code, unused_imports, reason = "the crate uses the rest")]
#[path = "../../cloud-config/src/document/mod.rs"]
mod document;
#[expect(dead_code, unused_imports, reason = "the crate uses the rest")]
#[path = "../../cloud-config/src/facts/mod.rs"]
mod facts;
#[path = "../../cloud-config/src/problem.rs"]
mod problem;
#[path = "../../cloud-config/src/yaml/mod.rs"]
mod yaml;

use std::path::{Component, Path};

use document::{Read, Unit, read};
use facts::Facts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    check(&read(bytes, &Facts::sample()));
    // Most bytes are no user data; as YAML they say more.
    let text = [b"#cloud-config\n", bytes].concat();
    let once = read(&text, &Facts::sample());
    check(&once);
    assert_eq!(once, read(&text, &Facts::sample()));
    check(&read(&text, &Facts::default()));
});

fn check(read: &Read) {
    for problem in &read.problems {
        assert!(problem.position.line >= 1 && problem.position.column >= 1);
        assert!(!problem.text.is_empty() && !problem.to_string().contains(char::is_control));
    }
    for file in &read.config.write_files {
        assert!(is_downward(&file.path) && file.path != Path::new("/"));
        assert!(file.permissions <= 0o7777);
    }
    for user in &read.config.users {
        assert!(!user.name.starts_with('-') && !user.name.contains([':', '/', '\n', ' ']));
        assert!(user.homedir.iter().chain(&user.shell).all(|path| is_downward(path)));
        let fields = [&user.passwd, &user.gecos];
        assert!(fields.into_iter().flatten().all(|field| !field.contains([':', '\n'])));
    }
    read.config.coreos.units.iter().for_each(check_unit);
    for script in &read.scripts {
        assert!(script.content.starts_with(b"#!") && is_file_name(&script.name));
    }
}

fn check_unit(unit: &Unit) {
    assert!(is_file_name(&unit.name) && unit.name.contains('.'));
    assert!(unit.drop_ins.iter().all(|drop_in| is_file_name(&drop_in.name)));
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0', '\n'])
}

fn is_downward(path: &Path) -> bool {
    path.has_root() && path.components().all(|part| part != Component::ParentDir)
}
