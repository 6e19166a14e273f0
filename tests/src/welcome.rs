//! The end of `testbed up`: the example runs, and the person sees where it does and what to try.

use std::fs;

use crate::cluster::{Cluster, DEFAULT};
use crate::error::Error;
use crate::{file, source, ui};

const UNIT: &str = "hello.service";

/// Starts the example from the first host and shows machines and units.
pub(crate) fn show(cluster: &Cluster) -> Result<(), Error> {
    let host = cluster.host(1)?;
    let example = source::root().join("units/examples").join(UNIT);
    let text = fs::read(&example).map_err(file::at("read", &example))?;
    host.write(&format!("/root/{UNIT}"), &text)?;
    for line in [&["start", UNIT][..], &["list-machines"], &["list-units"]] {
        ui::say(format_args!("$ fleetctl {}", line.join(" ")));
        let printed = host.read(["fleetctl"].iter().chain(line))?;
        ui::say(printed.trim_end());
        ui::say("");
    }
    ui::say(what_next(cluster).trim_end());
    Ok(())
}

fn what_next(cluster: &Cluster) -> String {
    let testbed = match cluster.name() {
        DEFAULT => "cargo testbed".to_owned(),
        name => format!("cargo testbed --cluster {name}"),
    };
    format!(
        "Try next:\n  \
         {testbed} exec 1 -- fleetctl status {UNIT}\n  \
         {testbed} exec 1 -- fleetctl cat {UNIT}\n  \
         {testbed} kill {last}                  # power off; boot {last} powers it on again\n  \
         {testbed} exec 1 -- fleetctl list-units\n  \
         {testbed} exec 1 -- bash          # a shell on host 1\n  \
         {testbed} down                    # remove everything\n",
        last = cluster.hosts().len().min(2),
    )
}
