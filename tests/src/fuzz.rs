//! `testbed fuzz`: runs the fuzz targets for a few seconds each. They are laid out as cargo-fuzz
//! wants them; this needs neither it nor a nightly compiler.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, command};
use crate::error::Error;
use crate::source::{self, cargo};
use crate::{file, privilege, ui};

/// Where what breaks a target is left, below the root of the workspace.
const ARTIFACTS: &str = "artifacts/fuzz";

/// An input that takes longer than this many seconds has hung.
const HANG: u8 = 10;

/// Lets programs tell libFuzzer where they have been, as cargo-fuzz does with `--sanitizer none`.
const INSTRUMENT: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
                          -Cllvm-args=-sanitizer-coverage-level=4 \
                          -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                          -Cllvm-args=-sanitizer-coverage-pc-table \
                          -Cllvm-args=-sanitizer-coverage-trace-compares";

/// What to fuzz, and for how long.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FuzzArgs {
    /// Run only this target of `fuzz/fuzz_targets`
    target: Option<String>,
    /// How long each target runs
    #[arg(long, value_name = "N", default_value_t = Self::default().seconds)]
    seconds: u32,
}

impl Default for FuzzArgs {
    fn default() -> Self {
        // Long enough to try the seeds and tens of thousands of their neighbours.
        Self { target: None, seconds: 5 }
    }
}

/// Builds the targets and runs one after the other, until one fails.
///
/// # Errors
///
/// They do not compile, or one found an input that breaks what it claims.
pub(crate) fn run(arguments: &FuzzArgs) -> Result<(), Error> {
    let chosen = choose(targets()?, arguments.target.as_deref())?;
    command::show(&mut cargo(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]))?;
    let host = host()?;
    let built = target_directory()?;
    let build = ["build", "--quiet", "--release", "--manifest-path", "fuzz/Cargo.toml"];
    let mut line = cargo(build);
    // With a target named, build scripts and macros are spared the flags.
    line.args(["--target", &host]).arg("--target-dir").arg(&built).env("RUSTFLAGS", INSTRUMENT);
    command::show(&mut line)?;
    let programs = built.join(host).join("release");
    for target in chosen {
        let corpus = built.join("corpus").join(&target);
        fuzz(&programs.join(&target), &target, &corpus, arguments.seconds)?;
    }
    Ok(())
}

fn choose(targets: Vec<String>, wanted: Option<&str>) -> Result<Vec<String>, Error> {
    let Some(wanted) = wanted else { return Ok(targets) };
    if targets.iter().any(|target| target == wanted) {
        return Ok(vec![wanted.to_owned()]);
    }
    Err(Error::NoTarget { target: wanted.to_owned(), targets: targets.join(", ") })
}

/// The machine that cargo builds for by itself.
fn host() -> Result<String, Error> {
    let version = command::read(&mut cargo(["-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or(Error::NoExecutable { target: "fuzz" })
}

/// Beside the other builds, so that `cargo clean` removes it.
fn target_directory() -> Result<PathBuf, Error> {
    let mut directory = privilege::this_program()?;
    directory.pop();
    directory.set_file_name("fuzz");
    Ok(directory)
}

/// The targets, by name; each has a directory with seeds.
fn targets() -> Result<Vec<String>, Error> {
    let seeds = source::root().join("fuzz/seeds");
    let entries = fs::read_dir(&seeds).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(file::at("read", &seeds))?;
    let mut names: Vec<_> =
        entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// What is found on the way is kept for the next run, which begins with it.
fn fuzz(program: &Path, target: &str, corpus: &Path, seconds: u32) -> Result<(), Error> {
    let artifacts = Path::new(ARTIFACTS).join(target);
    for directory in [corpus, &source::root().join(&artifacts)] {
        file::make_dir(directory)?;
    }
    ui::say(format_args!("Fuzzing {target} for {seconds} s"));
    let mut line = command([program]);
    line.current_dir(source::root()).env("RUST_BACKTRACE", "0");
    line.arg(corpus).arg(Path::new("fuzz/seeds").join(target));
    line.arg(format!("-max_total_time={seconds}")).arg(format!("-timeout={HANG}"));
    line.arg(format!("-artifact_prefix={}/", artifacts.display()));
    judge(&mut line, target)
}

fn judge(line: &mut Command, target: &str) -> Result<(), Error> {
    let output = command::output(line, b"")?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let (reason, input) = (reason(&said), input(&said));
    Err(Error::Fuzz { target: target.to_owned(), reason, input })
}

/// The panic and its message, or the last words if there was none.
fn reason(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    let panic = lines.iter().position(|line| line.contains(" panicked at "));
    let (from, most) = panic.map_or((lines.len().saturating_sub(10), 10), |panic| (panic, 4));
    let words = lines.iter().skip(from).take(most).filter(|line| !line.starts_with("note: "));
    words.copied().collect::<Vec<_>>().join("\n")
}

/// The file that holds the input.
fn input(said: &str) -> String {
    let written = said.lines().find_map(|line| line.split_once("Test unit written to "));
    written.map_or_else(|| "an input that was not kept".to_owned(), |(_, path)| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRASH: &str = "\
#5\tNEW    cov: 271 ft: 419 corp: 4/348b lim: 142 exec/s: 0 rss: 27Mb\n\
\n\
thread '<unnamed>' (7) panicked at fuzz_targets/unit.rs:17:5:\n\
assertion `left == right` failed\n  left: 1\n right: 2\n\
note: run with `RUST_BACKTRACE=1`\n\
==7== ERROR: libFuzzer: deadly signal\n\
artifact_prefix='artifacts/fuzz/unit/'; Test unit written to artifacts/fuzz/unit/crash-da39\n\
Base64: AA==\n";

    #[test]
    fn a_target_that_fails_tells_the_panic_and_the_file_with_the_input() {
        let failure =
            judge(&mut command(["sh", "-c", "printf '%s' \"$0\" >&2; exit 77", CRASH]), "unit");

        assert_eq!(
            failure.unwrap_err().to_string(),
            "fuzz target `unit` failed on artifacts/fuzz/unit/crash-da39:\n\
             thread '<unnamed>' (7) panicked at fuzz_targets/unit.rs:17:5:\n\
             assertion `left == right` failed\n  left: 1\n right: 2"
        );
    }

    #[test]
    fn every_target_has_seeds() {
        let sources = fs::read_dir(source::root().join("fuzz/fuzz_targets")).unwrap();
        let mut names: Vec<_> = sources
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();

        assert_eq!(targets().unwrap(), names);
    }
}
