//! `fleetctl why`

mod story;

use std::collections::BTreeSet;

use fleet_units::api::v2::{Candidate, Explanation, Holding};
use serde_json::{Value, json};

use super::patterns::{Scope, named};
use super::{no_unit, no_units_given, warnings};
use crate::client::Client;
use crate::error::CommandError;
use crate::list::text;
use crate::terminal::When;
use crate::ui::Ui;

/// Explain why units are where they are, or nowhere, and what would place them
///
/// Lists all machines with all that keeps a unit off them. Of a unit that waits for a machine, tells
/// the least that has to change for one to take it. Changes nothing by itself.
#[derive(Debug, clap::Args)]
pub(crate) struct WhyArgs {
    /// Names of units, or patterns such as 'web@*'
    #[arg(value_name = "UNIT")]
    units: Vec<String>,
    /// Print whole ids
    #[arg(short = 'l', long)]
    full: bool,
    /// Print a JSON array of units, for programs
    #[arg(long)]
    json: bool,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    color: When,
}

/// Explains units.
pub(crate) async fn why(args: &WhyArgs, client: &Client<'_>, ui: &Ui) -> Result<(), CommandError> {
    if args.units.is_empty() {
        no_units_given(ui);
        return Ok(());
    }
    let (names, mut ended) = named(client, &args.units, Scope::All, ui).await?;
    let names: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
    let explanations = client.explanations(&names).await?.ok_or_else(|| {
        CommandError::failed("This fleetd cannot explain: it is older than this fleetctl.")
    })?;
    let known: BTreeSet<&str> = explanations.iter().map(|one| one.name.as_str()).collect();
    for name in names.iter().filter(|name| !known.contains(name.as_str())) {
        ended = ended.and(Err(no_unit(name).tell(ui)));
    }
    for warning in warnings(&client.health().await?) {
        ui.note(&warning);
    }
    print(&explanations, args, ui)?;
    ended
}

fn print(explanations: &[Explanation], args: &WhyArgs, ui: &Ui) -> Result<(), CommandError> {
    if args.json {
        return Ok(ui.json(&explanations.iter().map(object).collect::<Vec<_>>())?);
    }
    let colours = ui.terminal().coloured(args.color);
    let stories = explanations.iter().map(|one| text(&story::story(one, args.full, colours)));
    Ok(ui.data(&stories.collect::<Vec<_>>().join("\n"))?)
}

fn object(explanation: &Explanation) -> Value {
    let holding = |holding: &Holding| {
        json!({
            "since": holding.since,
            "generation": holding.generation,
            "leaving": holding.leaving,
            "absent": holding.absent,
        })
    };
    let machine = |candidate: &Candidate| {
        json!({
            "machine": candidate.machine,
            "ip": candidate.address,
            "units": candidate.load,
            "holding": candidate.holding.as_ref().map(holding),
            "reasons": candidate.reasons,
        })
    };
    json!({
        "unit": explanation.name,
        "dstate": explanation.desired_state,
        "generation": explanation.generation,
        "asks": explanation.asks,
        "verdict": explanation.verdict,
        "choice": explanation.choice,
        "machines": explanation.machines.iter().map(machine).collect::<Vec<_>>(),
        "nearest": explanation.nearest,
        "leaderless": explanation.leaderless,
    })
}
