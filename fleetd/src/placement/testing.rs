//! A registry in a map, for tests: documents are put, transactions are judged as a store would.

use std::collections::BTreeMap;
use std::net::IpAddr;

use fleet_units::{MachineId, Metadata, TargetState, UnitFile, UnitHash, UnitName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::cluster::Cluster;
use super::rules::RulesCache;
use crate::registry::document::{
    Assignment, Hold, Leader, Machine, Member, MetadataOverlay, Phase, Placed, Standing, Unit,
    VERSION, decode, encode,
};
use crate::registry::key::{Key, KeyPrefix};
use crate::registry::mirror::Mirror;
use crate::store::{ClusterId, Commit, Compare, KeyValue, Revision, Snapshot, Transaction, Write};

pub(crate) fn unit(name: &str) -> UnitName {
    name.parse().unwrap()
}

pub(crate) fn machine(id: &str) -> MachineId {
    id.parse().unwrap()
}

/// Unit text with these lines as its directives.
pub(crate) fn text(directives: &str) -> String {
    format!("[Service]\nExecStart=/bin/true\n\n[X-Fleet]\n{directives}\n")
}

/// The hash of a text, or of nothing for one that is no unit.
fn hash(text: &str) -> UnitHash {
    UnitFile::parse(text).map_or_else(|_| "0".repeat(40).parse().unwrap(), |file| file.hash())
}

pub(crate) fn metadata(values: &str) -> Metadata {
    let pairs = values.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) prefix: KeyPrefix,
    pub(crate) revision: i64,
    pub(crate) entries: BTreeMap<String, KeyValue>,
}

impl World {
    /// Machines with one letter each, and a leader.
    pub(crate) fn with_machines(ids: &str) -> Self {
        let mut world =
            Self { prefix: KeyPrefix::new("/fleet"), revision: 0, entries: BTreeMap::new() };
        world.put(&Key::Leader, &Leader { machine: machine("leader") });
        for id in ids.chars() {
            world.join(&id.to_string(), "");
        }
        world
    }

    pub(crate) fn put_raw(&mut self, key: &Key, value: Vec<u8>) -> i64 {
        self.revision += 1;
        let key = self.prefix.encode(key);
        let mod_revision = Revision(self.revision);
        let create_revision =
            self.entries.get(&key).map_or(mod_revision, |entry| entry.create_revision);
        let entry = KeyValue { key, value, create_revision, mod_revision, lease: None };
        self.entries.insert(entry.key.clone(), entry);
        self.revision
    }

    pub(crate) fn put<T: Serialize>(&mut self, key: &Key, document: &T) -> i64 {
        self.put_raw(key, encode(document))
    }

    pub(crate) fn delete(&mut self, key: &Key) {
        self.revision += 1;
        self.entries.remove(&self.prefix.encode(key));
    }

    /// A document, unless it cannot be read.
    pub(crate) fn read<T: DeserializeOwned>(&self, key: &Key) -> Option<T> {
        let entry = self.entries.get(&self.prefix.encode(key))?;
        decode(&entry.value).ok()
    }

    pub(crate) fn join(&mut self, id: &str, values: &str) {
        self.stand(id, Standing::Joined);
        self.appear(id, values);
    }

    pub(crate) fn stand(&mut self, id: &str, standing: Standing) {
        let address: Option<IpAddr> = None;
        self.put(&Key::Member(machine(id)), &Member { address, standing, missing: false });
    }

    pub(crate) fn appear(&mut self, id: &str, values: &str) {
        let presence = Machine {
            instance: Uuid::nil(),
            boot: String::new(),
            hostname: id.to_owned(),
            address: None,
            metadata: metadata(values),
            reads: VERSION,
            fleet: String::new(),
        };
        self.put(&Key::Machine(machine(id)), &presence);
    }

    pub(crate) fn vanish(&mut self, id: &str) {
        self.delete(&Key::Machine(machine(id)));
    }

    /// Notes that a machine is away, as an engine does.
    pub(crate) fn miss(&mut self, id: &str) {
        let key = Key::Member(machine(id));
        let member: Member = self.read(&key).unwrap();
        self.put(&key, &Member { missing: true, ..member });
    }

    /// Writes that machines with one letter each vanished together, as an engine does.
    pub(crate) fn suspend(&mut self, ids: &str) {
        let machines = ids.chars().map(|id| machine(&id.to_string())).collect();
        self.put(&Key::Hold, &Hold { machines });
    }

    pub(crate) fn overlay(&mut self, id: &str, values: &[(&str, &str)]) {
        let values =
            values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.put(&Key::Metadata(machine(id)), &MetadataOverlay { values });
    }

    /// Writes a unit as the API does.
    pub(crate) fn set(&mut self, name: &str, text: &str, target: TargetState) -> i64 {
        let key = Key::Unit(unit(name));
        let before: Option<Unit> = self.read(&key);
        let stopped = before
            .as_ref()
            .is_some_and(|unit| unit.target == TargetState::Launched && target < unit.target);
        let document = Unit {
            text: text.to_owned(),
            hash: hash(text),
            target,
            generation: before.as_ref().map_or(1, |unit| unit.generation + 1),
            stops: before.map_or(0, |unit| unit.stops) + u64::from(stopped),
        };
        self.put(&key, &document)
    }

    pub(crate) fn launch(&mut self, name: &str, directives: &str) -> i64 {
        self.set(name, &text(directives), TargetState::Launched)
    }

    pub(crate) fn destroy(&mut self, name: &str) {
        self.delete(&Key::Unit(unit(name)));
    }

    /// Makes a machine hold a unit as its record says, as if the engine had decided it.
    pub(crate) fn hold(&mut self, id: &str, name: &str) {
        let uid = self.entries[&self.prefix.encode(&Key::Unit(unit(name)))].create_revision.0;
        let placement = self.revision;
        self.assign(id, name, Phase::Held);
        self.put(
            &Key::Placed(unit(name)),
            &Placed { machine: machine(id), uid, generation: placement },
        );
    }

    /// Writes an assignment as the unit's record says, and nothing else.
    pub(crate) fn assign(&mut self, id: &str, name: &str, phase: Phase) {
        let record = &self.entries[&self.prefix.encode(&Key::Unit(unit(name)))];
        let uid = record.create_revision.0;
        let Unit { text, hash, target, generation, stops } = decode(&record.value).unwrap();
        let placement = self.revision;
        let assignment =
            Assignment { text, hash, target, uid, generation, stops, placement, phase };
        self.put(&Key::Schedule(machine(id), unit(name)), &assignment);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            cluster: ClusterId(1),
            revision: Revision(self.revision),
            entries: self.entries.values().cloned().collect(),
        }
    }

    pub(crate) fn mirror(&self) -> Mirror {
        let mut mirror = Mirror::new(self.prefix.clone());
        mirror.reset(self.snapshot());
        mirror
    }

    pub(crate) fn cluster(&self) -> Cluster {
        Cluster::of(&self.mirror(), &mut RulesCache::default())
    }

    /// Judges a transaction as the store would.
    pub(crate) fn commit(&mut self, transaction: Transaction) -> Commit {
        let holds = transaction.compares.iter().all(|compare| match compare {
            Compare::Created(key, revision) => {
                self.entries.get(key).map_or(Revision(0), |entry| entry.create_revision)
                    == *revision
            }
            Compare::Modified(key, revision) => {
                self.entries.get(key).map_or(Revision(0), |entry| entry.mod_revision) == *revision
            }
        });
        if !holds {
            return Commit::Refused(Revision(self.revision));
        }
        self.revision += 1;
        let mod_revision = Revision(self.revision);
        for write in transaction.writes {
            match write {
                Write::Put { key, value, lease } => {
                    let before = self.entries.get(&key);
                    let create_revision =
                        before.map_or(mod_revision, |entry| entry.create_revision);
                    let entry =
                        KeyValue { key: key.clone(), value, create_revision, mod_revision, lease };
                    self.entries.insert(key, entry);
                }
                Write::Delete(key) => drop(self.entries.remove(&key)),
            }
        }
        Commit::Done(mod_revision)
    }

    /// Lets the agents of all machines that are there do what they are told: released units are
    /// stopped, and their assignments go.
    pub(crate) fn obey(&mut self) {
        let released: Vec<_> = self
            .entries
            .keys()
            .filter_map(|text| self.prefix.decode(text))
            .filter(|key| match key {
                Key::Schedule(id, _) => {
                    self.entries.contains_key(&self.prefix.encode(&Key::Machine(id.clone())))
                        && self
                            .read::<Assignment>(key)
                            .is_some_and(|assignment| assignment.phase == Phase::Released)
                }
                _ => false,
            })
            .collect();
        for key in released {
            self.delete(&key);
        }
    }

    /// All assignments as lines of text: machine, unit, and the phase unless it is held.
    pub(crate) fn schedule(&self) -> Vec<String> {
        let keys = self.entries.keys().filter_map(|text| self.prefix.decode(text));
        keys.filter_map(|key| match &key {
            Key::Schedule(id, name) => {
                let phase = match self.read::<Assignment>(&key)?.phase {
                    Phase::Held => "",
                    Phase::Released => " released",
                    Phase::Retiring => " retiring",
                };
                Some(format!("{id} {name}{phase}"))
            }
            _ => None,
        })
        .collect()
    }
}
