//! How machines are shown to people.

use std::collections::BTreeMap;

use fleet_units::api::Machine;

/// Characters of a machine's id that tell machines apart.
const SHORT: usize = 8;

/// Shows a machine in short: `8145ebb7.../10.10.1.3`.
pub(crate) fn short(machine: &str, address: Option<&str>) -> String {
    let id: String = machine.chars().take(SHORT).collect();
    match address {
        Some(address) if !address.is_empty() => format!("{id}.../{address}"),
        _ => format!("{id}..."),
    }
}

/// Shows a machine in short, or its whole id.
pub(crate) fn machine(machine: &str, address: Option<&str>, full: bool) -> String {
    if full || machine.is_empty() { machine.to_owned() } else { short(machine, address) }
}

/// The addresses of machines, by id.
#[derive(Debug, Default)]
pub(crate) struct Addresses(BTreeMap<String, String>);

impl Addresses {
    /// Gives the address of a machine that is present and has one.
    pub(crate) fn of(&self, machine: &str) -> Option<&str> {
        self.0.get(machine).map(String::as_str).filter(|address| !address.is_empty())
    }
}

impl FromIterator<Machine> for Addresses {
    fn from_iter<T: IntoIterator<Item = Machine>>(machines: T) -> Self {
        Self(machines.into_iter().map(|machine| (machine.id, machine.primary_ip)).collect())
    }
}
