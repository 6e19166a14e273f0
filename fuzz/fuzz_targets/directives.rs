//! The `[X-Fleet]` section: a line with the unit's name, then lines of the section.

#![no_main]

use fleet_units::{Directives, UnitFile, UnitName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (name, section) = text.split_once('\n').unwrap_or(("hello.service", text));
    let Ok(name) = name.parse::<UnitName>() else { return };
    let Ok(file) = UnitFile::parse(&format!("[X-Fleet]\n{section}")) else { return };
    let lenient = Directives::lenient(&file, &name);
    assert!(lenient.warnings().iter().all(|warning| !warning.is_empty()));
    match Directives::of(&file, &name) {
        Ok(accepted) => assert_eq!(accepted, lenient),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    // The API gives units as options: they must ask for the same.
    let options = UnitFile::from_options(file.options().to_vec()).expect("options of a unit file");
    assert_eq!(Directives::lenient(&options, &name), lenient);
});
