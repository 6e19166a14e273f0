//! What changes would come to.

use fleet_units::api::v2::{BatchRequest, BatchUnit, PlanReply};
use hyper::Method;

use super::Client;
use super::error::ClientError;

const PATH: &str = "/fleet/v2/plan";

impl Client<'_> {
    /// Says what changes would come to, all in one, as they may depend on each other. `None` if the
    /// server is too old to tell.
    pub(crate) async fn plan(
        &self,
        changes: Vec<BatchUnit>,
    ) -> Result<Option<PlanReply>, ClientError> {
        let body = self.encode(&BatchRequest { units: changes })?;
        let answer = self.ask(Method::POST, PATH, Some(body)).await?;
        if matches!(answer.status.as_u16(), 404 | 405) {
            // Who is no fleet at all is told by what every fleet can answer.
            return self.machines().await.map(|_| None);
        }
        self.decode(&answer).map(Some)
    }
}
