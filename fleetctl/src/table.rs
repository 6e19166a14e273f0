//! Tables for people and objects for programs.
//!
//! A list is rows and columns; a column knows its name and how it shows a row. How that looks is
//! decided here, once for all lists.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::filter::{Key, Subject};
use crate::terminal::{Tone, clipped, harmless, painted};

/// Blanks between two columns, at least.
const GAP: usize = 2;

/// What stands in a cell with nothing to say.
const NOTHING: &str = "-";

/// A column of a list whose rows are `Row`.
pub(crate) trait Column: Copy + PartialEq + 'static {
    /// What a line of the list is about.
    type Row;
    /// Every column there is.
    const ALL: &'static [Self];
    /// The columns that are printed when nobody asks for others.
    const DEFAULT: &'static [Self];
    /// What rows can be chosen by.
    const KEYS: &'static [Key];
    /// The states that rows can be in, the usual ones first.
    const STATES: &'static [&'static str];
    /// The name, as in `--fields`.
    fn name(self) -> &'static str;
    /// What people read; nothing is shown as a dash.
    fn text(self, row: &Self::Row, full: bool) -> String;
    /// What programs read.
    fn value(self, row: &Self::Row) -> Value;
    /// What conditions look at.
    fn subject(row: &Self::Row) -> Subject<'_>;
    /// How it is to strike the eye.
    fn tone(self, _row: &Self::Row) -> Tone {
        Tone::Plain
    }
    /// The column to use in its place, if only old scripts should name it.
    fn successor(self) -> Option<Self> {
        None
    }
}

/// How a table looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Whether the names of the columns stand above.
    pub(crate) legend: bool,
    /// Whether ids and hashes are whole.
    pub(crate) full: bool,
    /// Whether it is coloured.
    pub(crate) colours: bool,
    /// The width that lines are cut to.
    pub(crate) width: Option<usize>,
}

#[derive(Clone, Debug)]
struct Cell {
    text: String,
    tone: Tone,
}

/// Gives the lines of a table.
pub(crate) fn table<C: Column>(columns: &[C], rows: &[C::Row], look: Look) -> Vec<String> {
    let heading =
        |column: &C| Cell { text: column.name().to_ascii_uppercase(), tone: Tone::Heading };
    let cell = |column: &C, row: &C::Row| Cell {
        text: shown(&column.text(row, look.full)),
        tone: column.tone(row),
    };
    let legend = look.legend.then(|| columns.iter().map(heading).collect());
    let lines = rows.iter().map(|row| columns.iter().map(|column| cell(column, row)).collect());
    let lines: Vec<Vec<Cell>> = legend.into_iter().chain(lines).collect();
    let widths = widths(&lines);
    lines.iter().map(|line| aligned(line, &widths, look)).collect()
}

/// Gives an object for each row.
pub(crate) fn objects<C: Column>(
    columns: &[C],
    rows: &[C::Row],
) -> Vec<BTreeMap<&'static str, Value>> {
    let object = |row| columns.iter().map(|column| (column.name(), column.value(row))).collect();
    rows.iter().map(object).collect()
}

/// Shows a hash, in short if not in full.
pub(crate) fn hash(hash: &str, full: bool) -> String {
    const SHORT: usize = 7;
    if full { hash.to_owned() } else { hash.chars().take(SHORT).collect() }
}

/// Gives text to programs, for which nothing is `null` and not empty.
pub(crate) fn text_or_null(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::from(text) }
}

fn shown(text: &str) -> String {
    if text.is_empty() { NOTHING.to_owned() } else { harmless(text) }
}

fn widths(lines: &[Vec<Cell>]) -> Vec<usize> {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        for (index, cell) in line.iter().enumerate() {
            let width = cell.text.chars().count();
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    widths
}

/// Pads all cells but the last to the width of their column.
fn aligned(line: &[Cell], widths: &[usize], look: Look) -> String {
    let mut text = String::new();
    let mut left = look.width.unwrap_or(usize::MAX);
    let mut padding = 0;
    for (cell, width) in line.iter().zip(widths) {
        if left <= padding {
            break;
        }
        text.extend(std::iter::repeat_n(' ', padding));
        left -= padding;
        let clipped = clipped(&cell.text, left);
        let taken = clipped.chars().count();
        text.push_str(&if look.colours { painted(&clipped, cell.tone) } else { clipped });
        left -= taken;
        padding = width.saturating_sub(taken) + GAP;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Look = Look { legend: true, full: false, colours: false, width: None };

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Nth(usize);

    impl Column for Nth {
        type Row = [&'static str; 2];
        const ALL: &'static [Self] = &[Self(0), Self(1)];
        const DEFAULT: &'static [Self] = Self::ALL;
        const KEYS: &'static [Key] = &[];
        const STATES: &'static [&'static str] = &[];

        fn name(self) -> &'static str {
            ["unit", "sub"][self.0]
        }

        fn text(self, row: &Self::Row, _full: bool) -> String {
            row[self.0].to_owned()
        }

        fn value(self, row: &Self::Row) -> Value {
            text_or_null(row[self.0])
        }

        fn subject(_row: &Self::Row) -> Subject<'_> {
            Subject::default()
        }

        fn tone(self, row: &Self::Row) -> Tone {
            if row[self.0] == "dead" { Tone::Bad } else { Tone::Plain }
        }
    }

    const ROWS: [[&str; 2]; 3] =
        [["hello.service", "running"], ["\u{e4}.service", "dead"], ["a\tb\u{1b}[2J", ""]];

    fn printed(look: Look) -> String {
        table(Nth::ALL, &ROWS, look).join("\n")
    }

    #[test]
    fn columns_are_at_least_two_blanks_apart_and_lines_end_without_blanks() {
        assert_eq!(
            printed(PLAIN),
            "UNIT           SUB\n\
             hello.service  running\n\
             \u{e4}.service      dead\n\
             a b [2J        -"
        );
    }

    #[test]
    fn colours_do_not_move_anything() {
        assert_eq!(
            printed(Look { colours: true, ..PLAIN }),
            "\u{1b}[1mUNIT\u{1b}[0m           \u{1b}[1mSUB\u{1b}[0m\n\
             hello.service  running\n\
             \u{e4}.service      \u{1b}[31mdead\u{1b}[0m\n\
             a b [2J        -"
        );
    }

    #[test]
    fn lines_are_cut_to_the_width_that_there_is() {
        let width = |width| printed(Look { width: Some(width), legend: false, ..PLAIN });
        assert_eq!(
            width(20),
            "hello.service  runn\u{2026}\n\u{e4}.service      dead\na b [2J        -"
        );
        assert_eq!(width(15), "hello.service\n\u{e4}.service\na b [2J");
        assert_eq!(width(5), "hell\u{2026}\n\u{e4}.se\u{2026}\na b \u{2026}");
    }
}
