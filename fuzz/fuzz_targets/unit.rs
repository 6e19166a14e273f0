//! Unit files: text is kept byte for byte, and every rendering says the same.

#![no_main]

use fleet_units::UnitFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = match UnitFile::parse_bytes(bytes) {
        Ok(file) => file,
        Err(error) => {
            assert!(error.line >= 1 && !error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(file.text().as_bytes(), bytes);
    let canonical = UnitFile::parse(&file.canonical()).expect("canonical text is a unit file");
    assert_eq!(canonical.hash(), file.hash());
    assert_eq!(UnitFile::from_options(file.options().to_vec()), Ok(canonical));
});
