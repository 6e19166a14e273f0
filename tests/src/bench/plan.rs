//! `bench plan`: the planner alone, without store and network.

use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::bench::error::BenchError;
use crate::bench::figures::{Verdict, thousands};
use crate::bench::report::{Load, Report};
use crate::command::{self, CommandError};
use crate::error::Error;
use crate::source::cargo;

/// Placements in a second, at up to so many machines.
const SMALL: (u32, f64) = (1000, 100_000.0);
const LARGE: f64 = 50_000.0;

/// Placements in a second of units with directives.
const DIRECTIVES: f64 = 10_000.0;

/// Microseconds for one more unit.
const ONE_MORE: f64 = 100.0;

/// The scenario whose units have no directives.
const PLAIN: &str = "plain";

/// One line of the planner's own benchmark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Scenario {
    scenario: String,
    machines: u32,
    units: u32,
    placements_per_second: f64,
    one_more_us: f64,
}

impl Scenario {
    fn budget(&self) -> f64 {
        match self.scenario == PLAIN {
            true if self.machines <= SMALL.0 => SMALL.1,
            true => LARGE,
            false => DIRECTIVES,
        }
    }
}

pub(crate) fn run(units: u32) -> Result<Report, Error> {
    let load = Load::now();
    let program = ["--package", "fleetd", "--example", "plan", "--", "--json"];
    let mut line = cargo(["run", "--quiet", "--release"].into_iter().chain(program));
    let output = line.arg(format!("--units={units}")).stderr(Stdio::inherit()).output();
    let output = output.map_err(|source| start_error(&line, source))?;
    if !output.status.success() {
        return Err(Error::Told);
    }
    Ok(report(&scenarios(&String::from_utf8_lossy(&output.stdout))?, &load)?)
}

fn start_error(line: &Command, source: std::io::Error) -> CommandError {
    CommandError::Start { line: command::line(line), source }
}

/// Reads one JSON object per line; a benchmark may print other lines.
fn scenarios(printed: &str) -> Result<Vec<Scenario>, BenchError> {
    let objects = printed.lines().filter(|line| line.trim_start().starts_with('{'));
    objects
        .map(|line| {
            serde_json::from_str(line).map_err(|error| {
                BenchError::unreadable(
                    "a line of the planner's benchmark",
                    &format!("{error}: {line}"),
                )
            })
        })
        .collect()
}

fn report(scenarios: &[Scenario], load: &Load) -> Result<Report, BenchError> {
    if scenarios.is_empty() {
        return Err(BenchError::NoSamples);
    }
    let titles = ["SCENARIO", "MACHINES", "UNITS", "PLACEMENTS", "ONE MORE", "LOAD"];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    let (mut lines, mut verdicts) = (Vec::new(), Vec::new());
    for found in scenarios {
        let placements = Verdict::at_least(found.placements_per_second, found.budget(), "/s");
        let one_more = Verdict::at_most(found.one_more_us, ONE_MORE, 1, " us");
        let machines = thousands(f64::from(found.machines));
        let units = thousands(f64::from(found.units));
        lines.push(format!(
            "plan: {} {units} units on {machines} machines: {} placed, {}; one more unit {}, {}",
            found.scenario,
            placements.figure,
            placements.budget(),
            one_more.figure,
            one_more.budget()
        ));
        let (placed, added) = (placements.figure.clone(), one_more.figure.clone());
        rows.push(vec![found.scenario.clone(), machines, units, placed, added, load.text()]);
        verdicts.extend([placements, one_more]);
    }
    let data = json!({ "load": load, "scenarios": scenarios });
    Ok(Report { bench: "plan", rows, lines, verdicts, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = r#"
        {"scenario":"plain","machines":1000,"units":10000,"placements_per_second":123456.7,"one_more_us":12.3}
        {"scenario":"plain","machines":5000,"units":10000,"placements_per_second":49999,"one_more_us":100.1}
        {"scenario":"conflicts","machines":5000,"units":10000,"placements_per_second":10000,"one_more_us":9}
    "#;

    #[test]
    fn every_scenario_has_a_line_with_the_budget_for_its_kind() {
        let report = report(&scenarios(PRINTED).unwrap(), &Load::now()).unwrap();

        assert_eq!(
            report.lines,
            [
                "plan: plain 10,000 units on 1,000 machines: 123,457/s placed, \
                 budget 100,000/s; one more unit 12.3 us, budget 100 us",
                "plan: plain 10,000 units on 5,000 machines: 49,999/s placed, \
                 budget 50,000/s missed; one more unit 100.1 us, budget 100 us missed",
                "plan: conflicts 10,000 units on 5,000 machines: 10,000/s placed, \
                 budget 10,000/s; one more unit 9.0 us, budget 100 us",
            ]
        );
    }

    #[test]
    fn a_line_that_lacks_a_figure_is_told() {
        let refused = scenarios(r#"{"scenario":"plain"}"#).unwrap_err();

        assert_eq!(
            refused.to_string(),
            "a line of the planner's benchmark cannot be read: \
             missing field `machines` at line 1 column 20: {\"scenario\":\"plain\"}"
        );
        assert!(report(&[], &Load::now()).is_err());
    }
}
