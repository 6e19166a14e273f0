//! `testbed conform`: asks a lone machine for all that the OpenAPI document promises, and for much
//! that it does not, and fails if any response is not as the document says.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use crate::command::{self, CommandError, command};
use crate::error::Error;
use crate::source::{self, cargo};
use crate::{file, privilege, ui};

/// What asks, with all that it needs, each in a version that is known to work.
const REQUIREMENTS: &str = "tests/lone/requirements.txt";

/// Requests for each operation in one phase; all together take well under a minute.
const EXAMPLES: &str = "--max-examples=40";

/// Nothing that is asked takes this many seconds.
const PATIENCE: &str = "--request-timeout=10";

/// Seconds that all of it never takes, nor the machine's start.
const LIMIT: &str = "600";

/// Beside the promises of the document: no failure of the server, and no half-made refusals.
/// Servers of 1.0 took more than the document can say, such as keys in any case, and refuse what
/// it cannot say, such as an unknown page token; so who is taken and who refused is not judged.
const CHECKS: &str = "--checks=not_a_server_error,status_code_conformance,\
                      content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,unsupported_method,allow_header_conformance,\
                      use_after_free";

/// Its response has no end.
const ENDLESS: &str = "--exclude-operation-id=followEvents";

/// Answers other verbs with the status that 1.0 gave them.
const OF_ITS_OWN: &str = "--exclude-operation-id=getDiscovery";

/// Builds the machine and asks it.
///
/// # Errors
///
/// A response is not as the document says, or the programs cannot be made.
pub(crate) fn run() -> Result<(), Error> {
    let schemathesis = install()?;
    let build = ["build", "--quiet", "--package", "fleet-tests", "--features", "hollow"];
    command::show(&mut cargo(build.into_iter().chain(["--bin", "lone"])))?;
    let lone = Lone::start(&privilege::this_program()?.with_file_name("lone"))?;
    ui::say("Checking that the API is as its OpenAPI document says");
    let mut line = command([schemathesis]);
    line.args(["run", EXAMPLES, PATIENCE, CHECKS, ENDLESS, OF_ITS_OWN]);
    line.args(["--no-color", "--generation-database=none"]);
    line.arg(format!("{}/fleet/v2/openapi.json", lone.url));
    line.current_dir(target_directory()?);
    let output = command::output(&mut line, b"")?;
    if output.status.success() {
        return Ok(());
    }
    ui::say(String::from_utf8_lossy(&output.stdout).trim_end());
    ui::note(String::from_utf8_lossy(&output.stderr).trim_end());
    Err(Error::Check { step: "the API's own description" })
}

/// Puts schemathesis into a place of its own, once for each set of requirements.
fn install() -> Result<PathBuf, Error> {
    let wanted = source::root().join(REQUIREMENTS);
    let requirements = fs::read(&wanted).map_err(file::at("read", &wanted))?;
    let place = target_directory()?;
    let installed = place.join("requirements.txt");
    let program = place.join("bin/schemathesis");
    if fs::read(&installed).is_ok_and(|installed| installed == requirements) {
        return Ok(program);
    }
    ui::say("Installing schemathesis");
    command::read(command(["python3", "-m", "venv", "--clear"]).arg(&place))?;
    let pip = place.join("bin/pip");
    command::read(command([pip]).args(["install", "--quiet", "--requirement"]).arg(&wanted))?;
    // Last, so that what was broken off is begun again.
    fs::write(&installed, requirements).map_err(file::at("write", &installed))?;
    Ok(program)
}

/// Beside the builds, so that `cargo clean` removes it.
fn target_directory() -> Result<PathBuf, Error> {
    let mut directory = privilege::this_program()?;
    directory.pop();
    directory.set_file_name("schemathesis");
    Ok(directory)
}

/// The machine, as long as somebody asks it.
struct Lone {
    process: Child,
    url: String,
}

impl Lone {
    fn start(program: &Path) -> Result<Self, Error> {
        let mut line = command(["timeout", "--kill-after=5", LIMIT]);
        line.arg(program);
        let failed = |line: &_, source| CommandError::Start { line: command::line(line), source };
        let started = line.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let process = started.map_err(|source| failed(&line, source))?;
        let mut lone = Self { process, url: String::new() };
        if let Some(said) = lone.process.stdout.take() {
            let read = BufReader::new(said).read_line(&mut lone.url);
            read.map_err(|source| failed(&line, source))?;
        }
        lone.url.truncate(lone.url.trim_end().len());
        if lone.url.is_empty() { Err(Error::Check { step: "a lone machine" }) } else { Ok(lone) }
    }
}

impl Drop for Lone {
    fn drop(&mut self) {
        // It ends with its input, and takes its files along.
        drop(self.process.stdin.take());
        self.process.wait().ok();
    }
}
