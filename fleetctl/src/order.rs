//! The order of a list's rows: `--sort active,-unit`.

use std::cmp::Ordering;

use crate::error::CommandError;
use crate::table::Column;
use crate::words;

/// Columns to sort by, the first before the others.
#[derive(Clone, Debug)]
pub(crate) struct Order<C>(Vec<(C, bool)>);

impl<C: Column> Order<C> {
    /// Reads the value of `--sort`.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, CommandError> {
        let Some(text) = text else { return Ok(Self(Vec::new())) };
        let key = |word: &str| {
            let word = word.trim();
            let (name, down) = word.strip_prefix('-').map_or((word, false), |name| (name, true));
            let known = C::ALL.iter().map(|column| (column.name(), *column));
            Ok((words::known("key in sort order", name, known)?, down))
        };
        Ok(Self(text.split(',').map(key).collect::<Result<_, CommandError>>()?))
    }

    /// Whether a column is sorted by.
    pub(crate) fn needs(&self, column: C) -> bool {
        self.0.iter().any(|(key, _)| *key == column)
    }

    /// Sorts rows; those that are equal keep their order.
    pub(crate) fn sort(&self, rows: &mut [C::Row]) {
        if !self.0.is_empty() {
            rows.sort_by_cached_key(|row| self.place(row));
        }
    }

    fn place(&self, row: &C::Row) -> Vec<Place> {
        let place =
            |(column, down): &(C, bool)| Place { text: column.text(row, true), down: *down };
        self.0.iter().map(place).collect()
    }
}

/// A cell as rows are sorted by it: what is empty comes last, up and down.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    text: String,
    down: bool,
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.is_empty().cmp(&other.text.is_empty()).then_with(|| {
            let order = natural(&self.text, &other.text);
            if self.down { order.reverse() } else { order }
        })
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Compares texts in which digits are numbers: `web@2` comes before `web@10`.
fn natural(left: &str, right: &str) -> Ordering {
    let by_parts = parts(left).cmp(parts(right));
    by_parts.then_with(|| left.cmp(right))
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    /// A number of any size: its length, then its digits, without zeros in front.
    Number(usize, &'a str),
    Text(char),
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        if digits > 0 {
            rest = after;
            let number = number.trim_start_matches('0');
            return Some(Part::Number(number.len(), number));
        }
        let mut letters = rest.chars();
        let letter = letters.next()?;
        rest = letters.as_str();
        Some(Part::Text(letter))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_numbers() {
        let mut texts = vec![
            "web@10.service",
            "10.0.0.10",
            "web@2.service",
            "web@b",
            "10.0.0.9",
            "web@02.service",
            "99999999999999999999999999",
            "",
            "100000000000000000000000000",
        ];
        texts.sort_by(|left, right| natural(left, right));
        assert_eq!(
            texts,
            [
                "",
                "10.0.0.9",
                "10.0.0.10",
                "99999999999999999999999999",
                "100000000000000000000000000",
                "web@02.service",
                "web@2.service",
                "web@10.service",
                "web@b",
            ]
        );
    }

    #[test]
    fn what_is_empty_comes_last_up_and_down() {
        for (down, expected) in [(false, ["1", "2", ""]), (true, ["2", "1", ""])] {
            let mut places = ["", "2", "1"].map(|text| Place { text: text.to_owned(), down });
            places.sort();
            assert_eq!(places.map(|place| place.text), expected);
        }
    }
}
