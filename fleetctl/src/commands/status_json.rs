//! `fleetctl status --json`: what fleet knows of units, and what systemd says on their machines.
//!
//! The words of systemd are those of `systemctl show`, under systemd's own names.

use std::collections::{BTreeMap, BTreeSet};

use fleet_units::UnitName;
use fleet_units::api::v2::{Copy, UnitDetail};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::whereabouts::{MachineArgs, Map, only};
use super::{copies, no_unit};
use crate::client::{CONCURRENT, Client};
use crate::error::CommandError;
use crate::judge::is_remnant;
use crate::ssh::Ssh;
use crate::ui::Ui;

/// What systemd is asked for.
const PROPERTIES: &str = "--property=\
    LoadState,ActiveState,SubState,UnitFileState,FragmentPath,Result,StateChangeTimestamp,\
    ActiveEnterTimestamp,InactiveEnterTimestamp,MainPID,ExecMainPID,ExecMainCode,ExecMainStatus,\
    NRestarts,StatusText,TasksCurrent,MemoryCurrent,CPUUsageNSec,LoadError,NeedDaemonReload";

/// systemctl's codes for a unit that does not run, and for one that systemd does not know.
const NOT_RUNNING: u8 = 3;
const NOT_KNOWN: u8 = 4;

/// What systemd says of a unit, or why it could not be asked.
type Answer = Result<BTreeMap<String, String>, String>;

/// Prints one object for each unit. Exits as `systemctl status` would.
pub(super) async fn status_json(
    names: &[UnitName],
    machine: &MachineArgs,
    client: &Client<'_>,
    ui: &Ui,
    ssh: &Ssh<'_>,
) -> Result<(), CommandError> {
    let mut ended = Ok(());
    let names: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
    let mut details = client.details(&names).await?;
    details.retain(|unit| !is_remnant(unit));
    let known: BTreeSet<&str> = details.iter().map(|unit| unit.name.as_str()).collect();
    for name in names.iter().filter(|name| !known.contains(name.as_str())) {
        ended = ended.and(Err(no_unit(name).tell(ui)));
    }
    let map = Map::of(client, machine).await?;
    let mut objects = Vec::new();
    let mut worst = 0;
    for mut unit in details {
        if let Some(id) = &machine.machine {
            match only(unit.machines, |copy| &copy.machine, &unit.name, id) {
                Ok(copies) => unit.machines = copies,
                Err(error) => {
                    ended = ended.and(Err(error.tell(ui)));
                    continue;
                }
            }
        }
        let answers = answers(&unit, &map, ssh).await;
        worst = if worst == 0 { code(&answers) } else { worst };
        objects.push(object(&unit, &answers));
    }
    ui.json(&objects)?;
    ended.and(if worst == 0 { Ok(()) } else { Err(CommandError::program(worst)) })
}

/// Asks all machines of a unit at once.
async fn answers(unit: &UnitDetail, map: &Map, ssh: &Ssh<'_>) -> Vec<Answer> {
    let words = ["systemctl", "show", PROPERTIES, "--", unit.name.as_str()];
    stream::iter(&unit.machines)
        .map(async |copy| {
            let program = map.program(&copy.machine, ssh, &words);
            let printed = match program {
                Ok(program) => ssh.printed(&program).await,
                Err(error) => Err(error),
            };
            printed.map(|printed| properties(&printed)).map_err(|error| error.to_string())
        })
        .buffered(CONCURRENT)
        .collect()
        .await
}

/// Reads what `systemctl show` prints.
fn properties(printed: &str) -> BTreeMap<String, String> {
    let pairs = printed.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Gives the code of the first copy that does not run; a unit without a copy does not.
fn code(answers: &[Answer]) -> u8 {
    if answers.is_empty() {
        return NOT_RUNNING;
    }
    let code = |answer: &Answer| {
        let Ok(properties) = answer else { return 1 };
        let is = |name: &str, values: &[&str]| {
            properties.get(name).is_some_and(|value| values.contains(&value.as_str()))
        };
        if is("LoadState", &["not-found"]) {
            NOT_KNOWN
        } else if is("ActiveState", &["inactive", "failed"]) {
            NOT_RUNNING
        } else {
            0
        }
    };
    answers.iter().map(code).find(|code| *code != 0).unwrap_or(0)
}

fn object(unit: &UnitDetail, answers: &[Answer]) -> Value {
    let copies: Value =
        unit.machines.iter().zip(answers).map(|(copy, answer)| answered(copy, answer)).collect();
    json!({
        "unit": unit.name,
        "global": unit.global,
        "dstate": unit.desired_state,
        "state": unit.current_state,
        "copies": copies,
        "obstacles": copies::obstacles(unit.obstacles.as_deref()),
    })
}

fn answered(copy: &Copy, answer: &Answer) -> Value {
    let mut object = copies::copy(copy);
    object["systemd"] = json!(answer.as_ref().ok());
    object["error"] = json!(answer.as_ref().err());
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(load: &str, active: &str) -> Answer {
        Ok(properties(&format!("LoadState={load}\nActiveState={active}\nExecStart={{ a=b }}\n")))
    }

    #[test]
    fn values_may_have_equals_signs() {
        assert_eq!(said("loaded", "active").unwrap()["ExecStart"], "{ a=b }");
    }

    #[test]
    fn codes_are_those_of_systemctl_and_the_first_copy_that_does_not_run_counts() {
        let active = || said("loaded", "active");
        for (answers, expected) in [
            (vec![active(), active()], 0),
            (vec![active(), said("loaded", "failed")], 3),
            (vec![said("loaded", "inactive")], 3),
            (vec![said("loaded", "activating")], 0),
            (vec![said("not-found", "inactive"), said("loaded", "failed")], 4),
            (vec![active(), Err("no route".to_owned())], 1),
            (vec![], 3),
        ] {
            assert_eq!(code(&answers), expected, "{answers:?}");
        }
    }
}
