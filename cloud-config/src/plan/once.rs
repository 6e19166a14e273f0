//! What runs once for each instance: `runcmd` and scripts.

use super::{Action, Input, Task};
use crate::document::Command;
use crate::host::Host;

/// Which instance this is: a cloud tells it; else it is the one that a cloud told, or the machine.
pub(super) fn instance_id(input: &Input<'_>, host: &Host) -> Option<String> {
    let told = input.metadata.and_then(|told| told.instance_id.clone());
    let (known, machine) = (host.memory.instance_id.clone(), host.machine_id.clone());
    told.or(match host.memory.is_machine_id {
        true => machine.or(known),
        false => known.or(machine),
    })
}

pub(super) fn plan(
    input: &Input<'_>,
    host: &Host,
    instance_id: Option<&str>,
    actions: &mut Vec<Action>,
) {
    let same = host.memory.instance_id.as_deref() == instance_id;
    let mut tasks = Vec::new();
    if !input.config.runcmd.is_empty() {
        let content = script(&input.config.runcmd).into_bytes();
        tasks.push(Task { name: "runcmd".to_owned(), content });
    }
    tasks.extend(
        input
            .scripts
            .iter()
            .map(|script| Task { name: script.name.clone(), content: script.content.clone() }),
    );
    tasks.retain(|task| !(same && host.memory.ran.contains_key(&task.name)));
    actions.extend(tasks.into_iter().map(Action::Run));
}

/// One script of all commands, which share a shell as those of Canonical's do. It fails if one of
/// them does.
fn script(commands: &[Command]) -> String {
    let mut lines = vec!["#!/bin/sh".to_owned(), "__failed=0".to_owned()];
    for command in commands {
        lines.push(match command {
            // A backslash at the end goes on with nothing, and not with what is ours.
            Command::Shell(line) if line.trim_end().ends_with('\\') => format!("{line}\n"),
            Command::Shell(line) => line.trim_end().to_owned(),
            Command::Program(words) => {
                words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
            }
        });
        lines.push("__status=$?; [ $__status -eq 0 ] || __failed=$__status".to_owned());
    }
    lines.push("exit $__failed".to_owned());
    lines.join("\n") + "\n"
}

fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_share_a_shell_and_words_stay_words() {
        let commands = [
            Command::Shell("cd /tmp".to_owned()),
            Command::Shell("echo a \\".to_owned()),
            Command::Program(vec!["echo".to_owned(), "it's $HOME".to_owned()]),
        ];
        let check = "__status=$?; [ $__status -eq 0 ] || __failed=$__status";

        assert_eq!(
            script(&commands),
            format!(
                "#!/bin/sh\n__failed=0\ncd /tmp\n{check}\necho a \\\n\n{check}\n'echo' 'it'\\''s $HOME'\n{check}\nexit $__failed\n"
            )
        );
    }
}
