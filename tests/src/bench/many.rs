//! `bench start` and `bench destroy`: many units up and down again, by fleet and by bare systemd.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::bench::clock::time;
use crate::bench::error::BenchError;
use crate::bench::figures::{Verdict, median};
use crate::bench::ground::{Ground, names};
use crate::bench::report::{Load, Report};
use crate::error::Error;
use crate::ui;

/// The median of so many runs counts.
const RUNS: usize = 3;

/// Which half of up and down is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Half {
    Start,
    Destroy,
}

impl Half {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Destroy => "destroy",
        }
    }

    /// How many times the floor it may take.
    fn budget(self) -> f64 {
        match self {
            Self::Start => 1.3,
            Self::Destroy => 1.5,
        }
    }
}

/// One run: fleet, then bare systemd, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Sample {
    fleet: f64,
    floor: f64,
    /// Of the machine, before the run.
    load: Load,
}

/// How long up and down took.
struct Cycle {
    start: Duration,
    destroy: Duration,
}

impl Cycle {
    fn half(&self, half: Half) -> f64 {
        match half {
            Half::Start => self.start.as_secs_f64(),
            Half::Destroy => self.destroy.as_secs_f64(),
        }
    }
}

pub(crate) fn run(ground: &Ground, half: Half, units: u32) -> Result<Report, Error> {
    let mut samples = Vec::new();
    for run in 1..=RUNS {
        let load = Load::now();
        let fleet = with_fleet(ground, units)?;
        let floor = with_systemd(ground, units)?;
        ui::note(format_args!(
            "run {run} of {RUNS}: fleet up in {:.2} s and down in {:.2} s, \
             bare systemd in {:.2} s and {:.2} s, load {}",
            fleet.half(Half::Start),
            fleet.half(Half::Destroy),
            floor.half(Half::Start),
            floor.half(Half::Destroy),
            load.text()
        ));
        samples.push(Sample { fleet: fleet.half(half), floor: floor.half(half), load });
    }
    Ok(report(half, units, ground.hosts().len(), &samples)?)
}

fn with_fleet(ground: &Ground, units: u32) -> Result<Cycle, Error> {
    let names = names(1..=units);
    let (start, started) = time(|| ground.fleetctl_units("start", &names));
    started?;
    ground.expect_active(names.len())?;
    ground.settle()?;
    let (destroy, destroyed) = time(|| ground.fleetctl_units("destroy", &names));
    destroyed?;
    ground.expect_gone()?;
    ground.settle()?;
    Ok(Cycle { start, destroy })
}

fn with_systemd(ground: &Ground, units: u32) -> Result<Cycle, Error> {
    let names = names(1..=units);
    ground.stop_fleet()?;
    ground.write_bare(&names)?;
    let (start, started) = time(|| ground.start_bare(&names));
    started?;
    ground.expect_active(names.len())?;
    ground.settle()?;
    let (destroy, destroyed) = time(|| ground.stop_bare(&names));
    destroyed?;
    ground.expect_gone()?;
    ground.start_fleet()?;
    Ok(Cycle { start, destroy })
}

fn report(half: Half, units: u32, hosts: usize, samples: &[Sample]) -> Result<Report, BenchError> {
    let middle = |of: fn(&Sample) -> f64| median(&samples.iter().map(of).collect::<Vec<_>>());
    let fleet = middle(|sample| sample.fleet).ok_or(BenchError::NoSamples)?;
    let floor = middle(|sample| sample.floor).ok_or(BenchError::NoSamples)?;
    let verdict = Verdict::at_most(fleet / floor, half.budget(), 2, "");
    let titles = ["RUN", "FLEET", "BARE SYSTEMD", "RATIO", "LOAD"].map(str::to_owned).to_vec();
    let rows = samples.iter().enumerate().map(|(index, Sample { fleet, floor, load })| {
        let (fleet_time, floor_time) = (format!("{fleet:.2} s"), format!("{floor:.2} s"));
        let ratio = format!("{:.2}", fleet / floor);
        vec![(index + 1).to_string(), fleet_time, floor_time, ratio, load.text()]
    });
    let line = format!(
        "{}: {units} units on {hosts} hosts in {fleet:.2} s, bare systemd {floor:.2} s, ratio {}, {}",
        half.name(),
        verdict.figure,
        verdict.budget()
    );
    Ok(Report {
        bench: half.name(),
        rows: std::iter::once(titles).chain(rows).collect(),
        lines: vec![line],
        verdicts: vec![verdict],
        data: json!({
            "units": units,
            "hosts": hosts,
            "order": "fleet, bare systemd, alternating",
            "samples": samples,
            "fleet": fleet,
            "floor": floor,
            "ratio": fleet / floor,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(fleet: f64, floor: f64) -> Sample {
        Sample { fleet, floor, load: Load::now() }
    }

    #[test]
    fn the_last_line_compares_the_medians() {
        let samples = [sample(1.98, 1.40), sample(2.50, 1.53), sample(1.90, 1.60)];

        assert_eq!(
            report(Half::Start, 500, 3, &samples).unwrap().lines,
            ["start: 500 units on 3 hosts in 1.98 s, bare systemd 1.53 s, ratio 1.29, budget 1.3"]
        );
    }

    #[test]
    fn destroying_may_take_half_as_long_again_as_stopping() {
        let report = |fleet| report(Half::Destroy, 500, 3, &[sample(fleet, 1.0)]).unwrap();

        assert_eq!(
            report(1.5).lines,
            [
                "destroy: 500 units on 3 hosts in 1.50 s, bare systemd 1.00 s, ratio 1.50, budget 1.5"
            ]
        );
        assert!(!report(1.6).verdicts[0].met);
    }
}
