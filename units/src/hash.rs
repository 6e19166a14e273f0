//! The hash that tells whether two units say the same: SHA-1 of the canonical text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

const LENGTH: usize = 20;

/// Hash of a unit's canonical text, the same as fleet 1.0 computes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UnitHash([u8; LENGTH]);

impl UnitHash {
    /// Hashes a text that is canonical already.
    pub(crate) fn of_canonical(text: &str) -> Self {
        Self(Sha1::digest(text.as_bytes()).into())
    }

    /// The first seven hex digits.
    #[must_use]
    pub fn short(&self) -> String {
        let mut hex = self.to_string();
        hex.truncate(7);
        hex
    }
}

impl fmt::Display for UnitHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        // Lists show thousands of them, and formatting byte by byte would take most of the time.
        let mut hex = [0; 2 * LENGTH];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        f.write_str(std::str::from_utf8(&hex).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for UnitHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UnitHash({self})")
    }
}

impl FromStr for UnitHash {
    type Err = UnitHashError;

    fn from_str(hex: &str) -> Result<Self, UnitHashError> {
        let digits: Option<Vec<u32>> = hex.chars().map(|digit| digit.to_digit(16)).collect();
        let digits = digits.filter(|digits| digits.len() == 2 * LENGTH).ok_or(UnitHashError)?;
        let mut bytes = [0; LENGTH];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte =
                pair.iter().fold(0, |byte, digit| byte << 4 | u8::try_from(*digit).unwrap_or(0));
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for UnitHash {
    type Error = UnitHashError;

    fn try_from(hex: String) -> Result<Self, UnitHashError> {
        hex.parse()
    }
}

impl From<UnitHash> for String {
    fn from(hash: UnitHash) -> Self {
        hash.to_string()
    }
}

/// The text is not the hash of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the hash of a unit: expected 40 hex digits")]
pub struct UnitHashError;

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "1c6fb6f3684bafb0c173d8b8b957ceff031180c1";

    #[test]
    fn a_hash_is_written_and_read_as_hex() {
        let hash = UnitHash::of_canonical("[Service]\nExecStart=/bin/sleep 100\n");

        assert_eq!(hash.to_string(), HEX);
        assert_eq!(hash.short(), "1c6fb6f");
        assert_eq!(HEX.parse(), Ok(hash));
        assert_eq!(serde_json::to_string(&hash).unwrap(), format!("\"{HEX}\""));
        assert_eq!(serde_json::from_str::<UnitHash>(&format!("\"{HEX}\"")).unwrap(), hash);
    }

    #[test]
    fn other_text_is_no_hash() {
        for text in
            ["", "1c6fb6f", &HEX.replace('f', "g"), &format!("{HEX}0"), &HEX.replace('c', "\u{e9}")]
        {
            assert_eq!(text.parse::<UnitHash>(), Err(UnitHashError), "{text}");
        }
    }
}
