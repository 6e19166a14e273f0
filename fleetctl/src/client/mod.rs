//! fleet's API, as commands use it.
//!
//! Speaks `/fleet/v2` where a command writes, waits or lists what may be long, and falls back to
//! 1.0's `/fleet/v1` where the server knows no better. Other lists come from v1, which both have.

mod details;
mod document;
mod endpoint;
mod error;
mod http;
mod older;
mod pipe;
mod plan;
mod tls;
mod watch;
mod why;
mod write;

use std::time::Duration;

use fleet_units::api::v2::{Health, StateList};
use fleet_units::api::{self, Machine, MachinePage, Unit, UnitPage, UnitState, UnitStatePage};
use hyper::Method;

pub(crate) use endpoint::{DEFAULT as DEFAULT_ENDPOINT, Endpoint};
pub(crate) use error::ClientError;
pub(crate) use pipe::Pipe;
pub(crate) use tls::TlsFiles;
pub(crate) use watch::Watch;
pub(crate) use write::succeeded;

use crate::ui::Ui;
use document::Document;
use error::describe;
use http::{Answer, Asking, Idle};

/// Requests in flight at a time when many units are asked for one by one.
pub(crate) const CONCURRENT: usize = 8;

/// A view of the cluster through one address.
#[derive(Debug)]
pub(crate) struct Client<'a> {
    endpoint: Endpoint,
    /// How long one exchange may take.
    patience: Duration,
    ui: &'a Ui,
    idle: Idle,
}

/// A page of some list.
trait Page: Document {
    type Entry;
    fn split(self) -> (Vec<Self::Entry>, Option<String>);
}

impl Page for UnitPage {
    type Entry = Unit;
    fn split(self) -> (Vec<Unit>, Option<String>) {
        (self.units, self.next_page_token)
    }
}

impl Page for UnitStatePage {
    type Entry = UnitState;
    fn split(self) -> (Vec<UnitState>, Option<String>) {
        (self.states, self.next_page_token)
    }
}

impl Page for MachinePage {
    type Entry = Machine;
    fn split(self) -> (Vec<Machine>, Option<String>) {
        (self.machines, self.next_page_token)
    }
}

impl<'a> Client<'a> {
    /// Connects to nothing yet.
    pub(crate) fn new(endpoint: Endpoint, patience: Duration, ui: &'a Ui) -> Self {
        Self { endpoint, patience, ui, idle: Idle::default() }
    }

    /// Gives a unit, if there is one of that name.
    pub(crate) async fn unit(&self, name: &str) -> Result<Option<Unit>, ClientError> {
        let answer = self.ask(Method::GET, &unit_path(name), None).await?;
        if answer.status.as_u16() == 404 {
            // Others have pages that are not there, too.
            return match self.refused(&answer) {
                ClientError::Refused { .. } => Ok(None),
                stranger => Err(stranger),
            };
        }
        self.decode(&answer).map(Some)
    }

    /// Gives all units.
    pub(crate) async fn units(&self) -> Result<Vec<Unit>, ClientError> {
        self.pages::<UnitPage>("/fleet/v1/units", "").await
    }

    /// Gives what machines report of all units: in one answer, or page by page from 1.0.
    pub(crate) async fn states(&self) -> Result<StateList, ClientError> {
        let answer = self.ask(Method::GET, "/fleet/v2/states", None).await?;
        if answer.status.as_u16() == 404 {
            return Ok(StateList {
                states: self.pages::<UnitStatePage>("/fleet/v1/state", "").await?,
                machines: self.machines().await?,
                ..StateList::default()
            });
        }
        self.succeeded(&answer)?;
        if !document::may_be::<StateList>(&answer.body) {
            return Err(self.not_fleets(&answer.body));
        }
        // Only fleetd answers here, so the patience that 1.0's time asks for is not needed.
        serde_json::from_slice(&answer.body).map_err(|_| self.not_fleets(&answer.body))
    }

    /// Gives what machines report of one unit.
    pub(crate) async fn states_of(&self, unit: &str) -> Result<Vec<UnitState>, ClientError> {
        let query = format!("unitName={}", encoded(unit));
        self.pages::<UnitStatePage>("/fleet/v1/state", &query).await
    }

    /// Gives the machines that are present.
    pub(crate) async fn machines(&self) -> Result<Vec<Machine>, ClientError> {
        self.pages::<MachinePage>("/fleet/v1/machines", "").await
    }

    /// Gives what is wrong in the cluster, as far as the server knows.
    pub(crate) async fn health(&self) -> Result<Health, ClientError> {
        let answer = self.ask(Method::GET, "/fleet/v2/health", None).await?;
        if answer.status.as_u16() == 404 {
            return Ok(Health::default());
        }
        self.decode(&answer)
    }

    async fn pages<P: Page>(&self, path: &str, query: &str) -> Result<Vec<P::Entry>, ClientError> {
        let mut entries = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let token_query =
                token.as_ref().map(|token| format!("nextPageToken={}", encoded(token)));
            let query: Vec<&str> = [Some(query), token_query.as_deref()]
                .into_iter()
                .flatten()
                .filter(|q| !q.is_empty())
                .collect();
            let path = match query.as_slice() {
                [] => path.to_owned(),
                query => format!("{path}?{}", query.join("&")),
            };
            let answer = self.ask(Method::GET, &path, None).await?;
            let (page, next) = self.decode::<P>(&answer)?.split();
            entries.extend(page);
            match next {
                // Else this would never end.
                Some(next) if token.as_ref() == Some(&next) => {
                    let what = "the same page of a list over and over";
                    return Err(ClientError::not_fleet(&self.endpoint, what));
                }
                Some(next) => token = Some(next),
                None => return Ok(entries),
            }
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, ClientError> {
        self.ask_patiently(method, path, body, self.patience).await
    }

    async fn ask_patiently(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
        patience: Duration,
    ) -> Result<Answer, ClientError> {
        self.ui.debug(format_args!("HTTP {method} {}{path}", self.base()));
        let body = body.map(Into::into);
        let asking = Asking { method: method.clone(), path: path.to_owned(), body, patience };
        let answer = self.idle.exchange(&self.endpoint, &asking).await?;
        self.ui.debug(format_args!("HTTP {method} {}{path} {}", self.base(), answer.status));
        Ok(answer)
    }

    fn base(&self) -> String {
        format!("{}://{}", self.endpoint.scheme(), self.endpoint.authority())
    }

    fn decode<T: Document>(&self, answer: &Answer) -> Result<T, ClientError> {
        self.succeeded(answer)?;
        self.read(&answer.body)
    }

    fn read<T: Document>(&self, body: &[u8]) -> Result<T, ClientError> {
        let read = if document::may_be::<T>(body) { api::from_json(body).ok() } else { None };
        read.ok_or_else(|| self.not_fleets(body))
    }

    fn not_fleets(&self, body: &[u8]) -> ClientError {
        ClientError::not_fleet(&self.endpoint, describe(body))
    }

    fn succeeded(&self, answer: &Answer) -> Result<(), ClientError> {
        if answer.status.is_success() {
            return Ok(());
        }
        Err(self.refused(answer))
    }

    fn refused(&self, answer: &Answer) -> ClientError {
        ClientError::refused(&self.endpoint, answer.status.as_u16(), &answer.body)
    }
}

fn unit_path(name: &str) -> String {
    format!("/fleet/v1/units/{}", encoded(name))
}

/// Percent-encodes what is not plain in a path segment or a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    encoded
}

fn hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_addresses_is_percent_encoded() {
        assert_eq!(encoded("lb%@2.service?\u{e9}"), "lb%25%402.service%3F%C3%A9");
    }
}
