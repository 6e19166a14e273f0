//! Processes of the machine. The process table is the testbed's only record of what runs, so that
//! a testbed that crashed has forgotten nothing.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{self, TimedOut};

/// Processes whose command line, as a list of words, satisfies `wanted`.
pub(crate) fn find(wanted: impl Fn(&[&str]) -> bool) -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let line = command_line(*pid);
            let words: Vec<_> = line.split_terminator('\0').collect();
            !words.is_empty() && wanted(&words)
        })
        .collect()
}

/// The first process in the pid namespace that `supervisor` made for a host.
pub(crate) fn leader_under(supervisor: i32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{supervisor}/task/{supervisor}/children"));
    children.ok()?.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid| is_first(*pid))
}

/// Kills without warning and returns once none of them runs any more.
///
/// # Errors
///
/// One of them still runs, as a process that hangs in the kernel does.
pub(crate) fn kill(pids: &[i32]) -> Result<(), TimedOut> {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        // It may have ended in the meantime, which is what we want.
        kill_process(pid, Signal::KILL).ok();
    }
    wait::attempt(Duration::from_secs(20), "killed processes to end", || {
        match pids.iter().find(|pid| !has_ended(**pid)) {
            Some(pid) => Err(format!("process {pid} is still there")),
            None => Ok(()),
        }
    })
}

/// Empty for a process that has ended, even if nobody has asked for its exit code yet.
fn command_line(pid: i32) -> String {
    // A process that is gone reads like one that has ended.
    fs::read(format!("/proc/{pid}/cmdline"))
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .unwrap_or_default()
}

/// The first process of a host has ended only once all others there have.
fn has_ended(pid: i32) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    let state = status.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    matches!(state, Some('Z' | 'X'))
}

fn is_first(pid: i32) -> bool {
    // A process that is gone is not the first of anything.
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    ids.is_some_and(|ids| {
        let ids: Vec<_> = ids.split_whitespace().collect();
        ids.len() > 1 && ids.last() == Some(&"1")
    })
}
