//! What all lists have in common: their flags, and the way from rows to what is printed.

use fleet_units::api::v2::Health;

use crate::client::Client;
use crate::commands::warnings;
use crate::error::CommandError;
use crate::filter::Filter;
use crate::live;
use crate::order::Order;
use crate::table::{Column, Look, objects, table};
use crate::terminal::When;
use crate::ui::Ui;
use crate::words;

/// How a list is shown.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ListArgs {
    /// Do not print the line with the names of the columns
    #[arg(long)]
    no_legend: bool,
    /// Print whole ids and hashes
    #[arg(short = 'l', long)]
    full: bool,
    /// Columns to print, separated by commas
    #[arg(long, value_name = "COLUMNS")]
    fields: Option<String>,
    /// Columns to sort by, separated by commas; -COLUMN sorts downwards
    #[arg(long, value_name = "COLUMNS", allow_hyphen_values = true)]
    sort: Option<String>,
    /// Print only what fits: KEY=VALUE or KEY!=VALUE, several separated by commas
    #[arg(long, value_name = "CONDITIONS")]
    filter: Vec<String>,
    /// Print a JSON array with whole ids and hashes, for programs
    #[arg(long)]
    json: bool,
    /// Print again whenever something changes, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// When to use colours: auto, always or never
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    color: When,
}

/// A list as it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct View<C> {
    columns: Vec<C>,
    order: Order<C>,
    filter: Filter,
    json: bool,
    look: Look,
}

/// What a list is made of.
#[derive(Debug)]
pub(crate) struct Listed<R> {
    /// The rows, in the order that is used unless another is asked for.
    pub(crate) rows: Vec<R>,
    /// What is wrong beside them.
    pub(crate) health: Health,
}

/// Prints a list, once or again and again.
///
/// # Errors
///
/// Fails if the arguments make no sense, if fleet cannot be asked, or if nothing can be printed.
pub(crate) async fn list<C: Column>(
    args: &ListArgs,
    client: &Client<'_>,
    ui: &Ui,
    ask: impl AsyncFn(&View<C>) -> Result<Listed<C::Row>, CommandError>,
) -> Result<(), CommandError> {
    let view = args.view::<C>(ui)?;
    view.warn(ui);
    if args.watch {
        return live::follow(&view, client, ui, ask).await;
    }
    let listed = ask(&view).await?;
    for warning in warnings(&listed.health) {
        ui.note(&warning);
    }
    let rows = view.chosen(listed.rows);
    if view.json {
        return Ok(ui.json(&objects(&view.columns, &rows))?);
    }
    Ok(ui.data(&text(&view.lines(&rows, None)))?)
}

impl ListArgs {
    /// Reads the flags, or refuses what makes no sense for such a list.
    fn view<C: Column>(&self, ui: &Ui) -> Result<View<C>, CommandError> {
        Ok(View {
            columns: self.columns()?,
            order: Order::parse(self.sort.as_deref())?,
            filter: Filter::parse(&self.filter, C::KEYS, C::STATES)?,
            json: self.json,
            look: Look {
                legend: !self.no_legend,
                full: self.full,
                colours: ui.terminal().coloured(self.color),
                width: None,
            },
        })
    }

    fn columns<C: Column>(&self) -> Result<Vec<C>, CommandError> {
        let Some(fields) = &self.fields else {
            let columns = if self.json { C::ALL } else { C::DEFAULT };
            let current = columns.iter().filter(|column| column.successor().is_none());
            return Ok(current.copied().collect());
        };
        if fields.is_empty() {
            return Err(CommandError::usage("Must define output format"));
        }
        let known = C::ALL.iter().map(|column| (column.name(), *column));
        fields
            .split(',')
            .map(|name| words::known("key in output format", name, known.clone()))
            .collect()
    }
}

impl<C: Column> View<C> {
    fn warn(&self, ui: &Ui) {
        for column in &self.columns {
            if let Some(successor) = column.successor() {
                let (name, successor) = (column.name(), successor.name());
                ui.note(&format!(
                    "WARNING: The \"{name}\" field is deprecated. Use \"{successor}\" instead."
                ));
            }
        }
    }

    /// Whether a column is printed or sorted by.
    pub(crate) fn needs(&self, column: C) -> bool {
        self.columns.contains(&column) || self.order.needs(column)
    }

    /// Whether it matters on which machines something is.
    pub(crate) fn chooses_by_machine(&self) -> bool {
        self.filter.asks_for_machines()
    }

    /// Whether it is for programs.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Gives the rows that are wanted, in the order that is wanted.
    pub(crate) fn chosen(&self, mut rows: Vec<C::Row>) -> Vec<C::Row> {
        rows.retain(|row| self.filter.takes(&C::subject(row)));
        self.order.sort(&mut rows);
        rows
    }

    /// Gives the lines of the list, cut to a width; for programs it is one line.
    pub(crate) fn lines(&self, rows: &[C::Row], width: Option<usize>) -> Vec<String> {
        if self.json {
            // Texts and numbers always are JSON.
            return serde_json::to_string(&objects(&self.columns, rows)).into_iter().collect();
        }
        table(&self.columns, rows, Look { width, ..self.look })
    }
}

/// Joins lines.
pub(crate) fn text(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}
