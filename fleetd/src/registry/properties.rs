//! What holds for anything that stands in a store: nothing panics, and what is written is read
//! back the same.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;

use fleet_units::{MachineId, Metadata, TargetState, UnitHash};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::document::{
    Assignment, Hold, JobState, Leader, Machine, Member, MetadataOverlay, Phase, Placed, Seeded,
    Standing, State, Unit, decode, encode,
};
use super::key::{Key, KeyPrefix};
use super::mirror::Mirror;
use crate::store::{ClusterId, Event, KeyValue, Revision, Snapshot};

/// A document as it is stored, and the check that its type reads it back.
type Document = (Vec<u8>, Result<(), TestCaseError>);

fn stored<T: Serialize + DeserializeOwned + PartialEq + Debug>(document: T) -> Document {
    let value = encode(&document);
    let read = decode::<T>(&value).map_err(|error| TestCaseError::fail(error.to_string()));
    let check = read.and_then(|read| {
        prop_assert_eq!(read, document);
        Ok(())
    });
    (value, check)
}

fn machine() -> impl Strategy<Value = MachineId> {
    "[a-z0-9._-]{1,8}".prop_map(|id| id.parse().unwrap())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,6}", any::<String>()]
}

fn metadata() -> impl Strategy<Value = Metadata> {
    prop::collection::btree_map(text(), text(), 0..4)
}

fn hash() -> impl Strategy<Value = UnitHash> {
    "[0-9a-f]{40}".prop_map(|hash| hash.parse().unwrap())
}

fn target() -> impl Strategy<Value = TargetState> {
    prop::sample::select(TargetState::ALL.to_vec())
}

fn standing() -> impl Strategy<Value = Standing> {
    use Standing::{Cordoned, Draining, Joined, Leaving, Left};
    prop::sample::select(vec![Joined, Cordoned, Draining, Leaving, Left])
}

fn phase() -> impl Strategy<Value = Phase> {
    prop::sample::select(vec![Phase::Held, Phase::Released, Phase::Retiring])
}

fn job() -> impl Strategy<Value = JobState> {
    use JobState::{Done, Failed, None, Running};
    prop::sample::select(vec![None, Running, Done, Failed])
}

/// Documents of machines.
fn of_a_machine() -> impl Strategy<Value = Document> {
    let address = || any::<Option<IpAddr>>();
    let ids = prop::collection::btree_set(machine(), 0..4);
    let presence = (any::<u128>(), text(), text(), address(), metadata(), any::<u32>(), text());
    prop_oneof![
        (address(), standing(), any::<bool>())
            .prop_map(|(address, standing, missing)| stored(Member { address, standing, missing })),
        presence.prop_map(|(instance, boot, hostname, address, metadata, reads, fleet)| {
            let instance = Uuid::from_u128(instance);
            stored(Machine { instance, boot, hostname, address, metadata, reads, fleet })
        }),
        metadata().prop_map(|values| stored(MetadataOverlay { values })),
        machine().prop_map(|machine| stored(Leader { machine })),
        ids.prop_map(|machines| stored(Hold { machines })),
    ]
}

/// Documents of units.
fn of_a_unit() -> impl Strategy<Value = Document> {
    let number = any::<i64>;
    let counter = any::<u64>;
    let assignment = (text(), hash(), target(), number(), counter(), counter(), number(), phase());
    let reported = (text(), text(), text(), job(), prop::option::of(text()));
    prop_oneof![
        (text(), hash(), target(), counter(), counter()).prop_map(
            |(text, hash, target, generation, stops)| {
                stored(Unit { text, hash, target, generation, stops })
            }
        ),
        (machine(), number(), number()).prop_map(|(machine, uid, generation)| stored(Placed {
            machine,
            uid,
            generation
        })),
        assignment.prop_map(|(text, hash, target, uid, generation, stops, placement, phase)| {
            stored(Assignment { text, hash, target, uid, generation, stops, placement, phase })
        }),
        (number(), counter(), hash(), target(), reported).prop_map(
            |(uid, observed, hash, current, (load, active, sub, job, problem))| {
                stored(State { uid, observed, hash, current, load, active, sub, job, problem })
            }
        ),
        prop::option::of(hash()).prop_map(|hash| stored(Seeded { hash })),
    ]
}

fn document() -> impl Strategy<Value = Document> {
    prop_oneof![of_a_machine(), of_a_unit()]
}

/// A value as a bug, a disk or another program may leave it.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let damaged = (document(), any::<prop::sample::Index>(), any::<u8>(), any::<bool>());
    let damaged = damaged.prop_map(|((mut value, _), at, byte, cut)| {
        let at = at.index(value.len());
        value[at] = byte;
        value.truncate(if cut { at } else { value.len() });
        value
    });
    let whole = document().prop_map(|(value, _)| value);
    prop_oneof![whole, damaged, any::<Vec<u8>>(), Just(br#"{"version":2}"#.to_vec())]
}

fn key() -> impl Strategy<Value = String> {
    let kinds = "(members|machines|metadata|units|placed|schedule|states|seeded|engine|else)";
    let name = "(m1|a\\.service|m1/a\\.service|leader|hold|settings|[a-z/]{0,3})";
    (kinds, name).prop_map(|(kind, name)| format!("/fleet/{kind}/{name}"))
}

proptest! {
    #[test]
    fn every_document_is_read_back_as_it_was_written((_, check) in document()) {
        check?;
    }

    #[test]
    fn no_value_makes_a_document_panic(value in value()) {
        let outcomes = [
            decode::<Member>(&value).err(),
            decode::<Machine>(&value).err(),
            decode::<MetadataOverlay>(&value).err(),
            decode::<Unit>(&value).err(),
            decode::<Placed>(&value).err(),
            decode::<Assignment>(&value).err(),
            decode::<State>(&value).err(),
            decode::<Leader>(&value).err(),
            decode::<Hold>(&value).err(),
            decode::<Seeded>(&value).err(),
        ];
        for error in outcomes.into_iter().flatten() {
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn a_mirror_holds_of_any_store_each_key_once_or_knows_why_not(
        entries in prop::collection::vec((key(), value()), 0..12),
        removed in prop::collection::vec(key(), 0..3),
    ) {
        let prefix = KeyPrefix::new("/fleet");
        let mut mirror = Mirror::new(prefix.clone());
        mirror.reset(Snapshot { cluster: ClusterId(1), revision: Revision(0), entries: vec![] });
        let mut expected = BTreeMap::new();
        for (revision, (key, value)) in (1..).map(Revision).zip(entries) {
            expected.insert(key.clone(), revision);
            let (create_revision, mod_revision) = (revision, revision);
            let entry = KeyValue { key, value, create_revision, mod_revision, lease: None };
            mirror.apply(revision, vec![Event::Put(entry)]);
        }
        for key in removed {
            expected.remove(&key);
            mirror.apply(mirror.revision, vec![Event::Delete { key, revision: mirror.revision }]);
        }
        for (text, revision) in &expected {
            let unreadable = mirror.unreadable.get(text).map(|unreadable| unreadable.modified);
            match prefix.decode(text) {
                // Nobody reads these yet.
                Some(Key::Settings | Key::Seeded(_)) => {}
                Some(key) => prop_assert_eq!(mirror.modified(&key), *revision, "{}", text),
                None => prop_assert_eq!(unreadable, Some(*revision), "{}", text),
            }
        }
        let known = |text: &String| expected.contains_key(text);
        prop_assert!(mirror.unreadable.keys().all(known));
    }
}
