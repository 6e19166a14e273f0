//! The copies of a unit on its machines, and what keeps it from others, as programs read them.

use fleet_units::api::v2::{Copy, MachineObstacle};
use serde_json::{Value, json};

use crate::table::text_or_null;

/// A unit on one machine.
pub(super) fn copy(copy: &Copy) -> Value {
    json!({
        "machine": copy.machine,
        "ip": copy.address,
        "load": text_or_null(&copy.load),
        "active": text_or_null(&copy.active),
        "sub": text_or_null(&copy.sub),
        "job": copy.job,
        "problem": copy.problem,
        "leaving": copy.leaving,
        "absent": copy.absent,
        "hash": copy.hash,
    })
}

/// Machines that cannot take a unit, and why; null if nobody has looked.
pub(super) fn obstacles(obstacles: Option<&[MachineObstacle]>) -> Value {
    let obstacle = |obstacle: &MachineObstacle| {
        json!({
            "machine": obstacle.machine,
            "ip": obstacle.address,
            "reason": obstacle.reason,
        })
    };
    obstacles.map_or(Value::Null, |obstacles| obstacles.iter().map(obstacle).collect())
}
