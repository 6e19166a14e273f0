//! Keys and documents of the store: a line with the key, then the document.
//!
//! The two files are taken as they are. All of fleetd would be some 200 crates more, and they need
//! none of them.

#![no_main]

#[expect(dead_code, reason = "fleetd uses the rest")]
#[path = "../../fleetd/src/registry/document.rs"]
mod document;
#[expect(dead_code, reason = "fleetd uses the rest")]
#[path = "../../fleetd/src/registry/key.rs"]
mod key;

use document::{
    Assignment, Hold, Leader, Machine, Member, MetadataOverlay, Placed, Seeded, State, Unit,
    decode, encode,
};
use key::KeyPrefix;
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|bytes: &[u8]| {
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (key, value) = bytes.split_at(line);
    if let Ok(text) = std::str::from_utf8(key) {
        let prefix = KeyPrefix::new("/fleet");
        if let Some(key) = prefix.decode(text) {
            assert_eq!(prefix.encode(&key), text);
        }
    }
    read_back::<Member>(value);
    read_back::<Machine>(value);
    read_back::<MetadataOverlay>(value);
    read_back::<Unit>(value);
    read_back::<Placed>(value);
    read_back::<Assignment>(value);
    read_back::<State>(value);
    read_back::<Leader>(value);
    read_back::<Hold>(value);
    read_back::<Seeded>(value);
});

fn read_back<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(value: &[u8]) {
    match decode::<T>(value) {
        Ok(document) => assert_eq!(decode::<T>(&encode(&document)).ok(), Some(document)),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
