//! Why units are where they are, or nowhere.

use std::collections::BTreeSet;

use fleet_units::api::v2::Explanation;

use super::Client;
use super::error::ClientError;

const PATH: &str = "/fleet/v2/why";

impl Client<'_> {
    /// Explains units; those that do not exist are missing. `None` if the server is too old to tell.
    pub(crate) async fn explanations(
        &self,
        names: &BTreeSet<String>,
    ) -> Result<Option<Vec<Explanation>>, ClientError> {
        match self.by_names(PATH, names).await? {
            Some(explanations) => Ok(Some(explanations)),
            // Who is no fleet at all is told by what every fleet can answer.
            None => self.machines().await.map(|_| None),
        }
    }
}
