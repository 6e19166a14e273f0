//! Lists for people and for programs.
//!
//! A list is rows and columns; a column knows its name and how it shows a row. What is printed is
//! decided here, once for all lists.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::CommandError;
use crate::ui::Ui;

/// Blanks between two columns, at least.
const GAP: usize = 2;

/// What stands in a cell with nothing to say.
const NOTHING: &str = "-";

/// How a list is shown.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Do not print the line with the names of the columns
    #[arg(long)]
    no_legend: bool,
    /// Print whole ids and hashes
    #[arg(short = 'l', long)]
    full: bool,
    /// Columns to print, separated by commas
    #[arg(long, value_name = "COLUMNS")]
    fields: Option<String>,
    /// Print a JSON array with whole ids and hashes, for programs
    #[arg(long)]
    json: bool,
}

/// A column of a list whose rows are `Row`.
pub(crate) trait Column: Copy + 'static {
    /// What a line of the list is about.
    type Row;
    /// Every column there is.
    const ALL: &'static [Self];
    /// The columns that are printed when nobody asks for others.
    const DEFAULT: &'static [Self];
    /// The name, as in `--fields`.
    fn name(self) -> &'static str;
    /// What people read; nothing is shown as a dash.
    fn text(self, row: &Self::Row, full: bool) -> String;
    /// What programs read.
    fn value(self, row: &Self::Row) -> Value;
}

impl ListArgs {
    /// Gives the columns to print, or refuses one that there is not.
    pub(crate) fn columns<C: Column>(&self) -> Result<Vec<C>, CommandError> {
        let Some(fields) = &self.fields else { return Ok(C::DEFAULT.to_vec()) };
        if fields.is_empty() {
            return Err(CommandError::usage("Must define output format"));
        }
        fields.split(',').map(column).collect()
    }

    /// Prints the rows.
    pub(crate) fn print<C: Column>(
        &self,
        ui: &Ui,
        columns: &[C],
        rows: &[C::Row],
    ) -> Result<(), CommandError> {
        if self.json {
            let columns = if self.fields.is_some() { columns } else { C::ALL };
            return Ok(ui.json(&objects(columns, rows))?);
        }
        let legend = columns.iter().map(|column| column.name().to_ascii_uppercase());
        let lines = rows
            .iter()
            .map(|row| columns.iter().map(|column| or_dash(column.text(row, self.full))).collect());
        let legend = (!self.no_legend).then(|| legend.collect());
        let lines: Vec<Vec<String>> = legend.into_iter().chain(lines).collect();
        Ok(ui.data(&aligned(&lines))?)
    }
}

fn column<C: Column>(name: &str) -> Result<C, CommandError> {
    let named = C::ALL.iter().find(|column| column.name() == name.trim());
    named.copied().ok_or_else(|| {
        let known: Vec<_> = C::ALL.iter().map(|column| column.name()).collect();
        let nearest = match fleet_units::nearest(name, known.iter().copied()) {
            Some(nearest) => format!("; did you mean \"{nearest}\"?"),
            None => format!("; there are {}", known.join(",")),
        };
        CommandError::usage(format!("Invalid key in output format: \"{name}\"{nearest}"))
    })
}

fn objects<C: Column>(columns: &[C], rows: &[C::Row]) -> Vec<BTreeMap<&'static str, Value>> {
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

fn or_dash(text: String) -> String {
    if text.is_empty() { NOTHING.to_owned() } else { text }
}

/// Pads all cells but the last of a line to the width of their column.
fn aligned(lines: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        for (index, cell) in line.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let mut text = String::new();
    for line in lines {
        for (index, cell) in line.iter().enumerate() {
            text.push_str(cell);
            if index + 1 < line.len() {
                let padding = widths[index] - cell.chars().count() + GAP;
                text.extend(std::iter::repeat_n(' ', padding));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_at_least_two_blanks_apart_and_lines_end_without_blanks() {
        let lines = [["UNIT", "SUB"], ["hello.service", "running"], ["ä.service", "dead"]];
        let lines = lines.map(|line| line.map(str::to_owned).to_vec());
        assert_eq!(
            aligned(&lines),
            "UNIT           SUB\nhello.service  running\nä.service      dead\n"
        );
    }
}
