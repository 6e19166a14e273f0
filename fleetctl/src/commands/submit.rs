//! `fleetctl submit`

use super::raise::{Raise, RaiseArgs, raise};
use crate::client::Client;
use crate::error::CommandError;
use crate::ui::Ui;

/// Make units known to the cluster, without running them
#[derive(Debug, clap::Args)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    units: RaiseArgs,
}

/// Makes units known to the cluster.
pub(crate) async fn submit(
    args: &SubmitArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    raise(Raise::Submit, &args.units, client, ui).await
}
