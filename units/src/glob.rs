//! Patterns for unit names, with the syntax of Go's `path.Match`, in which 1.0's users wrote them.

use std::fmt;
use std::iter::Peekable;
use std::str::{Chars, FromStr};

/// A pattern: `*` and `?` stop at `/`, `[a-z]` and `[^a-z]` are classes, `\` takes the next
/// character as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob {
    pattern: String,
    /// `None` for a malformed pattern, which matches nothing.
    parts: Option<Vec<Part>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Part {
    Star,
    Any,
    Literal(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Takes any text for a pattern; a malformed one matches nothing.
    #[must_use]
    pub fn lenient(pattern: &str) -> Self {
        Self { pattern: pattern.to_owned(), parts: compile(pattern) }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// Whether the pattern is malformed and matches nothing.
    #[must_use]
    pub const fn is_malformed(&self) -> bool {
        self.parts.is_none()
    }

    /// The name that alone can match, if the pattern has no wildcards.
    #[must_use]
    pub fn as_literal(&self) -> Option<String> {
        self.parts.as_ref()?.iter().map(Part::literal).collect()
    }

    /// Whether the whole of `text` matches.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.parts.as_ref().is_some_and(|parts| matches(parts, text))
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(pattern: &str) -> Result<Self, GlobError> {
        let glob = Self::lenient(pattern);
        if glob.is_malformed() { Err(GlobError(glob.pattern)) } else { Ok(glob) }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.pattern)
    }
}

/// The text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed pattern {0:?}: close each \"[\" with \"]\" and write \"\\\\\" for a backslash")]
pub struct GlobError(String);

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Star | Self::Any => c != '/',
            Self::Literal(literal) => *literal == c,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }

    const fn literal(&self) -> Option<char> {
        match self {
            Self::Literal(literal) => Some(*literal),
            Self::Star | Self::Any | Self::Class { .. } => None,
        }
    }
}

fn compile(pattern: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        parts.push(match c {
            '*' => Part::Star,
            '?' => Part::Any,
            '\\' => Part::Literal(chars.next()?),
            '[' => compile_class(&mut chars)?,
            _ => Part::Literal(c),
        });
    }
    Some(parts)
}

fn compile_class(chars: &mut Peekable<Chars<'_>>) -> Option<Part> {
    let negated = chars.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
        let low = class_char(chars)?;
        let high = if chars.next_if_eq(&'-').is_some() { class_char(chars)? } else { low };
        ranges.push((low, high));
    }
    Some(Part::Class { negated, ranges })
}

fn class_char(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next(),
        c => Some(c),
    }
}

/// Tries each star with as little as it can take, and only ever reconsiders the last one: time is
/// at most the product of the lengths.
fn matches(parts: &[Part], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut part, mut at) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    loop {
        match (parts.get(part), text.get(at)) {
            (None, None) => return true,
            (Some(Part::Star), _) => {
                last_star = Some((part, at));
                part += 1;
                continue;
            }
            (Some(wanted), Some(c)) if wanted.takes(*c) => {
                part += 1;
                at += 1;
                continue;
            }
            _ => {}
        }
        let Some((star, taken_to)) = last_star else { return false };
        match text.get(taken_to) {
            Some(c) if Part::Star.takes(*c) => {
                last_star = Some((star, taken_to + 1));
                part = star + 1;
                at = taken_to + 1;
            }
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go's own table for `path.Match`, and patterns that 1.0's users wrote.
    const TABLE: &[(&str, &str, Option<bool>)] = &[
        ("foo@*.service", "foo@12.service", Some(true)),
        ("foo@[abc].service", "foo@b.service", Some(true)),
        ("foo@[abc].service", "foo@d.service", Some(false)),
        ("foo@?.service", "foo@1.service", Some(true)),
        ("foo@?.service", "foo@12.service", Some(false)),
        ("*", "foo.service", Some(true)),
        ("abc", "abc", Some(true)),
        ("", "", Some(true)),
        ("", "a", Some(false)),
        ("*c", "abc", Some(true)),
        ("a*", "a", Some(true)),
        ("a*", "abc", Some(true)),
        ("a*", "ab/c", Some(false)),
        ("a*/b", "abc/b", Some(true)),
        ("a*/b", "a/c/b", Some(false)),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", Some(true)),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f", Some(true)),
        ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", Some(false)),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", Some(false)),
        ("a*b?c*x", "abxbbxdbxebxczzx", Some(true)),
        ("a*b?c*x", "abxbbxdbxebxczzy", Some(false)),
        ("ab[c]", "abc", Some(true)),
        ("ab[b-d]", "abc", Some(true)),
        ("ab[e-g]", "abc", Some(false)),
        ("ab[^c]", "abc", Some(false)),
        ("ab[^b-d]", "abc", Some(false)),
        ("ab[^e-g]", "abc", Some(true)),
        ("a\\*b", "a*b", Some(true)),
        ("a\\*b", "ab", Some(false)),
        ("a?b", "a\u{263a}b", Some(true)),
        ("a[^a]b", "a\u{263a}b", Some(true)),
        ("a???b", "a\u{263a}b", Some(false)),
        ("[a-\u{3b6}]*", "\u{3b1}", Some(true)),
        ("*[a-\u{3b6}]", "A", Some(false)),
        ("a?b", "a/b", Some(false)),
        ("a*b", "a/b", Some(false)),
        ("[\\]a]", "]", Some(true)),
        ("[\\-]", "-", Some(true)),
        ("[x\\-]", "x", Some(true)),
        ("[x\\-]", "z", Some(false)),
        ("[\\-x]", "-", Some(true)),
        ("[b-a]", "a", Some(false)),
        ("[]a]", "]", None),
        ("[-]", "-", None),
        ("[x-]", "x", None),
        ("[-x]", "x", None),
        ("\\", "a", None),
        ("[a-b-c]", "a", None),
        ("[", "a", None),
        ("[^", "a", None),
        ("[^bc", "a", None),
        ("a[", "ab", None),
        ("[]", "a", None),
        ("*x", "xxx", Some(true)),
    ];

    #[test]
    fn patterns_match_as_in_go_and_malformed_ones_are_told() {
        for (pattern, text, expected) in TABLE {
            let matched = pattern.parse::<Glob>().ok().map(|glob| glob.matches(text));
            assert_eq!(matched, *expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_malformed_pattern_that_is_kept_matches_nothing() {
        let glob = Glob::lenient("[a");

        assert_eq!((glob.as_str(), glob.is_malformed()), ("[a", true));
        assert!(!glob.matches("[a"));
        assert_eq!(
            "[a".parse::<Glob>().map_err(|error| error.to_string()),
            Err(
                r#"malformed pattern "[a": close each "[" with "]" and write "\\" for a backslash"#
                    .to_owned()
            )
        );
    }

    #[test]
    fn a_pattern_without_wildcards_is_a_name() {
        let literals =
            ["a.service", r"a\*b", "a*", "a?", "[a]"].map(|text| Glob::lenient(text).as_literal());

        assert_eq!(
            literals,
            [Some("a.service".to_owned()), Some("a*b".to_owned()), None, None, None]
        );
    }
}
