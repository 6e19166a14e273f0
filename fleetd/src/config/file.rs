//! The format of fleet.conf: `key=value` lines before any section. configparser splits keys from
//! values; what it cannot do is done before it: joining continued lines, telling comments from
//! quoted `#` and `;`, and knowing which line a setting came from. No fault quotes more than a name:
//! the rest may be a password.

use std::collections::BTreeMap;

use configparser::ini::{Ini, IniDefault};

/// A setting with its line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// First line of the setting.
    pub(super) line: usize,
    /// Its name, in lower case.
    pub(super) name: String,
    /// Its value, without quotes around it.
    pub(super) value: String,
}

/// A line that is no setting.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The line.
    pub(super) line: usize,
    /// What is wrong with it.
    pub(super) sentence: String,
}

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    /// Its settings, in the order of their lines; of several with one name the last.
    pub(super) entries: Vec<Entry>,
    /// Its faults, in the order of their lines.
    pub(super) faults: Vec<Fault>,
}

/// Takes a file apart.
pub(super) fn parse(text: &str) -> File {
    let mut lines = BTreeMap::new();
    let mut clean = String::new();
    let mut file = File::default();
    for (line, raw) in joined(text) {
        match sort_out(&raw) {
            Ok(None) => {}
            Ok(Some((name, setting))) => {
                clean.push_str(&setting);
                clean.push('\n');
                lines.insert(name, line);
            }
            Err(sentence) => file.faults.push(Fault { line, sentence }),
        }
    }
    let Ok(sections) = reader().read(clean) else {
        // Its own words would quote values.
        let sentence = "these lines are no settings: write key=value".to_owned();
        file.faults.push(Fault { line: 1, sentence });
        return file;
    };
    let entry = |(name, value): (String, Option<String>)| {
        let line = *lines.get(&name)?;
        Some(Entry { line, name, value: unquote(&value.unwrap_or_default()) })
    };
    file.entries = sections.into_values().flatten().filter_map(entry).collect();
    file.entries.sort_by_key(|entry| entry.line);
    file
}

fn reader() -> Ini {
    let mut defaults = IniDefault::default();
    defaults.case_sensitive = true;
    defaults.delimiters = vec!['='];
    // Comments are gone already, and configparser would cut `user_password=a#b`.
    defaults.inline_comment_symbols = Some(Vec::new());
    Ini::new_from_defaults(defaults)
}

/// Lines with their numbers, those that end in a backslash joined to the next.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (index, raw) in text.lines().enumerate() {
        let (part, continued) = match raw.trim_end().strip_suffix('\\') {
            Some(part) if open || !is_comment(raw) => (part, true),
            _ => (raw, false),
        };
        match lines.last_mut() {
            Some((_, line)) if open => line.push_str(part.trim_start()),
            _ => lines.push((index + 1, part.to_owned())),
        }
        open = continued;
    }
    lines
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', ';'])
}

/// The setting of a line with its name in lower case, nothing for an empty line.
fn sort_out(raw: &str) -> Result<Option<(String, String)>, String> {
    let line = raw.trim();
    if line.is_empty() || is_comment(line) {
        return Ok(None);
    }
    if line.starts_with('[') {
        return Err("fleet.conf has no sections: remove this line".to_owned());
    }
    let Some((name, value)) = line.split_once('=') else {
        let is_of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let name = line.split(|letter| !is_of_name(letter)).next().unwrap_or_default();
        return Err(format!("{name:?} is no setting: write key=value"));
    };
    let name = name.trim().to_lowercase();
    if name.is_empty() {
        return Err("a value without the name of a setting: write key=value".to_owned());
    }
    let value = without_comment(value)?;
    let setting = format!("{name}={}", value.trim());
    Ok(Some((name, setting)))
}

/// The value up to the first `#` or `;` that stands outside quotes. A quote is opened where a word
/// may begin; an apostrophe within a word quotes nothing.
fn without_comment(value: &str) -> Result<&str, String> {
    let mut quote = None;
    let mut before = ' ';
    for (position, letter) in value.char_indices() {
        match (quote, letter) {
            (None, '#' | ';') => return Ok(&value[..position]),
            (None, '"' | '\'') if " \t,[=".contains(before) => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            _ => {}
        }
        before = letter;
    }
    match quote {
        Some(open) => Err(format!("the quote {open} is opened and never closed")),
        None => Ok(value),
    }
}

/// Takes off quotes around the whole value; `"a","b"` is a list and keeps its own.
fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner
            && !inner.contains(quote)
        {
            return inner.to_owned();
        }
    }
    value.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(usize, String, String)> {
        let file = parse(text);
        assert_eq!(file.faults, [], "faults in {text:?}");
        file.entries.into_iter().map(|entry| (entry.line, entry.name, entry.value)).collect()
    }

    fn entry(line: usize, name: &str, value: &str) -> (usize, String, String) {
        (line, name.to_owned(), value.to_owned())
    }

    #[test]
    fn comments_and_blank_lines_say_nothing_and_are_counted() {
        let text = "# one\n\n  ; two \\\nverbosity=1 # loud\n\tagent_ttl = 5s ; short\n";

        assert_eq!(entries(text), [entry(4, "verbosity", "1"), entry(5, "agent_ttl", "5s")]);
    }

    #[test]
    fn quotes_keep_what_would_be_a_comment() {
        let text = "etcd_password=\"a#b;c\"\netcd_username='x y'\n";

        assert_eq!(
            entries(text),
            [entry(1, "etcd_password", "a#b;c"), entry(2, "etcd_username", "x y")]
        );
    }

    #[test]
    fn an_apostrophe_within_a_word_quotes_nothing() {
        let text = "metadata=owner=o'brien # rack 4, left\n";

        assert_eq!(entries(text), [entry(1, "metadata", "owner=o'brien")]);
    }

    #[test]
    fn a_backslash_joins_lines_and_the_first_one_counts() {
        let text = "verbosity=0\netcd_servers=\"http://a,\\\n   http://b\"\nmetadata=x=y\n";

        assert_eq!(
            entries(text),
            [
                entry(1, "verbosity", "0"),
                entry(2, "etcd_servers", "http://a,http://b"),
                entry(4, "metadata", "x=y")
            ]
        );
    }

    #[test]
    fn lists_keep_their_quotes_and_values_their_equal_signs() {
        let text = "Etcd_Servers=[\"http://a\", \"http://b\"]\nmetadata=\"a=1\",\"b=2\"\n";

        assert_eq!(
            entries(text),
            [
                entry(1, "etcd_servers", "[\"http://a\", \"http://b\"]"),
                entry(2, "metadata", "\"a=1\",\"b=2\"")
            ]
        );
    }

    #[test]
    fn the_last_of_several_lines_with_one_name_counts() {
        assert_eq!(entries("verbosity=1\nVERBOSITY=2\n"), [entry(2, "verbosity", "2")]);
    }

    #[test]
    fn lines_that_are_no_settings_are_all_reported() {
        let file = parse("[fleet]\nverbosity\n= 3\netcd_password=\"open\netcd_password: hidden\n");

        let faults: Vec<_> =
            file.faults.iter().map(|fault| (fault.line, fault.sentence.as_str())).collect();
        assert_eq!(
            faults,
            [
                (1, "fleet.conf has no sections: remove this line"),
                (2, "\"verbosity\" is no setting: write key=value"),
                (3, "a value without the name of a setting: write key=value"),
                (4, "the quote \" is opened and never closed"),
                (5, "\"etcd_password\" is no setting: write key=value"),
            ]
        );
        assert_eq!(file.entries, []);
    }
}
