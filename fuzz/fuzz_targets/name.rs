//! Names of units and machines, and patterns of names.

#![no_main]

use fleet_units::{Glob, MachineId, UnitName};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (text, pattern) = text.split_once('\n').unwrap_or((text, text));
    if let Ok(name) = text.parse::<UnitName>() {
        assert_eq!(name.as_str(), text);
        assert_eq!(format!("{}.{}", name.stem(), name.kind()), text);
        assert!(name.stem().starts_with(name.prefix()));
        assert!(!text.contains('/'));
        assert_eq!(name.template().is_some(), name.is_instance());
    }
    if let Ok(name) = UnitName::from_argument(text) {
        assert!(UnitName::complete(text).ends_with(name.as_str()));
    }
    if let Ok(id) = text.parse::<MachineId>() {
        assert!(id.matches(id.short()) && id.matches(text));
    }
    let glob = Glob::lenient(pattern);
    assert!(!glob.is_malformed() || !glob.matches(text));
    if let Some(literal) = glob.as_literal() {
        assert!(glob.matches(&literal));
        assert_eq!(glob.matches(text), literal == text);
    }
});
