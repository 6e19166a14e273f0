//! What a scalar means, by the type that is wanted: the rules of YAML 1.1 as documents for CoreOS
//! were read.

use super::{Scalar, Style};

const TRUE: [&str; 11] = ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"];

const FALSE: [&str; 11] =
    ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"];

const NULL: [&str; 5] = ["", "~", "null", "Null", "NULL"];

impl Scalar {
    /// Whether it says nothing.
    pub(crate) fn is_null(&self) -> bool {
        self.is_plain() && NULL.contains(&self.text.as_str())
    }

    /// A word of truth without quotes.
    pub(crate) fn truth(&self) -> Option<bool> {
        self.is_plain().then(|| truth_of(&self.text)).flatten()
    }

    /// A number without quotes.
    pub(crate) fn number(&self) -> Option<Number> {
        self.is_plain().then(|| number_of(&self.text)).flatten()
    }

    fn is_plain(&self) -> bool {
        self.style == Style::Plain && !self.binary
    }
}

/// The truth that a word stands for.
pub(crate) fn truth_of(word: &str) -> Option<bool> {
    let is_true = TRUE.contains(&word);
    (is_true || FALSE.contains(&word)).then_some(is_true)
}

/// A number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    Whole(i64),
    Real(f64),
}

/// Reads a number: with `_` between digits, in base 16 after `0x`, 8 after `0` and 2 after `0b`.
pub(crate) fn number_of(text: &str) -> Option<Number> {
    let first = text.chars().next()?;
    if !(first.is_ascii_digit() || matches!(first, '+' | '-' | '.')) {
        return None;
    }
    let digits = text.replace('_', "");
    whole(&digits).map(Number::Whole).or_else(|| real(&digits).map(Number::Real))
}

fn whole(digits: &str) -> Option<i64> {
    let (sign, magnitude) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits.strip_prefix('+').unwrap_or(digits)),
    };
    let (radix, magnitude) = match magnitude.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (16, &magnitude[2..]),
        Some("0b") => (2, &magnitude[2..]),
        Some("0o") => return None,
        _ if magnitude.len() > 1 && magnitude.starts_with('0') => (8, &magnitude[1..]),
        _ => (10, magnitude),
    };
    let starts_well = magnitude.chars().next().is_some_and(|first| first.is_digit(radix));
    starts_well.then(|| i64::from_str_radix(&format!("{sign}{magnitude}"), radix).ok()).flatten()
}

fn real(digits: &str) -> Option<f64> {
    let is_decimal =
        digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    digits.parse().ok().filter(|number: &f64| is_decimal && number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar { text: text.to_owned(), style: Style::Plain, binary: false, tokens: Vec::new() }
    }

    #[test]
    fn truth_is_one_of_twenty_two_words() {
        for word in TRUE {
            assert_eq!(plain(word).truth(), Some(true), "{word}");
        }
        for word in FALSE {
            assert_eq!(plain(word).truth(), Some(false), "{word}");
        }
        for word in ["yES", "1", "0", "", "tru", "enabled"] {
            assert_eq!(plain(word).truth(), None, "{word}");
        }
    }

    #[test]
    fn quotes_make_text() {
        for word in ["yes", "12", "~"] {
            let quoted = Scalar { style: Style::Text, ..plain(word) };
            assert_eq!((quoted.truth(), quoted.number(), quoted.is_null()), (None, None, false));
        }
    }

    #[test]
    fn numbers_are_read_as_yaml_1_1_has_them() {
        for (text, expected) in [
            ("010", Some(Number::Whole(8))),
            ("0x10", Some(Number::Whole(16))),
            ("0b1010", Some(Number::Whole(10))),
            ("1_000", Some(Number::Whole(1000))),
            ("685_230", Some(Number::Whole(685_230))),
            ("-12", Some(Number::Whole(-12))),
            ("+1", Some(Number::Whole(1))),
            ("0", Some(Number::Whole(0))),
            ("08", Some(Number::Real(8.0))),
            ("1e4", Some(Number::Real(10000.0))),
            ("685.23", Some(Number::Real(685.23))),
            (".5", Some(Number::Real(0.5))),
            ("50cent_of_dollar", None),
            ("-b_c", None),
            ("+b_c", None),
            ("1:30", None),
            ("0o17", None),
            ("10.0.0.5", None),
            ("--1", None),
            ("0x-1", None),
            ("", None),
            (".inf", None),
        ] {
            assert_eq!(number_of(text), expected, "{text}");
        }
    }
}
