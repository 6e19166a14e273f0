//! The key layout: encode and decode are inverse, and nothing else spells a key.

use fleet_units::{MachineId, UnitName};

/// What every key of one cluster begins with; ends in exactly one slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// Normalises a configured prefix: leading slash as given, one trailing slash.
    #[must_use]
    pub fn new(configured: &str) -> Self {
        Self(format!("{}/", configured.trim_end_matches('/')))
    }

    /// The prefix with its trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The full text of a key.
    #[must_use]
    pub fn encode(&self, key: &Key) -> String {
        let prefix = &self.0;
        match key {
            Key::Member(machine) => format!("{prefix}members/{machine}"),
            Key::Machine(machine) => format!("{prefix}machines/{machine}"),
            Key::Metadata(machine) => format!("{prefix}metadata/{machine}"),
            Key::Unit(unit) => format!("{prefix}units/{unit}"),
            Key::Placed(unit) => format!("{prefix}placed/{unit}"),
            Key::Schedule(machine, unit) => format!("{prefix}schedule/{machine}/{unit}"),
            Key::State(machine, unit) => format!("{prefix}states/{machine}/{unit}"),
            Key::Leader => format!("{prefix}engine/leader"),
            Key::Hold => format!("{prefix}engine/hold"),
            Key::Settings => format!("{prefix}engine/settings"),
            Key::Seeded(unit) => format!("{prefix}seeded/{unit}"),
        }
    }

    /// The key that a text stands for; `None` if it is none of ours.
    #[must_use]
    pub fn decode(&self, text: &str) -> Option<Key> {
        let rest = text.strip_prefix(&self.0)?;
        let (kind, name) = rest.split_once('/')?;
        match kind {
            "members" => name.parse().ok().map(Key::Member),
            "machines" => name.parse().ok().map(Key::Machine),
            "metadata" => name.parse().ok().map(Key::Metadata),
            "units" => name.parse().ok().map(Key::Unit),
            "placed" => name.parse().ok().map(Key::Placed),
            "schedule" => pair(name).map(|(machine, unit)| Key::Schedule(machine, unit)),
            "states" => pair(name).map(|(machine, unit)| Key::State(machine, unit)),
            "seeded" => name.parse().ok().map(Key::Seeded),
            "engine" => match name {
                "leader" => Some(Key::Leader),
                "hold" => Some(Key::Hold),
                "settings" => Some(Key::Settings),
                _ => None,
            },
            _ => None,
        }
    }

    /// Prefix of all assignments of one machine.
    #[must_use]
    pub fn schedule_of(&self, machine: &MachineId) -> String {
        format!("{}schedule/{machine}/", self.0)
    }

    /// Prefix of all states that one machine reports.
    #[must_use]
    pub fn states_of(&self, machine: &MachineId) -> String {
        format!("{}states/{machine}/", self.0)
    }
}

/// Whether a text is the key of a unit, under whatever prefix.
#[must_use]
pub fn is_unit(text: &str) -> bool {
    let prefix = text.rsplit_once("units/").map(|(prefix, _)| KeyPrefix::new(prefix));
    prefix.is_some_and(|prefix| matches!(prefix.decode(text), Some(Key::Unit(_))))
}

fn pair(name: &str) -> Option<(MachineId, UnitName)> {
    let (machine, unit) = name.split_once('/')?;
    Some((machine.parse().ok()?, unit.parse().ok()?))
}

/// A key of the registry, without the prefix.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// [`Member`](super::document::Member).
    Member(MachineId),
    /// [`Machine`](super::document::Machine).
    Machine(MachineId),
    /// [`MetadataOverlay`](super::document::MetadataOverlay).
    Metadata(MachineId),
    /// [`Unit`](super::document::Unit).
    Unit(UnitName),
    /// [`Placed`](super::document::Placed).
    Placed(UnitName),
    /// [`Assignment`](super::document::Assignment).
    Schedule(MachineId, UnitName),
    /// [`State`](super::document::State).
    State(MachineId, UnitName),
    /// [`Leader`](super::document::Leader).
    Leader,
    /// [`Hold`](super::document::Hold).
    Hold,
    /// Cluster-wide settings.
    Settings,
    /// [`Seeded`](super::document::Seeded).
    Seeded(UnitName),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn machine() -> impl Strategy<Value = MachineId> {
        "[A-Za-z0-9_.-]{1,64}".prop_map(|text| text.parse().unwrap())
    }

    fn unit() -> impl Strategy<Value = UnitName> {
        "[a-z0-9_.-]{1,20}(@[a-z0-9]{0,8})?\\.service".prop_map(|text| text.parse().unwrap())
    }

    fn key() -> impl Strategy<Value = Key> {
        prop_oneof![
            machine().prop_map(Key::Member),
            machine().prop_map(Key::Machine),
            machine().prop_map(Key::Metadata),
            unit().prop_map(Key::Unit),
            unit().prop_map(Key::Placed),
            (machine(), unit()).prop_map(|(machine, unit)| Key::Schedule(machine, unit)),
            (machine(), unit()).prop_map(|(machine, unit)| Key::State(machine, unit)),
            Just(Key::Leader),
            Just(Key::Hold),
            Just(Key::Settings),
            unit().prop_map(Key::Seeded),
        ]
    }

    proptest! {
        #[test]
        fn a_unit_is_known_under_any_prefix(key in key(), prefix in "/?[a-z/_.]{0,12}") {
            let text = KeyPrefix::new(&prefix).encode(&key);

            prop_assert_eq!(is_unit(&text), matches!(key, Key::Unit(_)));
        }

        #[test]
        fn decode_is_the_inverse_of_encode(key in key(), prefix in "/?[a-z/_.]{0,12}") {
            let prefix = KeyPrefix::new(&prefix);

            prop_assert_eq!(prefix.decode(&prefix.encode(&key)), Some(key));
        }

        #[test]
        fn any_text_decodes_without_panic(text in ".{0,64}") {
            let prefix = KeyPrefix::new("/_coreos.com/fleet");

            let decoded = prefix.decode(&format!("/_coreos.com/fleet/{text}"));

            prop_assert!(decoded.is_none_or(|key| prefix.encode(&key).ends_with(&text)));
        }
    }

    #[test]
    fn a_trailing_slash_of_the_prefix_makes_no_difference() {
        assert_eq!(KeyPrefix::new("/_coreos.com/fleet"), KeyPrefix::new("/_coreos.com/fleet//"));
    }

    #[test]
    fn a_neighbour_that_shares_the_beginning_is_none_of_ours() {
        let prefix = KeyPrefix::new("/_coreos.com/fleet");

        assert_eq!(prefix.decode("/_coreos.com/fleet2/units/hello.service"), None);
    }
}
