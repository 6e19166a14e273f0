//! Why units are where they are, or nowhere.

use std::collections::BTreeSet;

use fleet_units::api::v2::Explanation;
use hyper::Method;
use serde::Deserialize;

use super::Client;
use super::details::queries;
use super::document::Document;
use super::error::ClientError;

const PATH: &str = "/fleet/v2/why";

#[derive(Deserialize)]
struct Explanations {
    units: Vec<Explanation>,
}

impl Document for Explanations {
    const KEYS: &'static [&'static str] = &["units"];
}

impl Client<'_> {
    /// Explains units; those that do not exist are missing. `None` if the server is too old to tell.
    pub(crate) async fn explanations(
        &self,
        names: &BTreeSet<String>,
    ) -> Result<Option<Vec<Explanation>>, ClientError> {
        let mut explanations = Vec::new();
        for query in queries(names) {
            let answer = self.ask(Method::GET, &format!("{PATH}?{query}"), None).await?;
            if matches!(answer.status.as_u16(), 404 | 405) {
                // Who is no fleet at all is told by what every fleet can answer.
                return self.machines().await.map(|_| None);
            }
            let part: Explanations = self.decode(&answer)?;
            explanations.extend(part.units);
        }
        Ok(Some(explanations))
    }
}
