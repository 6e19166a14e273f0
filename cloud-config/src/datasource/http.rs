//! Requests to metadata servers: limits, retries, and what goes wrong in words.
//!
//! Proxies of the environment are not used: metadata services are on the host's own link.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::config::Config;
use ureq::http::{Response, StatusCode};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body, Error};

use super::MAX_BYTES;
use super::attempt::{Absent, Outcome, Patience, wait};
use crate::clock::Clock;

/// More than any server that means well.
const MAX_REDIRECTS: u32 = 5;

/// Names and values.
pub(super) type Headers<'h> = &'h [(&'static str, &'h str)];

/// What to do with what is at a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    /// Without a body.
    Put,
}

/// Why a server does not give what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url} {fault}{}", tried(*.tries))]
pub struct HttpError {
    /// Which URL, without what may be secret in it.
    pub url: String,
    /// What is wrong.
    pub fault: HttpFault,
    /// How often it was asked.
    pub tries: u32,
    /// How long the server asks to wait.
    retry_after: Option<Duration>,
}

/// What is wrong with an answer, or a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// It does not begin with a scheme that is known.
    #[error("is no URL: write http:// or https://, a host and a path")]
    BadUrl,
    /// The deadline came before the request.
    #[error("was not asked: there was no time left")]
    TooLate,
    /// Nobody is there.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It is not who it says.
    #[error("is not trusted, or the clock of this host is wrong: {0}")]
    Untrusted(String),
    /// It accepts requests, and leaves them.
    #[error("does not answer in time")]
    Silent,
    /// It answers that it cannot or will not.
    #[error("answers with status {0}")]
    Status(u16),
    /// It answers, in a way of its own, that it can in a minute.
    #[error("is updated now: it answers with status {0}")]
    Updating(u16),
    /// It sends from place to place.
    #[error("redirects more than {MAX_REDIRECTS} times")]
    Redirects,
    /// What it says is not HTTP.
    #[error("answers with something that is not HTTP: {0}")]
    NotHttp(String),
    /// It says too much.
    #[error("answers with more than {} MB", MAX_BYTES / 1_000_000)]
    TooLarge,
    /// Somebody else answers: a portal, or an error in words.
    #[error("answers with a web page (HTML), not with data: is that the right server?")]
    WebPage,
    /// Bytes where text should be.
    #[error("answers with bytes that are not UTF-8")]
    NotText,
}

impl HttpError {
    pub(super) fn new(url: &str, fault: HttpFault) -> Self {
        Self { url: without_secrets(url), fault, tries: 1, retry_after: None }
    }

    fn outcome(&self) -> Outcome {
        match self.fault {
            HttpFault::Status(429 | 500 | 502..=599)
            | HttpFault::Updating(_)
            | HttpFault::Silent
            | HttpFault::Unreachable(_) => Outcome::Transient(self.retry_after),
            HttpFault::Status(_)
            | HttpFault::BadUrl
            | HttpFault::TooLate
            | HttpFault::Untrusted(_)
            | HttpFault::Redirects
            | HttpFault::NotHttp(_)
            | HttpFault::TooLarge
            | HttpFault::WebPage
            | HttpFault::NotText => Outcome::Permanent,
        }
    }
}

/// Asks servers until a deadline.
#[derive(Debug)]
pub(super) struct Http<'a> {
    agent: Agent,
    clock: &'a dyn Clock,
    until: Duration,
    per_request: Duration,
    patience: Patience,
}

impl<'a> Http<'a> {
    /// `until` is a time of the clock.
    pub(super) fn new(
        clock: &'a dyn Clock,
        until: Duration,
        per_request: Duration,
        patience: Patience,
    ) -> Self {
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(MAX_REDIRECTS)
            .max_redirects_will_error(true)
            .proxy(None)
            .user_agent(concat!("cloud-config/", env!("CARGO_PKG_VERSION")));
        Self { agent: config.build().into(), clock, until, per_request, patience }
    }

    /// Attempts something until it succeeds, cannot succeed or there is no time left.
    pub(super) fn persist<T>(
        &self,
        absent: Absent,
        mut attempt: impl FnMut() -> Result<Option<T>, HttpError>,
    ) -> Result<Option<T>, HttpError> {
        let mut tries = 0;
        let mut earlier = None;
        loop {
            let is_short = self.limit() < self.per_request;
            let result = attempt();
            let is_cut_off = matches!(
                &result,
                Err(HttpError { fault: HttpFault::Silent | HttpFault::TooLate, .. })
            );
            // What it said before tells more than that it had no time to say it again.
            let result = match earlier.take() {
                Some(earlier) if is_short && is_cut_off => earlier,
                _ => result,
            };
            let outcome = match &result {
                Ok(Some(_)) => Outcome::Answered,
                Ok(None) => Outcome::Absent,
                Err(error) => error.outcome(),
            };
            let left = self.until.saturating_sub(self.clock.now());
            match wait(outcome, tries, (self.patience, absent), left) {
                Some(wait) => {
                    earlier = Some(result);
                    self.clock.sleep(wait);
                }
                None => return result.map_err(|error| HttpError { tries: tries + 1, ..error }),
            }
            tries += 1;
        }
    }

    /// Asks once.
    pub(super) fn once(
        &self,
        method: Method,
        url: &str,
        headers: Headers<'_>,
    ) -> Result<Option<Vec<u8>>, HttpError> {
        let fail = |fault| HttpError::new(url, fault);
        if !has_scheme(url, "http") && !has_scheme(url, "https") {
            return Err(fail(HttpFault::BadUrl));
        }
        let limit = self.limit();
        if limit.is_zero() {
            return Err(fail(HttpFault::TooLate));
        }
        let response =
            self.send(method, url, headers, limit).map_err(|error| fail(fault_of(error)))?;
        let status = response.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            let retry_after = retry_after(&response);
            return Err(HttpError { retry_after, ..fail(HttpFault::Status(status.as_u16())) });
        }
        let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let body = response.into_body().into_with_config().limit(limit).read_to_vec();
        let body = body.map_err(|error| fail(fault_of(error)))?;
        if is_web_page(&body) { Err(fail(HttpFault::WebPage)) } else { Ok(Some(body)) }
    }

    /// How long one thing may take now.
    pub(super) fn limit(&self) -> Duration {
        self.per_request.min(self.until.saturating_sub(self.clock.now()))
    }

    fn send(
        &self,
        method: Method,
        url: &str,
        headers: Headers<'_>,
        limit: Duration,
    ) -> Result<Response<Body>, Error> {
        let tls = if has_scheme(url, "https") { trust() } else { TlsConfig::default() };
        match method {
            Method::Get => {
                let request = headers.iter().fold(self.agent.get(url), |request, (name, value)| {
                    request.header(*name, *value)
                });
                request.config().timeout_global(Some(limit)).tls_config(tls).build().call()
            }
            Method::Put => {
                let request = headers.iter().fold(self.agent.put(url), |request, (name, value)| {
                    request.header(*name, *value)
                });
                request.config().timeout_global(Some(limit)).tls_config(tls).build().send_empty()
            }
        }
    }
}

/// Who is trusted: whom the host trusts, or if that is nobody, whom browsers trust.
fn trust() -> TlsConfig {
    let certificates: Vec<Certificate<'static>> = rustls_native_certs::load_native_certs()
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    let roots = match certificates.is_empty() {
        true => RootCerts::WebPki,
        false => RootCerts::from(certificates),
    };
    TlsConfig::builder().root_certs(roots).build()
}

fn fault_of(error: Error) -> HttpFault {
    match error {
        Error::BadUri(_) | Error::Http(_) => HttpFault::BadUrl,
        Error::TooManyRedirects => HttpFault::Redirects,
        Error::BodyExceedsLimit(_) => HttpFault::TooLarge,
        Error::Timeout(_) => HttpFault::Silent,
        Error::HostNotFound => HttpFault::Unreachable("no address is known for the name".into()),
        Error::ConnectionFailed => HttpFault::Unreachable("no connection".into()),
        // What TLS refuses is an error of input for ureq, too.
        Error::Io(error) if error.kind() == ErrorKind::InvalidData => {
            HttpFault::Untrusted(error.to_string())
        }
        Error::Io(error) => HttpFault::Unreachable(error.to_string()),
        error => HttpFault::NotHttp(error.to_string()),
    }
}

fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let value = response.headers().get("retry-after")?;
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn has_scheme(url: &str, scheme: &str) -> bool {
    url.split_once("://").is_some_and(|(written, _)| written.eq_ignore_ascii_case(scheme))
}

fn is_web_page(body: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&body[..body.len().min(200)]).to_ascii_lowercase();
    let start = start.trim_start_matches('\u{feff}').trim_start();
    ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| start.starts_with(tag))
}

/// A URL without password and query, in which keys for access may be.
pub(super) fn without_secrets(url: &str) -> String {
    let (url, _) = url.split_once(['?', '#']).unwrap_or((url, ""));
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

fn tried(tries: u32) -> String {
    if tries > 1 { format!(" (tried {tries} times)") } else { String::new() }
}
