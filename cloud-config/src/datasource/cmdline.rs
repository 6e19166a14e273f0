//! User data at a URL that the command line of the kernel names.

use std::path::Path;

use super::attempt::Absent;
use super::http::Method;
use super::{Asking, Found, Name, Reading, SourceError, local};

/// The parameters of the kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Those of the host.
    pub(super) fn of(root: &Path) -> Self {
        Self::read(&local::hint(&root.join("proc/cmdline")))
    }

    fn read(line: &str) -> Self {
        let mut is_quoted = false;
        let words = line.split(|c: char| {
            is_quoted ^= c == '"';
            c.is_whitespace() && !is_quoted
        });
        let parameter = |word: &str| {
            let word = word.replace('"', "");
            let (name, value) = word.split_once('=')?;
            Some((name.replace('_', "-"), value.to_owned()))
        };
        Self(words.filter_map(parameter).collect())
    }

    /// The value of a name with dashes; the last one counts.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The URL of user data.
    pub(super) fn url(&self) -> Option<&str> {
        self.value("cloud-config-url")
    }
}

pub(super) fn read(asking: &Asking<'_>) -> Reading {
    let parameters = Parameters::of(asking.search.root);
    let Some(url) = parameters.url() else { return Ok(None) };
    if url.is_empty() {
        return Err(SourceError::form("cloud-config-url= of the kernel", "names no URL"));
    }
    let http = &asking.http;
    let user_data = http.persist(Absent::MayCome, || http.once(Method::Get, url, &[]))?;
    match user_data {
        Some(bytes) => Ok(Some(Found::new(Name::Cmdline).with_user_data(Some(bytes)))),
        None => {
            Err(SourceError::form(&super::http::without_secrets(url), "answers with status 404"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_url_counts_however_its_name_is_written() {
        for line in [
            "root=/dev/sda cloud-config-url=http://one/ quiet",
            "cloud_config_url=http://zero/ cloud-config_url=http://one/",
            "cloud-config-url cloud-config-url=\"http://one/\"\n",
        ] {
            assert_eq!(Parameters::read(line).url(), Some("http://one/"), "{line}");
        }
    }

    #[test]
    fn other_words_name_no_url() {
        for line in ["", "cloud-config-url", "xcloud-config-url=http://one/", "=x"] {
            assert_eq!(Parameters::read(line).url(), None, "{line}");
        }
    }

    #[test]
    fn values_keep_what_is_in_quotes() {
        let parameters = Parameters::read("a=1 ds=\"nocloud;s=http://x/?a=b c\" b=2");

        assert_eq!(parameters.value("ds"), Some("nocloud;s=http://x/?a=b c"));
        assert_eq!(parameters.value("b"), Some("2"));
    }
}
