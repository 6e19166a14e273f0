//! `fleetctl start`

use super::raise::{Raise, RaiseArgs, raise};
use crate::client::Client;
use crate::error::CommandError;
use crate::ui::Ui;
use crate::wait::BlockArgs;

/// Run units, each on a machine that suits it
///
/// Units that the cluster does not know are submitted first. A unit that has failed is started
/// again.
#[derive(Debug, clap::Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    units: RaiseArgs,
    #[command(flatten)]
    block: BlockArgs,
}

/// Runs units on machines.
pub(crate) async fn start(
    args: &StartArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    raise(Raise::Start(&args.block), &args.units, client, ui).await
}
