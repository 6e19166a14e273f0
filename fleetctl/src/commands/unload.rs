//! `fleetctl unload`

use super::lower::{LowerArgs, lower};
use crate::client::Client;
use crate::error::CommandError;
use crate::judge::Goal;
use crate::ui::Ui;

/// Stop units, and take them from their machines
#[derive(Debug, clap::Args)]
pub(crate) struct UnloadArgs {
    #[command(flatten)]
    units: LowerArgs,
}

/// Takes units from their machines.
pub(crate) async fn unload(
    args: &UnloadArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    lower(Goal::Unload, &args.units, client, ui).await
}
