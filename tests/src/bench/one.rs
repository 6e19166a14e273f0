//! `bench one`: how long one start takes when nothing else happens.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::bench::clock::time;
use crate::bench::error::BenchError;
use crate::bench::figures::{Verdict, median, p99};
use crate::bench::ground::{Ground, names};
use crate::bench::report::{Load, Report};
use crate::error::Error;
use crate::ui;

/// So many milliseconds may `fleetctl start` take longer than `systemctl start`.
const BUDGET: f64 = 60.0;

/// One start of a new unit by fleet, then one by bare systemd, in milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Sample {
    fleet: f64,
    floor: f64,
}

pub(crate) fn run(ground: &Ground, units: u32) -> Result<Report, Error> {
    let load = Load::now();
    let ours = names(1..=units);
    let theirs = names(units + 1..=2 * units);
    ground.write_bare(&theirs)?;
    ui::note(format_args!("starting {units} units one by one, in turns with bare systemd"));
    let mut samples = Vec::new();
    for (ours, theirs) in ours.chunks(1).zip(theirs.iter().enumerate()) {
        let (fleet, started) = time(|| ground.fleetctl_units("start", ours));
        started?;
        let (floor, started) = time(|| ground.start_bare_on(theirs.0, theirs.1));
        started?;
        samples.push(Sample { fleet: milliseconds(fleet), floor: milliseconds(floor) });
    }
    ground.expect_active(ours.len() + theirs.len())?;
    ground.fleetctl_units("destroy", &ours)?;
    ground.stop_bare(&theirs)?;
    ground.expect_gone()?;
    Ok(report(ground.hosts().len(), &load, &samples)?)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn report(hosts: usize, load: &Load, samples: &[Sample]) -> Result<Report, BenchError> {
    let fleet: Vec<_> = samples.iter().map(|sample| sample.fleet).collect();
    let floor: Vec<_> = samples.iter().map(|sample| sample.floor).collect();
    let middle = |samples: &[f64]| median(samples).ok_or(BenchError::NoSamples);
    let worst = |samples: &[f64]| p99(samples).ok_or(BenchError::NoSamples);
    let over = middle(&fleet)? - middle(&floor)?;
    let verdict = Verdict::at_most(over, BUDGET, 0, " ms");
    let row = |what: &str, samples: &[f64]| {
        let cell = |figure: f64| format!("{figure:.0} ms");
        Ok(vec![what.to_owned(), cell(middle(samples)?), cell(worst(samples)?), load.text()])
    };
    let titles = ["WHAT", "MEDIAN", "P99", "LOAD"].map(str::to_owned).to_vec();
    let line = format!(
        "one: a unit on {hosts} hosts in {:.0} ms (p99 {:.0} ms of {}), \
         bare systemd {:.0} ms (p99 {:.0} ms), {} over it, {}",
        middle(&fleet)?,
        worst(&fleet)?,
        samples.len(),
        middle(&floor)?,
        worst(&floor)?,
        verdict.figure,
        verdict.budget()
    );
    Ok(Report {
        bench: "one",
        rows: vec![titles, row("fleet", &fleet)?, row("bare systemd", &floor)?],
        lines: vec![line],
        verdicts: vec![verdict],
        data: json!({
            "hosts": hosts,
            "order": "fleet, bare systemd, alternating",
            "load": load,
            "milliseconds": samples,
            "fleet": { "median": middle(&fleet)?, "p99": worst(&fleet)? },
            "floor": { "median": middle(&floor)?, "p99": worst(&floor)? },
            "over": over,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_for_what_fleet_adds_to_systemd() {
        let sample = |fleet, floor| Sample { fleet, floor };
        let samples = [sample(70.0, 21.0), sample(81.0, 20.0), sample(83.5, 40.0)];

        let report = report(3, &Load::now(), &samples).unwrap();

        assert_eq!(
            report.lines,
            ["one: a unit on 3 hosts in 81 ms (p99 84 ms of 3), \
              bare systemd 21 ms (p99 40 ms), 60 ms over it, budget 60 ms"]
        );
        assert!(report.verdicts[0].met);
    }
}
