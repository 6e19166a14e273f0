//! `fleetctl stop`

use super::lower::{LowerArgs, lower};
use crate::client::Client;
use crate::error::CommandError;
use crate::judge::Goal;
use crate::ui::Ui;

/// Stop units, and leave them on their machines
#[derive(Debug, clap::Args)]
pub(crate) struct StopArgs {
    #[command(flatten)]
    units: LowerArgs,
}

/// Stops units.
pub(crate) async fn stop(
    args: &StopArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    lower(Goal::Stop, &args.units, client, ui).await
}
