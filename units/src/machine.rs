//! Identity and metadata of machines.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longer than any machine-id; an id is a part of every key of its machine.
const MAX_LENGTH: usize = 64;

/// Length of the abbreviation that people see.
const SHORT_LENGTH: usize = 8;

/// What a machine says of itself, for `MachineMetadata=`.
pub type Metadata = BTreeMap<String, String>;

/// The id of a machine in the cluster, by default systemd's machine-id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct MachineId(String);

impl MachineId {
    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first eight characters.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..SHORT_LENGTH).unwrap_or(&self.0)
    }

    /// Whether somebody who writes `wanted` means this machine: its whole id or its short one.
    #[must_use]
    pub fn matches(&self, wanted: &str) -> bool {
        self.0 == wanted || self.short() == wanted
    }
}

impl FromStr for MachineId {
    type Err = MachineIdError;

    fn from_str(id: &str) -> Result<Self, MachineIdError> {
        check(id)?;
        Ok(Self(id.to_owned()))
    }
}

impl TryFrom<String> for MachineId {
    type Error = MachineIdError;

    fn try_from(id: String) -> Result<Self, MachineIdError> {
        check(&id)?;
        Ok(Self(id))
    }
}

impl From<MachineId> for String {
    fn from(id: MachineId) -> Self {
        id.0
    }
}

impl AsRef<str> for MachineId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for MachineId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why text is not the id of a machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MachineIdError {
    /// There is nothing.
    #[error("machine id cannot be empty")]
    Empty,
    /// It does not fit into a key.
    #[error("machine id exceeds maximum length ({MAX_LENGTH})")]
    TooLong,
    /// A character that has no place in a key.
    #[error("invalid character {0:?} in machine id: use letters, digits, '_', '.' and '-'")]
    InvalidCharacter(char),
}

fn check(id: &str) -> Result<(), MachineIdError> {
    if id.is_empty() {
        return Err(MachineIdError::Empty);
    }
    if id.len() > MAX_LENGTH {
        return Err(MachineIdError::TooLong);
    }
    match id.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '-')) {
        Some(invalid) => Err(MachineIdError::InvalidCharacter(invalid)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4d389537d9d14bdabe8be54a14c5a1b1";

    #[test]
    fn a_machine_is_meant_by_its_whole_id_or_its_first_eight_characters() {
        let id: MachineId = ID.parse().unwrap();

        let meant = [ID, "4d389537", "4d38953", "4d389537d", ""].map(|wanted| id.matches(wanted));

        assert_eq!(meant, [true, true, false, false, false]);
        assert_eq!(id.short(), "4d389537");
        assert_eq!("XXX".parse::<MachineId>().unwrap().short(), "XXX");
    }

    #[test]
    fn ids_that_are_no_part_of_a_key_are_refused() {
        for (bad, expected) in [
            ("", MachineIdError::Empty),
            ("a/b", MachineIdError::InvalidCharacter('/')),
            ("\u{e4}", MachineIdError::InvalidCharacter('\u{e4}')),
            (&"a".repeat(MAX_LENGTH + 1), MachineIdError::TooLong),
        ] {
            assert_eq!(bad.parse::<MachineId>(), Err(expected), "{bad}");
        }
        assert_eq!("a".repeat(MAX_LENGTH).parse::<MachineId>().map(|_| ()), Ok(()));
        assert_eq!("node-1.example_org".parse::<MachineId>().map(|_| ()), Ok(()));
    }
}
