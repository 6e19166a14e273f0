//! What a benchmark tells: samples as a table, then one line for each figure that has a budget.

use std::fs;

use serde::Serialize;
use serde_json::{Value, json};

use crate::bench::figures::Verdict;

/// What a benchmark found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Report {
    /// Its name on the command line.
    pub(crate) bench: &'static str,
    /// The samples for people: titles first.
    pub(crate) rows: Vec<Vec<String>>,
    /// Figures in sentences; the last one is the answer.
    pub(crate) lines: Vec<String>,
    /// Every figure that has a budget.
    pub(crate) verdicts: Vec<Verdict>,
    /// All samples, and what they were taken of.
    pub(crate) data: Value,
}

impl Report {
    /// The samples, then the lines.
    pub(crate) fn text(&self) -> String {
        let mut text = table(&self.rows);
        for line in &self.lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// One object with everything in it.
    pub(crate) fn json(&self) -> Value {
        let Self { bench, rows: _, lines, verdicts, data } = self;
        let met = verdicts.iter().all(|verdict| verdict.met);
        json!({ "bench": bench, "lines": lines, "met": met, "verdicts": verdicts, "data": data })
    }
}

/// What else the machine was doing, as the kernel's load averages over 1, 5 and 15 minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Load(String);

impl Load {
    /// As it is now.
    pub(crate) fn now() -> Self {
        // Figures without it are better than none.
        Self::of(&fs::read_to_string("/proc/loadavg").unwrap_or_default())
    }

    fn of(loadavg: &str) -> Self {
        Self(loadavg.split(' ').next().unwrap_or_default().to_owned())
    }

    /// The first of them.
    pub(crate) fn text(&self) -> String {
        self.0.clone()
    }
}

fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<_> = (0..columns)
        .map(|column| rows.iter().filter_map(|row| row.get(column)).map(String::len).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        Report {
            bench: "start",
            rows: vec![row(["RUN", "FLEET"]), row(["1", "1.98 s"])],
            lines: vec!["start: budget 1.3 missed".to_owned()],
            verdicts: vec![Verdict::at_most(1.4, 1.3, 2, "")],
            data: json!({ "units": 500 }),
        }
    }

    #[test]
    fn the_answer_is_the_last_line() {
        assert_eq!(report().text(), "RUN  FLEET\n1    1.98 s\nstart: budget 1.3 missed\n");
    }

    #[test]
    fn json_holds_all_samples_and_whether_every_budget_was_met() {
        assert_eq!(
            report().json(),
            json!({
                "bench": "start",
                "lines": ["start: budget 1.3 missed"],
                "met": false,
                "verdicts": [{ "figure": "1.40", "budget": "1.3", "met": false }],
                "data": { "units": 500 },
            })
        );
    }

    #[test]
    fn the_load_is_that_of_the_last_minute() {
        assert_eq!(Load::of("0.69 0.81 0.38 1/204 1234\n").text(), "0.69");
    }
}
