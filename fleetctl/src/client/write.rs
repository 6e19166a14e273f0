//! Many changes in few requests; one by one where the server is 1.0.

use std::time::Duration;

use fleet_units::api::Unit;
use fleet_units::api::v2::{BatchOutcome, BatchReply, BatchRequest, BatchUnit};
use hyper::Method;

use super::error::ClientError;
use super::http::Answer;
use super::{Client, unit_path};

const PATH: &str = "/fleet/v2/units";

/// Bytes of changes in a request; servers refuse bodies over 512 KiB.
const MAX_BODY: usize = 384 * 1024;

/// What a server may take for each unit of a request, beyond one exchange's patience.
const PER_UNIT: Duration = Duration::from_millis(20);

const NO_ONCE: &str = "the server is fleet 1.0, which does not remember what was given to it: leave out \
                       --once";

impl Client<'_> {
    /// Makes the changes, and says of each what became of it, in their order.
    pub(crate) async fn write(
        &self,
        changes: Vec<BatchUnit>,
    ) -> Result<Vec<BatchOutcome>, ClientError> {
        let mut outcomes = Vec::with_capacity(changes.len());
        for part in parts(changes) {
            match self.write_part(&part).await? {
                Some(reply) => outcomes.extend(reply),
                None => {
                    for change in part {
                        outcomes.push(self.write_singly(change).await?);
                    }
                }
            }
        }
        Ok(outcomes)
    }

    /// Gives `None` if the server is 1.0.
    async fn write_part(
        &self,
        changes: &[BatchUnit],
    ) -> Result<Option<Vec<BatchOutcome>>, ClientError> {
        let count = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        let patience = self.patience + PER_UNIT.saturating_mul(count);
        let request = BatchRequest { units: changes.to_vec() };
        let body = self.encode(&request)?;
        let answer = self.ask_patiently(Method::POST, PATH, Some(body), patience).await?;
        // 1.0 knows no such path; an older proxy may know the path but not the method.
        if matches!(answer.status.as_u16(), 404 | 405) {
            return Ok(None);
        }
        let reply: BatchReply = self.decode(&answer)?;
        if reply.units.len() != changes.len() {
            let what = format!("{} outcomes for {} changes", reply.units.len(), changes.len());
            return Err(ClientError::not_fleet(&self.endpoint, what));
        }
        Ok(Some(reply.units))
    }

    async fn write_singly(&self, change: BatchUnit) -> Result<BatchOutcome, ClientError> {
        if change.once {
            return Ok(BatchOutcome {
                name: change.name,
                status: 501,
                message: Some(NO_ONCE.to_owned()),
                ..BatchOutcome::default()
            });
        }
        let path = unit_path(&change.name);
        let name = change.name.clone();
        let answer = if change.delete {
            self.ask(Method::DELETE, &path, None).await?
        } else {
            let unit = Unit {
                name: change.name,
                options: change.options,
                text: change.text,
                desired_state: change.desired_state,
                ..Unit::default()
            };
            self.ask(Method::PUT, &path, Some(self.encode(&unit)?)).await?
        };
        Ok(self.outcome(name, &answer))
    }

    fn outcome(&self, name: String, answer: &Answer) -> BatchOutcome {
        let message = self.succeeded(answer).err().map(|error| error.to_string());
        BatchOutcome { name, status: answer.status.as_u16(), message, ..BatchOutcome::default() }
    }

    pub(super) fn encode(&self, body: &impl serde::Serialize) -> Result<Vec<u8>, ClientError> {
        serde_json::to_vec(body).map_err(|error| ClientError::Broken {
            endpoint: self.endpoint.clone(),
            what: error.to_string(),
        })
    }
}

/// Whether a change was made.
pub(crate) const fn succeeded(outcome: &BatchOutcome) -> bool {
    outcome.status >= 200 && outcome.status < 300
}

/// Cuts changes so that no request grows too large; a change that is too large goes alone, and the
/// server says so.
fn parts(changes: Vec<BatchUnit>) -> Vec<Vec<BatchUnit>> {
    let mut parts: Vec<Vec<BatchUnit>> = Vec::new();
    let mut room = 0;
    for change in changes {
        let size = size(&change);
        match parts.last_mut() {
            Some(part) if size <= room => {
                part.push(change);
                room -= size;
            }
            _ => {
                parts.push(vec![change]);
                room = MAX_BODY.saturating_sub(size);
            }
        }
    }
    parts
}

/// Bounds a change's size as JSON, in which a line break takes two bytes.
fn size(change: &BatchUnit) -> usize {
    const ENVELOPE: usize = 128;
    const KEYS: usize = 40;
    let options: usize = change
        .options
        .iter()
        .map(|option| KEYS + option.section.len() + option.name.len() + 2 * option.value.len())
        .sum();
    ENVELOPE + change.name.len() + options + 2 * change.text.as_ref().map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, length: usize) -> BatchUnit {
        BatchUnit { name: name.to_owned(), text: Some("x".repeat(length)), ..BatchUnit::default() }
    }

    #[test]
    fn changes_are_cut_into_requests_that_servers_take_and_keep_their_order() {
        let changes = vec![
            change("a", 100_000),
            change("b", 50_000),
            change("c", 90_000),
            change("huge", 600_000),
            change("d", 1),
        ];
        let names: Vec<Vec<String>> = parts(changes)
            .into_iter()
            .map(|part| part.into_iter().map(|change| change.name).collect())
            .collect();
        assert_eq!(names, [vec!["a", "b"], vec!["c"], vec!["huge"], vec!["d"]]);
    }

    #[test]
    fn nothing_to_change_is_no_request() {
        assert_eq!(parts(Vec::new()), Vec::<Vec<BatchUnit>>::new());
    }
}
