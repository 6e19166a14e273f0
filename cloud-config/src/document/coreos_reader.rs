//! The section `coreos`.

use super::fields::{At, Known, Reader};
use super::options::{self, Table};
use super::{CoreOs, Section, sections, units};

const KEYS: Known<'_> = Known {
    elsewhere: &[
        ("write_files", "at the top level, not under `coreos`"),
        ("users", "at the top level, not under `coreos`"),
        ("groups", "at the top level, not under `coreos`"),
        ("ssh_authorized_keys", "at the top level, not under `coreos`"),
        ("hostname", "at the top level, not under `coreos`"),
        ("manage_etc_hosts", "at the top level, not under `coreos`"),
        ("runcmd", "at the top level, not under `coreos`"),
    ],
    ..Known::only(&["etcd", "etcd2", "fleet", "flannel", "locksmith", "update", "oem", "units"])
};

/// Reads the section.
pub(super) fn read(reader: &mut Reader<'_>, at: &At<'_>) -> CoreOs {
    let Some(fields) = reader.fields(at, KEYS) else { return CoreOs::default() };
    let mut section = |name: &str, table: Table| -> Section {
        fields.get(name).map(|at| options::read(reader, at, table)).unwrap_or_default()
    };
    let mut coreos = CoreOs {
        etcd: section("etcd", sections::ETCD),
        etcd2: section("etcd2", sections::ETCD2),
        fleet: section("fleet", sections::FLEET),
        flannel: section("flannel", sections::FLANNEL),
        locksmith: section("locksmith", sections::LOCKSMITH),
        update: section("update", sections::UPDATE),
        oem: section("oem", sections::OEM),
        units: Vec::new(),
    };
    if let Some(at) = fields.get("units") {
        coreos.units = units::read(reader, at);
    }
    coreos
}
