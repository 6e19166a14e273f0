//! `fleetctl cat`

use super::name_of;
use crate::client::Client;
use crate::error::CommandError;
use crate::source::unit_file;
use crate::ui::Ui;

/// Print the text of a unit
#[derive(Debug, clap::Args)]
pub(crate) struct CatArgs {
    /// Name of the unit
    #[arg(value_name = "UNIT")]
    unit: String,
}

/// Prints the text of a unit, byte for byte.
pub(crate) async fn cat(args: &CatArgs, client: &Client<'_>, ui: &Ui) -> Result<(), CommandError> {
    let name = name_of(&args.unit)?;
    let unit = client.unit(name.as_str()).await?;
    let unit = unit.ok_or_else(|| CommandError::failed(format!("Unit {name} not found")))?;
    if let Some(text) = &unit.text {
        return Ok(ui.data(text)?);
    }
    let file = unit_file(&unit)
        .map_err(|error| CommandError::doing(format!("Unit {name} is no unit"), error))?;
    Ok(ui.data(file.text())?)
}
