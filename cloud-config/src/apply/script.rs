//! Scripts, once for each instance.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::program::{Ended, describe, wait};
use super::write::{Owned, write};
use super::{Applying, Target};
use crate::host::Host;
use crate::plan::{Action, Plan, Task};
use crate::state::{self, Done, Memory, Outcome, Ran};

impl Applying<'_> {
    /// Runs scripts one after the other. That one began is noted first: it does not run again, even
    /// if the host goes down meanwhile.
    pub(super) fn run_scripts(
        &mut self,
        plan: &Plan,
        host: &Host,
        memory: &mut Memory,
        note: &mut dyn FnMut(&[Outcome]),
    ) {
        if memory.instance_id != plan.instance_id && self.target.is_running {
            memory.ran = BTreeMap::new();
            memory.instance_id.clone_from(&plan.instance_id);
            memory.is_machine_id = memory.instance_id == host.machine_id;
        }
        for action in &plan.actions {
            let Action::Run(task) = action else { continue };
            note(&self.outcomes);
            if !self.target.is_running {
                let reason = "no system runs from this directory".to_owned();
                self.push(Outcome::new(action.to_string(), Done::Skipped, Some(reason)));
                continue;
            }
            let ended = begin(self.target, task, memory).and_then(|()| run(self.target, task));
            let ran = match ended {
                Ok(Ended::Exited(status)) if status.success() => Ran::Done,
                Ok(Ended::Exited(status)) => Ran::Failed(describe(status)),
                Ok(Ended::Killed(limit)) => {
                    Ran::Failed(format!("did not end within {} s", limit.as_secs()))
                }
                Err(error) => Ran::Failed(format!("cannot be run: {error}")),
            };
            let reason = match &ran {
                Ran::Failed(why) => {
                    Some(format!("it {why}, see {}/{}.log", state::SCRIPTS, task.name))
                }
                Ran::Done | Ran::Begun => None,
            };
            let done = if reason.is_some() { Done::Failed } else { Done::Done };
            memory.ran.insert(task.name.clone(), ran);
            self.push(Outcome::new(action.to_string(), done, reason));
        }
    }
}

fn begin(target: Target<'_>, task: &Task, memory: &mut Memory) -> io::Result<()> {
    memory.ran.insert(task.name.clone(), Ran::Begun);
    state::save(target.root, state::MEMORY, memory)?;
    let owned = Owned { mode: 0o700, folder_mode: 0o700, ..Owned::default() };
    write(target.root, &Path::new(state::SCRIPTS).join(&task.name), &task.content, &owned)
}

fn run(target: Target<'_>, task: &Task) -> io::Result<Ended> {
    let place = target.root.place(&Path::new(state::SCRIPTS).join(&task.name))?;
    let log = place.with_file_name(format!("{}.log", task.name));
    let log = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(log)?;
    let mut command = Command::new(&place);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
    if target.root.is_this_host() {
        command.current_dir("/");
    }
    wait(command.spawn()?, target.limits.script)
}
