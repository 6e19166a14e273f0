//! The table of `testbed status`.

use crate::cluster::Cluster;
use crate::host::{Host, Power};

const COLUMNS: [&str; 6] = ["HOST", "ADDRESS", "STATE", "MACHINE", "ETCD", "FLEET"];

/// One line per host, under a line of titles.
pub(crate) fn table(cluster: &Cluster) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(cluster.hosts().iter().map(row));
    render(&rows)
}

fn row(host: &Host) -> [String; 6] {
    let power = host.power();
    let service = |name: &str| match power {
        Power::On(_) => service_state(host, name),
        Power::Off | Power::Booting => "-".to_owned(),
    };
    let (etcd, fleet) = (service("etcd.service"), service("fleet.service"));
    let machine = host.machine_id().unwrap_or_else(|error| error.to_string());
    let state = state(&power, host);
    [host.number().to_string(), host.address().to_string(), state, machine, etcd, fleet]
}

fn state(power: &Power, host: &Host) -> String {
    let state = match power {
        Power::Off => return "off".to_owned(),
        Power::Booting => "booting",
        Power::On(state) => state,
    };
    // A link that cannot be looked at belongs to a host that is just going.
    if host.is_connected().unwrap_or(true) { state.to_owned() } else { format!("{state},cut") }
}

fn service_state(host: &Host, name: &str) -> String {
    let line = ["systemctl", "show", "--property=LoadState,ActiveState", "--value", name];
    let shown = host.read(line).unwrap_or_else(|error| error.to_string());
    let mut words = shown.split_whitespace();
    match (words.next(), words.next()) {
        (Some("loaded"), Some(active)) => active.to_owned(),
        _ => "-".to_owned(),
    }
}

fn render(rows: &[[String; 6]]) -> String {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..COLUMNS.len()).map(width).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  "));
        format!("{}\n", cells.collect::<String>().trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_two_blanks_apart() {
        let row = |cells: [&str; 6]| cells.map(str::to_owned);
        let rows = [
            row(["HOST", "ADDRESS", "STATE", "MACHINE", "ETCD", "FLEET"]),
            row(["1", "10.77.77.1", "off", "8145ebb7", "-", "-"]),
        ];

        assert_eq!(
            render(&rows),
            "HOST  ADDRESS     STATE  MACHINE   ETCD  FLEET\n\
             1     10.77.77.1  off    8145ebb7  -     -\n"
        );
    }
}
