//! `fleetctl cat`

use std::slice;

use fleet_units::UnitName;

use super::patterns::{Scope, named};
use crate::client::Client;
use crate::error::CommandError;
use crate::source::unit_file;
use crate::ui::Ui;

/// Print the text of a unit
///
/// Several units that match a pattern are each headed by a comment with their name.
#[derive(Debug, clap::Args)]
pub(crate) struct CatArgs {
    /// Name of the unit, or a pattern such as 'web@*'
    #[arg(value_name = "UNIT")]
    unit: String,
}

/// Prints the text of a unit, byte for byte.
pub(crate) async fn cat(args: &CatArgs, client: &Client<'_>, ui: &Ui) -> Result<(), CommandError> {
    let (names, ended) = named(client, slice::from_ref(&args.unit), Scope::All, ui).await?;
    for (index, name) in names.iter().enumerate() {
        let text = text(name, client).await?;
        if names.len() > 1 {
            let gap = if index > 0 { "\n" } else { "" };
            ui.line(&format!("{gap}# {name}"))?;
        }
        ui.data(&text)?;
    }
    ended
}

async fn text(name: &UnitName, client: &Client<'_>) -> Result<String, CommandError> {
    let unit = client.unit(name.as_str()).await?;
    let unit = unit.ok_or_else(|| CommandError::failed(format!("Unit {name} not found")))?;
    if let Some(text) = unit.text {
        return Ok(text);
    }
    let file = unit_file(&unit)
        .map_err(|error| CommandError::doing(format!("Unit {name} is no unit"), error))?;
    Ok(file.text().to_owned())
}
