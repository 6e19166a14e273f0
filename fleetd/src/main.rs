//! The fleet daemon's entry point.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use fleetd::app::{self, Configuration};
use fleetd::cli::{self, Invocation};
use fleetd::config::{self, Key, Notice, Sources};
use fleetd::log;
use tracing::{error, info};

/// Most of the time fleetd waits; more threads would only take memory.
const WORKERS: usize = 2;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os().map(|word| word.to_string_lossy().into_owned())) {
        Ok(Invocation::Version) => {
            // A reader that went away has read enough.
            let _gone = writeln!(std::io::stdout(), "fleetd version {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Ok(Invocation::Arguments(text)) => {
            complain(&text);
            ExitCode::FAILURE
        }
        Ok(Invocation::Run { config, flags }) => run(sources(config, flags)),
        Ok(Invocation::PrintConfig { config, flags }) => print_config(&sources(config, flags)),
        Err(error) => {
            let _gone = error.print();
            u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

fn sources(file: Option<PathBuf>, flags: Vec<(Key, String)>) -> Sources {
    let environment = std::env::vars_os().map(|(name, value)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    });
    Sources { file, environment: environment.collect(), flags }
}

fn print_config(sources: &Sources) -> ExitCode {
    let (text, checked) = match config::print(sources) {
        Ok(printed) => printed,
        Err(error) => return fail(&error),
    };
    // A reader that went away has read enough.
    let _gone = std::io::stdout().write_all(text.as_bytes());
    match checked {
        Ok(notices) => {
            notices.iter().for_each(|notice| complain(&notice.problem.to_string()));
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

fn run(sources: Sources) -> ExitCode {
    let filter = sources.environment.iter().find(|(name, _)| name == "FLEET_LOG");
    let filter = filter.map(|(_, filter)| filter.clone());
    let loaded = match config::load(&sources) {
        Ok(loaded) => loaded,
        Err(error) => return fail(&error),
    };
    let verbosity = match log::set_up(loaded.settings.debug, filter.as_deref()) {
        Ok(verbosity) => verbosity,
        Err(error) => return fail(&error),
    };
    abort_on_panic();
    let file = loaded.file_name();
    info!(version = env!("CARGO_PKG_VERSION"), configuration = file, "Starting fleetd");
    loaded.notices.iter().for_each(Notice::log);

    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.worker_threads(WORKERS).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    match runtime.block_on(app::run(Configuration::new(sources, loaded, verbosity))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            error!(error = log::chain(&failure), "Cannot run");
            ExitCode::FAILURE
        }
    }
}

/// A part that panicked leaves state that nobody can vouch for: systemd starts fleetd again.
fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        error!(error = %panic, "Aborting after a panic");
        std::process::abort();
    }));
}

fn fail(error: &dyn Error) -> ExitCode {
    complain(&log::chain(error));
    ExitCode::FAILURE
}

fn complain(text: &str) {
    let mut stderr = std::io::stderr();
    for line in text.lines() {
        // There is nobody else to tell.
        let _gone = writeln!(stderr, "{line}");
    }
}
