//! Where a unit may run: the question that the engine asks to decide and the API asks to explain.
//!
//! Pure. A [`Cluster`] is the view of the registry that both work on; [`eligible`] is the only
//! judge of whether a machine may take a unit.

mod board;
mod chain;
mod changes;
mod cluster;
mod eligible;
mod explain;
mod names;
mod obstacle;
mod ranking;
mod refresh;
mod remedy;
mod rivals;
mod rules;
#[cfg(test)]
mod spellings;
mod tenants;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod view;

pub use board::{Board, Mark};
pub use chain::Depths;
pub use changes::Changes;
pub use cluster::Cluster;
pub use eligible::{
    Neighbours, displaced, eligible, has_no_conflict, has_peers, is_not_replaced, matches,
};
pub use explain::{Choice, against, choice, explain};
pub use obstacle::Obstacle;
pub use ranking::{Ranked, Wanted};
pub use remedy::{Remedy, nearest};
pub use rules::{Rules, RulesCache};
pub use tenants::Tenants;
pub use view::{AssignmentView, Availability, MachineView, RecordView, UnitView};
