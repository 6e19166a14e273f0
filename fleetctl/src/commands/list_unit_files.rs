//! `fleetctl list-unit-files`

use std::collections::{BTreeMap, BTreeSet};

use fleet_units::TargetState;
use fleet_units::api::Unit;
use fleet_units::api::v2::UnitDetail;
use serde_json::{Value, json};

use super::copies;
use crate::client::{Client, ClientError};
use crate::error::CommandError;
use crate::filter::{Key, Subject};
use crate::legend::{self, Addresses};
use crate::list::{ListArgs, Listed, View, list};
use crate::source::{is_global, unit_file};
use crate::table::{Column, hash, text_or_null};
use crate::terminal::Tone;
use crate::ui::Ui;

/// List all units that the cluster knows
///
/// Columns: unit, global, dstate, target, state, hash, desc, copies, obstacles. `copies` counts the
/// machines where a unit is active among those that hold it; `obstacles` says for each machine why it
/// holds no copy of a global unit, or cannot take a unit that waits for a place.
///
/// Conditions of --filter: name=GLOB, machine=ID or ADDRESS (the beginning of an id will do), and
/// state=inactive, loaded or launched, which may be the desired state.
#[derive(Debug, clap::Args)]
pub(crate) struct ListUnitFilesArgs {
    #[command(flatten)]
    list: ListArgs,
}

/// A unit that the cluster knows.
struct Row {
    unit: Unit,
    address: Option<String>,
    global: bool,
    hash: String,
    description: String,
    /// What is known beyond that, if it is asked for.
    detail: Option<UnitDetail>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileColumn {
    Unit,
    Global,
    Dstate,
    Target,
    /// What `target` was called once.
    Tmachine,
    State,
    Hash,
    Desc,
    Copies,
    Obstacles,
}

impl Column for FileColumn {
    type Row = Row;
    const ALL: &'static [Self] = &[
        Self::Unit,
        Self::Global,
        Self::Dstate,
        Self::Target,
        Self::Tmachine,
        Self::State,
        Self::Hash,
        Self::Desc,
        Self::Copies,
        Self::Obstacles,
    ];
    const DEFAULT: &'static [Self] =
        &[Self::Unit, Self::Hash, Self::Dstate, Self::State, Self::Target];

    const KEYS: &'static [Key] = &[Key::Name, Key::State, Key::Machine];
    const STATES: &'static [&'static str] = &["inactive", "loaded", "launched"];

    fn name(self) -> &'static str {
        match self {
            Self::Unit => "unit",
            Self::Global => "global",
            Self::Dstate => "dstate",
            Self::Target => "target",
            Self::Tmachine => "tmachine",
            Self::State => "state",
            Self::Hash => "hash",
            Self::Desc => "desc",
            Self::Copies => "copies",
            Self::Obstacles => "obstacles",
        }
    }

    fn text(self, row: &Row, full: bool) -> String {
        match self {
            Self::Unit => row.unit.name.clone(),
            Self::Global => row.global.to_string(),
            Self::Dstate => {
                row.unit.desired_state.map(|state| state.to_string()).unwrap_or_default()
            }
            Self::Target if row.global => "global".to_owned(),
            Self::Target | Self::Tmachine => {
                let machine = row.unit.machine_id.as_deref().unwrap_or_default();
                legend::machine(machine, row.address.as_deref(), full)
            }
            Self::State => row.state().map(|state| state.to_string()).unwrap_or_default(),
            Self::Hash => hash(&row.hash, full),
            Self::Desc => row.description.clone(),
            Self::Copies => row.count(),
            Self::Obstacles => row.obstacles(full),
        }
    }

    fn value(self, row: &Row) -> Value {
        match self {
            Self::Unit => json!(row.unit.name),
            Self::Global => json!(row.global),
            Self::Dstate => json!(row.unit.desired_state),
            Self::Target | Self::Tmachine => json!(row.unit.machine_id),
            Self::State => json!(row.state()),
            Self::Hash => text_or_null(&row.hash),
            Self::Desc => text_or_null(&row.description),
            Self::Copies => row
                .detail
                .as_ref()
                .map_or(Value::Null, |detail| detail.machines.iter().map(copies::copy).collect()),
            Self::Obstacles => {
                let obstacles = row.detail.as_ref().and_then(|detail| detail.obstacles.as_deref());
                copies::obstacles(obstacles)
            }
        }
    }

    fn subject(row: &Row) -> Subject<'_> {
        let states = [row.unit.desired_state, row.state()];
        let own = row.unit.machine_id.iter().map(|id| (id.as_str(), row.address.as_deref()));
        let copies = row.detail.iter().flat_map(|detail| &detail.machines);
        let copies = copies.map(|copy| (copy.machine.as_str(), copy.address.as_deref()));
        Subject {
            name: &row.unit.name,
            states: states.into_iter().flatten().map(TargetState::as_str).collect(),
            machines: own.chain(copies).collect(),
            metadata: None,
        }
    }

    fn tone(self, row: &Row) -> Tone {
        match self {
            Self::State if row.state().is_some() && row.state() != row.unit.desired_state => {
                Tone::Busy
            }
            Self::Dstate | Self::State if row.unit.desired_state == Some(TargetState::Inactive) => {
                Tone::Faint
            }
            _ => Tone::Plain,
        }
    }

    fn successor(self) -> Option<Self> {
        (self == Self::Tmachine).then_some(Self::Target)
    }
}

impl Row {
    fn of(unit: Unit, addresses: &Addresses) -> Self {
        let file = unit_file(&unit).ok();
        let hash = file.as_ref().map(|file| file.hash().to_string()).unwrap_or_default();
        let description = file.as_ref().and_then(|file| file.values("Unit", "Description").next());
        Self {
            address: unit.machine_id.as_deref().and_then(|id| addresses.of(id)).map(str::to_owned),
            global: file.as_ref().is_some_and(|file| is_global(&unit.name, file)),
            description: description.unwrap_or_default().to_owned(),
            hash,
            unit,
            detail: None,
        }
    }

    /// A global unit has a state on each of its machines, and none of its own.
    fn state(&self) -> Option<TargetState> {
        self.unit.current_state.filter(|_| !self.global)
    }

    fn count(&self) -> String {
        let copies = self.detail.as_ref().map_or(&[][..], |detail| &detail.machines);
        if copies.is_empty() {
            return String::new();
        }
        let active = copies.iter().filter(|copy| copy.active == "active").count();
        format!("{active}/{}", copies.len())
    }

    fn obstacles(&self, full: bool) -> String {
        let detail = self.detail.as_ref();
        let obstacles = detail.and_then(|detail| detail.obstacles.as_deref()).unwrap_or_default();
        let obstacles: Vec<String> = obstacles
            .iter()
            .map(|obstacle| {
                let machine = legend::machine(&obstacle.machine, obstacle.address.as_deref(), full);
                format!("{machine}: {}", obstacle.reason)
            })
            .collect();
        obstacles.join("; ")
    }
}

/// Prints all units, sorted by name.
pub(crate) async fn list_unit_files(
    args: &ListUnitFilesArgs,
    client: &Client<'_>,
    ui: &Ui,
) -> Result<(), CommandError> {
    list::<FileColumn>(&args.list, client, ui, async |view| {
        listed(view, client).await.map_err(|error| {
            CommandError::doing("Error retrieving list of units from repository", error)
        })
    })
    .await
}

async fn listed(view: &View<FileColumn>, client: &Client<'_>) -> Result<Listed<Row>, ClientError> {
    let mut units = client.units().await?;
    let addresses: Addresses = client.machines().await?.into_iter().collect();
    let health = client.health().await?;
    units.sort_by(|left, right| left.name.cmp(&right.name));
    let mut rows: Vec<Row> = units.into_iter().map(|unit| Row::of(unit, &addresses)).collect();
    let in_detail = [FileColumn::Copies, FileColumn::Obstacles].map(|column| view.needs(column));
    if in_detail.contains(&true) {
        add_details(&mut rows, client, |_| true).await?;
    } else if view.chooses_by_machine() {
        add_details(&mut rows, client, |row| row.global).await?;
    }
    Ok(Listed { rows, health })
}

async fn add_details(
    rows: &mut [Row],
    client: &Client<'_>,
    wanted: impl Fn(&Row) -> bool,
) -> Result<(), ClientError> {
    let names: BTreeSet<String> =
        rows.iter().filter(|row| wanted(row)).map(|row| row.unit.name.clone()).collect();
    // 1.0 would have to be asked twice for each unit.
    let details = client.newer_details(&names).await?.unwrap_or_default();
    let mut details: BTreeMap<String, UnitDetail> =
        details.into_iter().map(|detail| (detail.name.clone(), detail)).collect();
    for row in rows {
        row.detail = details.remove(&row.unit.name);
    }
    Ok(())
}
