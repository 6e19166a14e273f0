//! `fleetctl cat`

use std::slice;

use fleet_units::UnitName;

use super::name_of;
use super::patterns::{Expanded, Scope, expand};
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
    let expanded = expand(client, slice::from_ref(&args.unit), Scope::All).await?;
    let Expanded { words, problems } = expanded;
    if let Some(problem) = problems.first() {
        return Err(CommandError::failed(problem.to_string()));
    }
    for (index, word) in words.iter().enumerate() {
        let name = name_of(word)?;
        let text = text(&name, client).await?;
        if words.len() > 1 {
            let gap = if index > 0 { "\n" } else { "" };
            ui.line(&format!("{gap}# {name}"))?;
        }
        ui.data(&text)?;
    }
    Ok(())
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
