//! fleetctl(1), and a page for each command.

use std::collections::BTreeMap;
use std::io;

use clap::builder::PossibleValue;
use clap::{Arg, Command};

use crate::page::Page;

const DESCRIPTION: &str = "\
fleetctl gives units to a fleet of machines, and shows what becomes of them. It speaks to fleetd(8) on \
this machine, or where --endpoint or --tunnel lead. Results go to standard output, everything else to \
standard error.";

pub(crate) fn pages() -> io::Result<BTreeMap<String, String>> {
    let mut program = fleetctl::command();
    program.build();
    let mut pages = BTreeMap::from([("fleetctl.1".to_owned(), overview(&program)?)]);
    for command in commands(&program) {
        let name = format!("fleetctl-{}", command.get_name());
        pages.insert(format!("{name}.1"), page(command, &name)?);
    }
    Ok(pages)
}

/// The commands that have a page.
fn commands(program: &Command) -> impl Iterator<Item = &Command> {
    program
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn overview(program: &Command) -> io::Result<String> {
    let about = "run systemd units on a cluster of machines";
    let mut page = Page::of(program.clone().about(about), "fleetctl", "1", DESCRIPTION)?;
    page.heading("COMMANDS");
    for command in commands(program) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        page.entry(&[format!("fleetctl-{}(1)", command.get_name())], &about);
    }
    page.heading("NOTES");
    page.text(&program.get_after_help().map(ToString::to_string).unwrap_or_default());
    page.heading("ENVIRONMENT");
    for flag in program.get_arguments().filter(|flag| flag.is_global_set() && !flag.is_hide_set()) {
        let Some(long) = flag.get_long() else { continue };
        page.entry(
            &[fleetctl::variable_of(long)],
            &format!("What --{long} says, unless that is given."),
        );
    }
    page.entry(&["FLEETCTL_SSH".to_owned()], "Program that is run in place of ssh.");
    page.heading("EXAMPLES");
    page.example("fleetctl start hello.service\nfleetctl list-units\nfleetctl journal --follow hello\nfleetctl stop 'web@*'");
    page.see(&["fleet.unit(5)", "fleetd(8)", "systemctl(1)", "ssh(1)"]);
    Ok(page.finish())
}

/// The page of a command, without the flags that all have.
fn page(command: &Command, name: &str) -> io::Result<String> {
    let own = command.clone().mut_args(|arg| {
        let hide = arg.is_global_set() || arg.is_hide_set();
        with_values(arg.hide(hide))
    });
    let description = command.get_long_about().or(command.get_about());
    let description = description.map(ToString::to_string).unwrap_or_default();
    let mut page = Page::of(own, name, "1", &description)?;
    page.heading("GLOBAL FLAGS");
    page.text("Flags that all commands take are described in fleetctl(1).");
    page.see(&["fleetctl(1)", "fleet.unit(5)"]);
    Ok(page.finish())
}

/// Tells the values that are possible in the help text, where `--help` has them, too.
fn with_values(arg: Arg) -> Arg {
    let values = arg.get_possible_values();
    if values.is_empty() || arg.is_hide_possible_values_set() {
        return arg;
    }
    let values = values.iter().map(PossibleValue::get_name).collect::<Vec<_>>().join(", ");
    let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    arg.long_help(format!("{help} [possible values: {values}]")).hide_possible_values(true)
}
