//! `fleetctl destroy`

use super::lower::{LowerArgs, lower};
use crate::client::Client;
use crate::error::CommandError;
use crate::judge::Goal;
use crate::ui::Ui;

/// Stop units, and make the cluster forget them
#[derive(Debug, clap::Args)]
pub(crate) struct DestroyArgs {
    #[command(flatten)]
    units: LowerArgs,
}

/// Destroys units.
pub(crate) async fn destroy(
    args: &DestroyArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    lower(Goal::Destroy, &args.units, client, ui).await
}
