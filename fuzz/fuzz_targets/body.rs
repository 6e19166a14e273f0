//! Bodies of requests and answers of the API.

#![no_main]

use fleet_units::api::v2::{BatchReply, BatchRequest, Update};
use fleet_units::api::{
    MachinePage, MetadataChange, MetadataOperation, Unit, UnitStatePage, from_json,
};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|body: &[u8]| {
    read_back::<Unit>(body);
    read_back::<UnitStatePage>(body);
    read_back::<MachinePage>(body);
    read_back::<BatchRequest>(body);
    read_back::<BatchReply>(body);
    read_back::<Update>(body);
    let operations: Vec<MetadataOperation> = from_json(body).unwrap_or_default();
    for change in operations.into_iter().filter_map(|one| MetadataChange::try_from(one).ok()) {
        assert!(change.value.is_none_or(|value| !value.is_empty()));
    }
});

fn read_back<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(body: &[u8]) {
    let Ok(value) = from_json::<T>(body) else { return };
    let written = serde_json::to_vec(&value).expect("a body is plain JSON");
    assert_eq!(from_json::<T>(&written).expect("what we write we read"), value);
}
