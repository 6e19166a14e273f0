//! The section `coreos`.

use crate::problem::Position;

/// The section `coreos` of a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoreOs {
    /// Options of etcd 0.4.
    pub etcd: Section,
    /// Options of etcd 2.
    pub etcd2: Section,
    /// Options of fleetd.
    pub fleet: Section,
    /// Options of flannel.
    pub flannel: Section,
    /// Options of locksmith.
    pub locksmith: Section,
    /// Options of updates.
    pub update: Section,
    /// What names the image.
    pub oem: Section,
    /// Units, in their order.
    pub units: Vec<Unit>,
}

/// Options of one program, by their names with underscores, and as the environment has them: numbers
/// as they were written, truth as `true` and `false`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// Where the section starts; `None` if the document has none.
    pub position: Option<Position>,
    /// Option and value, in the order in which they are told to the program.
    pub options: Vec<(&'static str, String)>,
}

/// An item of `coreos.units`.
#[derive(Clone, PartialEq, Eq)]
pub struct Unit {
    /// Where its item starts.
    pub position: Position,
    /// Name with a known suffix, without a slash.
    pub name: String,
    /// Text of the unit file; `None` if the unit is there already.
    pub content: Option<String>,
    /// In /run, for this boot only.
    pub runtime: bool,
    /// Whether it is masked; `None` leaves it as it is.
    pub mask: Option<bool>,
    /// Whether it is enabled; `None` leaves it as it is.
    pub enable: Option<bool>,
    /// What to do with it once all files are there.
    pub command: Option<UnitCommand>,
    /// Files beside the unit file.
    pub drop_ins: Vec<DropIn>,
    /// Whether it is submitted to the cluster, and started there by `command: start`.
    pub cluster: bool,
}

/// A file that adds to a unit.
#[derive(Clone, PartialEq, Eq)]
pub struct DropIn {
    /// Name that ends in `.conf`.
    pub name: String,
    /// Text of the file.
    pub content: String,
}

/// What systemctl is asked to do with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitCommand {
    /// `start`.
    Start,
    /// `stop`.
    Stop,
    /// `restart`.
    Restart,
    /// `reload`.
    Reload,
    /// `try-restart`.
    TryRestart,
    /// `reload-or-restart`.
    ReloadOrRestart,
    /// `reload-or-try-restart`, which systemctl calls `try-reload-or-restart`.
    ReloadOrTryRestart,
}

impl std::fmt::Debug for Unit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No content may reach a log.
        formatter.debug_struct("Unit").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for DropIn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DropIn").field("name", &self.name).finish_non_exhaustive()
    }
}
