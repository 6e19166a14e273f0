//! `fleetctl restart`

use super::raise::{Raise, RaiseArgs, raise};
use crate::client::Client;
use crate::error::CommandError;
use crate::ui::Ui;
use crate::wait::BlockArgs;

/// Stop units that run and start them again, each where it is
///
/// A unit that is loaded is started, one that is inactive is left alone. A global unit is restarted
/// on all machines.
#[derive(Debug, clap::Args)]
pub(crate) struct RestartArgs {
    /// Names of units, paths of their files, or patterns such as 'web@*'
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
    #[command(flatten)]
    block: BlockArgs,
}

/// Restarts units.
pub(crate) async fn restart(
    args: &RestartArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    let units = RaiseArgs::as_they_are(args.units.clone());
    raise(Raise::Restart(&args.block), &units, client, ui).await
}
