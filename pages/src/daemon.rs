//! fleetd(8).

use std::io;

use crate::page::Page;

const DESCRIPTION: &str = "\
fleetd runs on every machine of a cluster. It serves the API that fleetctl(1) speaks to, places units \
on machines, and has systemd run those that its own machine is given. One fleetd at a time leads the \
cluster; if it dies, another takes over.

The cluster is kept in etcd. With nothing configured at all, fleetd keeps a cluster of this one machine \
in a store of its own.

Restarting, upgrading or killing fleetd leaves units running. systemctl stop fleet makes the machine \
leave the cluster: its units stop, and start elsewhere. Flags win over variables of the environment, \
which win over the file.";

const SIGNALS: [(&str, &str); 3] = [
    ("SIGTERM, SIGINT", "End. If systemd stops fleet.service, leave the cluster first."),
    (
        "SIGHUP",
        "Read the configuration again and follow it, as far as that needs no restart; the journal \
         says what does.",
    ),
    ("SIGUSR1", "Print what this machine knows, as one line of JSON, to standard output."),
];

const FILES: [(&str, &str); 4] = [
    ("/etc/fleet/fleet.conf", "Settings, see fleet.conf(5)."),
    ("/run/fleet.sock", "The API; fleet.socket says who may use it."),
    ("/run/fleet/units/", "Texts of the units that this machine has been given."),
    ("/var/lib/fleet/", "The embedded store."),
];

pub(crate) fn page() -> io::Result<String> {
    let program = fleetd::cli::command().mut_args(|arg| {
        let is_setting = arg.get_help_heading().is_some();
        if is_setting { arg.help_heading("Settings") } else { arg }
    });
    let mut page = Page::of(program, "fleetd", "8", DESCRIPTION)?;
    page.heading("ENVIRONMENT");
    let setting = "Each setting of fleet.conf(5), such as FLEET_AGENT_TTL for agent_ttl.";
    page.entry(&["FLEET_SETTING".to_owned()], setting);
    let log = "Filter of what is logged, such as fleetd::engine=trace; wins over verbosity.";
    page.entry(&["FLEET_LOG".to_owned()], log);
    for (heading, entries) in [("SIGNALS", &SIGNALS[..]), ("FILES", &FILES)] {
        page.heading(heading);
        for (word, text) in entries {
            page.entry(&[(*word).to_owned()], text);
        }
    }
    page.heading("EXIT STATUS");
    page.text("0 after an end in order; 1 if fleetd cannot run, with the reason on standard error; 2 if the command line makes no sense.");
    page.see(&["fleetctl(1)", "fleet.conf(5)", "fleet.unit(5)", "systemd(1)"]);
    Ok(page.finish())
}
