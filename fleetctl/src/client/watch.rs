//! What becomes of units, as it happens.
//!
//! The first update tells all that is known of the units; each later one what has changed. The
//! stream of newer servers is taken up again when it breaks; 1.0 is asked again and again.

use std::collections::BTreeSet;
use std::time::Duration;

use fleet_units::api::v2::Update;
use http_body_util::BodyExt;
use hyper::Method;
use tokio::time::{Instant, timeout_at};

use super::details::MAX_QUERY;
use super::error::ClientError;
use super::http::{self, Asking, Streaming};
use super::{Client, encoded, older};

const PATH: &str = "/fleet/v2/events";

/// 1.0's own rhythm of asking.
const PAUSE: Duration = Duration::from_millis(250);

/// How often 1.0 is asked for a list that somebody looks at.
const GLANCE: Duration = Duration::from_secs(2);

/// The server says something every 15 s, be it an empty line: one that misses three of them is not
/// there any more, even if nobody has closed the connection.
const SILENCE: Duration = Duration::from_secs(45);

/// A fleetd that is restarted answers again within this, and says 503 until it is registered.
const RESTART: Duration = Duration::from_secs(15);

/// Follows some units.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    client: &'a Client<'a>,
    names: BTreeSet<String>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Stream(Lines),
    /// Asks 1.0; the flag says that this is the first time.
    Asking {
        first: bool,
    },
}

/// A body, cut into lines.
#[derive(Debug)]
struct Lines {
    streaming: Streaming,
    unread: Vec<u8>,
    silence: Duration,
    heard: Instant,
}

impl Client<'_> {
    /// Begins to follow units; no names stand for all.
    pub(crate) async fn watch(&self, names: BTreeSet<String>) -> Result<Watch<'_>, ClientError> {
        let source = self.open(&names).await?;
        Ok(Watch { client: self, names, source })
    }

    /// Begins to follow everything.
    pub(crate) async fn watch_all(&self) -> Result<Watch<'_>, ClientError> {
        self.watch(BTreeSet::new()).await
    }

    async fn open(&self, names: &BTreeSet<String>) -> Result<Source, ClientError> {
        let path = path(names);
        self.ui.debug(format_args!("HTTP GET {}{path}", self.base()));
        let asking = Asking { method: Method::GET, path, body: None, patience: self.patience };
        let streaming = http::stream(&self.endpoint, &asking).await?;
        if streaming.status.is_success() {
            return Ok(Source::Stream(Lines::new(streaming, SILENCE)));
        }
        if streaming.status.as_u16() == 404 {
            return Ok(Source::Asking { first: true });
        }
        let answer = streaming.rest(&self.endpoint, self.patience).await?;
        Err(self.refused(&answer))
    }
}

impl Watch<'_> {
    /// Whether the server is 1.0, which knows neither of batches nor of restarts.
    pub(crate) const fn is_of_1_0(&self) -> bool {
        matches!(self.source, Source::Asking { .. })
    }

    /// Gives the first update, within one exchange's patience.
    pub(crate) async fn first(&mut self) -> Result<Update, ClientError> {
        let patience = self.client.patience;
        let first = tokio::time::timeout(patience, self.next()).await;
        first.unwrap_or_else(|_| {
            let endpoint = self.client.endpoint.clone();
            Err(ClientError::Silent { endpoint, after: patience })
        })
    }

    /// Gives the next update.
    ///
    /// Cancel safe: a line that is half there waits for the next call.
    pub(crate) async fn next(&mut self) -> Result<Update, ClientError> {
        loop {
            let update = match &mut self.source {
                Source::Stream(lines) => match lines.next().await {
                    Some(line) => Some(self.client.read(&line)?),
                    None => {
                        self.client.ui.debug(format_args!("the stream of changes ended"));
                        self.source = self.reopen().await?;
                        None
                    }
                },
                Source::Asking { first } => {
                    if !std::mem::take(first) {
                        tokio::time::sleep(PAUSE).await;
                    }
                    Some(older::ask(self.client, &self.names).await?)
                }
            };
            if let Some(update) = update {
                return Ok(self.narrowed(update));
            }
        }
    }

    /// Waits until something has changed, or may have: at the beginning, after a break, and with 1.0
    /// now and then. One attempt is made to take up a stream that has ended; a further call makes
    /// another.
    ///
    /// Cancel safe.
    pub(crate) async fn changed(&mut self) -> Result<(), ClientError> {
        match &mut self.source {
            Source::Stream(lines) => {
                if lines.next().await.is_none() {
                    self.client.ui.debug(format_args!("the stream of changes ended"));
                    tokio::time::sleep(PAUSE).await;
                    self.source = self.client.open(&self.names).await?;
                }
            }
            Source::Asking { first } => {
                if !std::mem::take(first) {
                    tokio::time::sleep(GLANCE).await;
                }
            }
        }
        Ok(())
    }

    /// Takes the stream up again; a fleetd that restarts is back soon.
    async fn reopen(&self) -> Result<Source, ClientError> {
        let give_up = Instant::now() + RESTART;
        loop {
            // A server that ends each stream at once must not be asked in a spin.
            tokio::time::sleep(PAUSE).await;
            match self.client.open(&self.names).await {
                Err(
                    ClientError::Connect { .. }
                    | ClientError::Broken { .. }
                    | ClientError::Silent { .. }
                    | ClientError::Refused { code: 503, .. },
                ) if Instant::now() < give_up => {}
                opened => return opened,
            }
        }
    }

    /// Drops units that were not asked for.
    fn narrowed(&self, mut update: Update) -> Update {
        update.units.retain(|unit| self.names.contains(&unit.name));
        update.gone.retain(|name| self.names.contains(name));
        update
    }
}

impl Lines {
    fn new(streaming: Streaming, silence: Duration) -> Self {
        Self { streaming, unread: Vec::new(), silence, heard: Instant::now() }
    }

    /// Gives the next line that is not blank; `None` when the stream has ended, broken or fallen
    /// silent.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Some(line);
            }
            // Counted from the last sign of life, as a caller may cancel and call again.
            let frame = timeout_at(self.heard + self.silence, self.streaming.body.frame());
            let frame = frame.await.ok()?;
            self.heard = Instant::now();
            let Some(frame) = frame else {
                // What a stranger sends may end without a line break.
                let rest = std::mem::take(&mut self.unread);
                return (!rest.trim_ascii().is_empty()).then_some(rest);
            };
            let frame = frame.ok()?;
            if let Ok(bytes) = frame.into_data() {
                self.unread.extend_from_slice(&bytes);
            }
        }
    }
}

fn path(names: &BTreeSet<String>) -> String {
    let query: Vec<String> = names.iter().map(|name| format!("name={}", encoded(name))).collect();
    let query = query.join("&");
    // Then all units are followed.
    if query.len() > MAX_QUERY { PATH.to_owned() } else { format!("{PATH}?{query}") }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn a_stream_that_falls_silent_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fleet.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let endpoint = format!("unix://{}", path.display()).parse().unwrap();
        let patience = Duration::from_secs(60);
        let asking = Asking { method: Method::GET, path: PATH.into(), body: None, patience };
        let server = async {
            let (mut connection, _) = listener.accept().await.unwrap();
            let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{}\n\r\n";
            connection.write_all(answer.as_bytes()).await.unwrap();
            connection
        };

        let (streaming, _open) = tokio::join!(http::stream(&endpoint, &asking), server);
        let mut lines = Lines::new(streaming.unwrap(), Duration::from_millis(200));

        assert_eq!(lines.next().await, Some(b"{}\n".to_vec()));
        assert_eq!(lines.next().await, None);
    }
}
