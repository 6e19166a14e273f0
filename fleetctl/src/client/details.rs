//! All that is known of some units.

use std::collections::BTreeSet;

use fleet_units::api::v2::UnitDetail;
use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::document::Document;
use super::error::ClientError;
use super::{Client, encoded, older};

const PATH: &str = "/fleet/v2/units";

/// Longer addresses are refused by HTTP libraries.
pub(super) const MAX_QUERY: usize = 32 * 1024;

/// Something about each of some units.
#[derive(Deserialize)]
struct Units<T> {
    units: Vec<T>,
}

impl<T: DeserializeOwned> Document for Units<T> {
    const KEYS: &'static [&'static str] = &["units"];
}

impl Client<'_> {
    /// Gives all that is known of units; those that do not exist are missing.
    pub(crate) async fn details(
        &self,
        names: &BTreeSet<String>,
    ) -> Result<Vec<UnitDetail>, ClientError> {
        match self.newer_details(names).await? {
            Some(details) => Ok(details),
            None => Ok(older::ask(self, names).await?.units),
        }
    }

    /// Gives all that newer servers know of units; `None` if the server is 1.0, which has to be asked
    /// for each of them.
    pub(crate) async fn newer_details(
        &self,
        names: &BTreeSet<String>,
    ) -> Result<Option<Vec<UnitDetail>>, ClientError> {
        self.by_names(PATH, names).await
    }

    /// Asks about units by their names; `None` if the server is too old to tell.
    pub(super) async fn by_names<T: DeserializeOwned>(
        &self,
        path: &str,
        names: &BTreeSet<String>,
    ) -> Result<Option<Vec<T>>, ClientError> {
        let mut units = Vec::new();
        for query in queries(names) {
            let answer = self.ask(Method::GET, &format!("{path}?{query}"), None).await?;
            // 1.0 knows no such path; an older proxy may know the path but not the method.
            if matches!(answer.status.as_u16(), 404 | 405) {
                return Ok(None);
            }
            units.extend(self.decode::<Units<T>>(&answer)?.units);
        }
        Ok(Some(units))
    }
}

/// Names the units in as few queries as their length allows.
fn queries(names: &BTreeSet<String>) -> Vec<String> {
    let mut queries: Vec<String> = Vec::new();
    for name in names {
        let word = format!("name={}", encoded(name));
        match queries.last_mut() {
            Some(query) if query.len() + word.len() < MAX_QUERY => {
                query.push('&');
                query.push_str(&word);
            }
            _ => queries.push(word),
        }
    }
    queries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asked_for_together_as_far_as_they_fit() {
        assert_eq!(queries(&BTreeSet::new()), Vec::<String>::new());
        let names = ["a@1.service", "b.service"].map(str::to_owned);
        assert_eq!(queries(&names.into()), ["name=a%401.service&name=b.service"]);
        let long: BTreeSet<String> = (0..1000).map(|n| format!("{n:0>100}.service")).collect();
        let queries = queries(&long);
        assert!(queries.iter().all(|query| query.len() <= MAX_QUERY));
        assert_eq!(queries.iter().map(|query| query.matches("name=").count()).sum::<usize>(), 1000);
    }
}
