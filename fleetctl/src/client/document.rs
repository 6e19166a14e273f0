//! Whether an answer is fleet's. Its documents may lack any key, and 1.0's empty page is `{}`, so
//! that most JSON could be read as one of them; a document of somebody else has none of their keys.

use std::collections::BTreeMap;

use fleet_units::api::v2::{BatchReply, Health, PlanReply, StateList, Update};
use fleet_units::api::{MachinePage, Unit, UnitPage, UnitStatePage};
use serde::de::{DeserializeOwned, IgnoredAny};

/// A document that is asked for.
pub(super) trait Document: DeserializeOwned {
    /// Keys of which an answer has one, unless it has none at all.
    const KEYS: &'static [&'static str];
}

impl Document for UnitPage {
    const KEYS: &'static [&'static str] = &["units", "nextPageToken"];
}

impl Document for UnitStatePage {
    const KEYS: &'static [&'static str] = &["states", "nextPageToken"];
}

impl Document for MachinePage {
    const KEYS: &'static [&'static str] = &["machines", "nextPageToken"];
}

impl Document for Unit {
    const KEYS: &'static [&'static str] = &["desiredState", "options", "text"];
}

impl Document for Health {
    const KEYS: &'static [&'static str] = &["unreadable", "hold"];
}

impl Document for StateList {
    const KEYS: &'static [&'static str] = &["machines", "states", "health"];
}

impl Document for Update {
    const KEYS: &'static [&'static str] = &["units", "gone", "machines", "revision"];
}

impl Document for BatchReply {
    const KEYS: &'static [&'static str] = &["units"];
}

impl Document for PlanReply {
    const KEYS: &'static [&'static str] = &["units"];
}

/// Whether a body may be such a document.
pub(super) fn may_be<T: Document>(body: &[u8]) -> bool {
    let members: Result<BTreeMap<String, IgnoredAny>, _> = serde_json::from_slice(body);
    let known = |key: &String| T::KEYS.iter().any(|known| known.eq_ignore_ascii_case(key));
    members.is_ok_and(|members| members.is_empty() || members.keys().any(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_by_their_keys_in_any_case_and_may_be_empty() {
        let bodies = [r#"{"Units":[]}"#, r#"{"more":1,"nextPageToken":"a"}"#, "{}"];
        assert_eq!(bodies.map(|body| may_be::<UnitPage>(body.as_bytes())), [true; 3]);
        let others = [r#"{"status":"healthy"}"#, "[]", r#""units""#, "null", ""];
        assert_eq!(others.map(|body| may_be::<UnitPage>(body.as_bytes())), [false; 5]);
    }
}
