//! fleet.unit(5).

use fleet_units::DIRECTIVES;

use crate::page::Page;

const DESCRIPTION: &str = "\
Units are plain systemd unit files, see systemd.unit(5). fleetctl(1) gives them to the cluster, and fleet \
gives each to a machine, whose systemd runs it. Where in the cluster that may be is said in the section \
[X-Fleet], which systemd ignores. Without it, a unit runs on any one machine.

Names end in .service, .socket, .timer, .path, .device, .mount or .automount; fleetctl adds .service to \
what has no suffix. A unit named web@.service is a template: fleetctl start web@1 makes the instance \
web@1.service of it.";

const VALUES: &str = "\
Directives may be repeated. A value in double quotes may hold blanks, and one line may hold several quoted \
values. Names and values may hold %n (the unit's name), %N (the name without its suffix), %p (what stands \
before the @) and %i (the instance). A directive that fleet does not know, or a value that cannot mean \
anything, is told when the unit is submitted.

MachineID goes with MachineMetadata alone, Global not with MachineOf or Replaces, and Conflicts not with \
Replaces.";

const EXAMPLE: &str = "\
# web@.service: three instances, each on another machine with an SSD
[Unit]
Description=Web server %i

[Service]
ExecStart=/usr/bin/web --port=80

[X-Fleet]
Conflicts=web@*.service
MachineMetadata=disk=ssd";

pub(crate) fn page() -> String {
    let mut page = Page::new("fleet.unit", "5", "where in a cluster a unit may run");
    page.heading("SYNOPSIS").text("NAME.service, NAME.socket, NAME.timer, ...");
    page.heading("DESCRIPTION").text(DESCRIPTION);
    page.heading("[X-FLEET] SECTION");
    for directive in DIRECTIVES {
        let legacy: Vec<String> = directive.legacy.iter().map(|name| format!("{name}=")).collect();
        let legacy = match legacy.as_slice() {
            [] => String::new(),
            names => format!(" Old units spell it {}.", names.join(" or ")),
        };
        let word = format!("{}={}", directive.name, directive.value);
        page.entry(&[word], &format!("{}{legacy}", directive.help));
    }
    page.heading("VALUES").text(VALUES);
    page.heading("EXAMPLE").example(EXAMPLE);
    page.text("fleetctl start 'web@1' 'web@2' 'web@3' runs it three times.");
    page.see(&["fleetctl(1)", "fleetctl-start(1)", "systemd.unit(5)", "systemd.service(5)"]);
    page.finish()
}
