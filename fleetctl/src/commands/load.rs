//! `fleetctl load`

use super::raise::{Raise, RaiseArgs, raise};
use crate::client::Client;
use crate::error::CommandError;
use crate::ui::Ui;
use crate::wait::BlockArgs;

/// Give units to machines, without starting them
///
/// Units that the cluster does not know are submitted first. A unit that runs goes on running.
#[derive(Debug, clap::Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    units: RaiseArgs,
    #[command(flatten)]
    block: BlockArgs,
}

/// Gives units to machines.
pub(crate) async fn load(
    args: &LoadArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    raise(Raise::Load(&args.block), &args.units, client, ui).await
}
