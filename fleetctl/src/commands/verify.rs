//! `fleetctl verify`

use crate::error::CommandError;
use crate::ui::Ui;

/// Fail: units are not signed any more
#[derive(Debug, clap::Args)]
pub(crate) struct VerifyArgs {
    /// Name of the unit
    #[arg(value_name = "UNIT")]
    _unit: Vec<String>,
}

/// Says what 1.0 said.
pub(crate) fn verify(ui: &Ui) -> Result<(), CommandError> {
    ui.note("Command \"verify\" is deprecated, DEPRECATED - No longer works");
    Err(CommandError::usage(
        "WARNING: The signed/verified units feature is DEPRECATED and cannot be used.",
    ))
}
