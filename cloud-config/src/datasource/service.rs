//! A metadata service: a tree of texts below a URL.

use super::attempt::Absent;
use super::http::{Headers, Http, HttpError, HttpFault, Method};
use super::json::Json;
use super::{Asking, SourceError};

/// The tree of a metadata service, asked with the headers that it wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service<'a> {
    http: &'a Http<'a>,
    base: &'a str,
    headers: Headers<'a>,
    /// The status that it has while it is updated, if other services mean something else by it.
    updating: Option<u16>,
}

impl<'a> Service<'a> {
    /// `base` ends with a slash.
    pub(super) fn new(asking: &'a Asking<'a>, base: &'a str, headers: Headers<'a>) -> Self {
        Self { http: &asking.http, base, headers, updating: None }
    }

    /// With a status that says to ask again in a minute.
    pub(super) fn updating_with(self, status: u16) -> Self {
        Self { updating: Some(status), ..self }
    }

    /// Waits until one of the paths is there; `false` if none is at the end.
    pub(super) fn waits_for(&self, paths: &[&str]) -> Result<bool, HttpError> {
        let there = self.http.persist(Absent::MayCome, || {
            for path in paths {
                if let Some(body) = self.once(path)? {
                    return Ok(Some(body));
                }
            }
            Ok(None)
        });
        Ok(there?.is_some())
    }

    /// The bytes at a path.
    pub(super) fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, HttpError> {
        self.http.persist(Absent::Stays, || self.once(path))
    }

    /// The text at a path, without blanks around it; `None` if that is nothing.
    pub(super) fn text(&self, path: &str) -> Result<Option<String>, HttpError> {
        self.text_of(path, self.bytes(path)?)
    }

    /// The text at a path that is not worth asking for twice.
    pub(super) fn optional_text(&self, path: &str) -> Result<Option<String>, HttpError> {
        self.text_of(path, self.once(path)?)
    }

    fn text_of(&self, path: &str, bytes: Option<Vec<u8>>) -> Result<Option<String>, HttpError> {
        let Some(bytes) = bytes else { return Ok(None) };
        let text = String::from_utf8(bytes)
            .map_err(|_| HttpError::new(&self.url(path), HttpFault::NotText))?;
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// The JSON at a path, once it is there.
    pub(super) fn json(&self, path: &str, absent: Absent) -> Result<Option<Json>, SourceError> {
        let body = self.http.persist(absent, || self.once(path))?;
        let url = super::http::without_secrets(&self.url(path));
        body.map(|body| Json::read(&body, &url)).transpose()
    }

    /// The texts of the keys in a directory of lines `0=name`, or the keys themselves.
    pub(super) fn keys(&self, directory: &str) -> Result<Keys, HttpError> {
        let mut keys = Keys::default();
        let lines = match self.text(directory)? {
            Some(lines) => Some(lines),
            None => self.text(&format!("{directory}/"))?,
        };
        for line in lines.as_deref().unwrap_or_default().lines().map(str::trim) {
            let Some((number, _)) = line.split_once('=').filter(|(number, _)| is_number(number))
            else {
                match line.contains(' ') {
                    true => keys.texts.push(line.to_owned()),
                    false => keys.unknown += 1,
                }
                continue;
            };
            keys.texts.extend(self.text(&format!("{directory}/{number}/openssh-key"))?);
        }
        Ok(keys)
    }

    fn once(&self, path: &str) -> Result<Option<Vec<u8>>, HttpError> {
        let answer = self.http.once(Method::Get, &self.url(path), self.headers);
        answer.map_err(|mut error| {
            if let (HttpFault::Status(status), Some(updating)) = (&error.fault, self.updating)
                && *status == updating
            {
                error.fault = HttpFault::Updating(updating);
            }
            error
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// Keys for ssh that a service has.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) texts: Vec<String>,
    /// How many lines name no key.
    pub(super) unknown: usize,
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
