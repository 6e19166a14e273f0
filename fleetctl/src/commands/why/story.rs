//! An explanation for people. Pure.

use fleet_units::api::v2::{Candidate, Change, Choice, Explanation, Verdict};
use serde_json::Value;

use crate::filter::{Key, Subject};
use crate::legend;
use crate::table::{Column, Look, table};
use crate::terminal::{Tone, harmless};

/// In a cell that says the same as the one above.
const DITTO: &str = " ";

/// Gives the lines that explain a unit.
pub(super) fn story(explanation: &Explanation, full: bool, colours: bool) -> Vec<String> {
    let look = Look { legend: true, full, colours, width: None };
    let mut lines = vec![beginning(explanation, full), harmless(&asks(&explanation.asks))];
    lines.extend(explanation.choice.map(|choice| reason(choice).to_owned()));
    lines.extend(news(explanation));
    let rows: Vec<Row> =
        explanation.machines.iter().flat_map(|one| rows(one, explanation)).collect();
    if rows.is_empty() {
        lines.push("There is no machine.".to_owned());
    } else {
        lines.extend(table(WhyColumn::ALL, &rows, look));
    }
    lines.extend(end(explanation, full).map(|line| harmless(&line)));
    lines
}

fn machine(candidate: &Candidate, full: bool) -> String {
    legend::machine(&candidate.machine, candidate.address.as_deref(), full)
}

/// The machine that holds a unit.
fn holder(explanation: &Explanation) -> Option<&Candidate> {
    explanation.machines.iter().find(|one| holds(one))
}

fn holds(candidate: &Candidate) -> bool {
    candidate.holding.as_ref().is_some_and(|holding| !holding.leaving)
}

fn beginning(explanation: &Explanation, full: bool) -> String {
    let Explanation { name, desired_state, machines, .. } = explanation;
    match (explanation.verdict, holder(explanation)) {
        (Verdict::Inactive, _) => {
            format!("{name} is inactive: load or start it to give it a machine.")
        }
        (Verdict::Placed, Some(holder)) => {
            let since = holder.holding.as_ref().map_or(0, |holding| holding.since);
            let machine = machine(holder, full);
            format!("{name} is on {machine}, since revision {since} of the store.")
        }
        (Verdict::Placed | Verdict::Pending, _) => {
            format!("{name} is to be {desired_state}, and no machine holds it.")
        }
        (Verdict::Global, _) => {
            let holding = machines.iter().filter(|one| holds(one)).count();
            let all = machines.len();
            format!("{name} is global, and {holding} of {all} machines hold it.")
        }
    }
}

fn asks(asks: &[String]) -> String {
    if asks.is_empty() {
        return "It asks nothing of its machine.".to_owned();
    }
    format!("It asks: {}", asks.join(", "))
}

const fn reason(choice: Choice) -> &'static str {
    match choice {
        Choice::Joined => "The units are there that its MachineOf names.",
        Choice::Only => "No other machine could take it.",
        Choice::LeastLoaded => "No other machine that could take it has fewer units.",
        Choice::Kept => {
            "Others that could take it have fewer units, but a unit moves only if it has to."
        }
    }
}

/// What its machine does not know yet.
fn news(explanation: &Explanation) -> Option<String> {
    let holding = holder(explanation)?.holding.as_ref()?;
    let behind =
        explanation.verdict == Verdict::Placed && holding.generation < explanation.generation;
    behind.then(|| {
        let (told, latest) = (holding.generation, explanation.generation);
        format!(
            "The machine has been told of generation {told}, and generation {latest} is coming."
        )
    })
}

/// What would help a unit that waits.
fn end(explanation: &Explanation, full: bool) -> Option<String> {
    let fits = explanation.machines.iter().any(|one| one.reasons.is_empty());
    if explanation.verdict != Verdict::Pending || fits {
        return None;
    }
    let Some(changes) = &explanation.nearest else {
        return Some("Nothing but another text of the unit would place it.".to_owned());
    };
    let changes: Vec<String> = changes.iter().map(|change| told(change, full)).collect();
    match changes.split_last() {
        None => None,
        Some((only, [])) => Some(format!("Nearest change: {only}.")),
        Some((last, others)) => Some(format!("Nearest change: {}, and {last}.", others.join(", "))),
    }
}

fn told(change: &Change, full: bool) -> String {
    let machine = |machine: &str, address: &Option<String>| {
        legend::machine(machine, address.as_deref(), full)
    };
    let pairs = |metadata: &std::collections::BTreeMap<String, String>| {
        let pairs: Vec<_> = metadata.iter().map(|(key, value)| format!("{key}={value}")).collect();
        pairs.join(",")
    };
    match change {
        Change::SetMetadata { machine: id, address, metadata } => {
            format!("set metadata {} on {}", pairs(metadata), machine(id, address))
        }
        Change::Open { machine: id, address } => {
            format!("open {} for units again", machine(id, address))
        }
        Change::Start { name } => format!("start {name}, which its MachineOf names"),
        Change::Unload { name } => format!("unload {name}, which is in the way"),
        Change::Upgrade { machine: id, address } => {
            format!("upgrade fleetd on {}", machine(id, address))
        }
        Change::AddMachine { machine, metadata } => {
            let which = match machine {
                Some(id) => format!("add or bring back machine {id}"),
                None => "add a machine".to_owned(),
            };
            if metadata.is_empty() {
                which
            } else {
                format!("{which} with metadata {}", pairs(metadata))
            }
        }
    }
}

/// A line about a machine.
struct Row {
    machine: String,
    whole: String,
    units: String,
    note: String,
    tone: Tone,
}

/// One line for each thing that there is to say of a machine.
fn rows(candidate: &Candidate, explanation: &Explanation) -> Vec<Row> {
    let mut notes: Vec<(String, Tone)> = standing(candidate, explanation).into_iter().collect();
    notes.extend(candidate.reasons.iter().map(|reason| (reason.clone(), Tone::Plain)));
    let row = |(index, (note, tone))| {
        let is_first = index == 0;
        let first = |text: String| if is_first { text } else { DITTO.to_owned() };
        Row {
            machine: first(machine(candidate, false)),
            whole: first(machine(candidate, true)),
            units: first(candidate.load.to_string()),
            note,
            tone,
        }
    };
    notes.into_iter().enumerate().map(row).collect()
}

/// What a machine is to the unit, beside what keeps it off.
fn standing(candidate: &Candidate, explanation: &Explanation) -> Option<(String, Tone)> {
    let (note, tone) = match &candidate.holding {
        Some(holding) if holding.leaving => ("has to stop it", Tone::Busy),
        Some(holding) if holding.absent => ("holds it, and is not there", Tone::Bad),
        Some(_) => ("holds it", Tone::Plain),
        None if !candidate.reasons.is_empty() => return None,
        None => match explanation.verdict {
            Verdict::Placed => ("could take it, too", Tone::Faint),
            Verdict::Inactive => ("could take it", Tone::Plain),
            Verdict::Pending | Verdict::Global if explanation.leaderless => {
                ("could take it, but no engine leads at the moment", Tone::Bad)
            }
            Verdict::Pending | Verdict::Global => ("could take it, and may any moment", Tone::Busy),
        },
    };
    Some((note.to_owned(), tone))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WhyColumn {
    Machine,
    Units,
    Note,
}

impl Column for WhyColumn {
    type Row = Row;
    const ALL: &'static [Self] = &[Self::Machine, Self::Units, Self::Note];
    const DEFAULT: &'static [Self] = Self::ALL;
    const KEYS: &'static [Key] = &[];
    const STATES: &'static [&'static str] = &[];

    fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Units => "units",
            Self::Note => "why",
        }
    }

    fn text(self, row: &Row, full: bool) -> String {
        match self {
            Self::Machine if full => row.whole.clone(),
            Self::Machine => row.machine.clone(),
            Self::Units => row.units.clone(),
            Self::Note => row.note.clone(),
        }
    }

    fn value(self, row: &Row) -> Value {
        Value::from(self.text(row, true))
    }

    fn subject(_: &Row) -> Subject<'_> {
        Subject::default()
    }

    fn tone(self, row: &Row) -> Tone {
        if self == Self::Note { row.tone } else { Tone::Plain }
    }
}
