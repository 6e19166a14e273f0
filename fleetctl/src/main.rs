//! The operator's command line: entry point.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use fleetctl::Ui;

fn main() -> ExitCode {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let environment = |name: &str| std::env::var(name).ok();
    let watched = io::stderr().is_terminal();
    let ui = Ui::new(Box::new(io::stdout()), Box::new(io::stderr()), watched);
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(fleetctl::run(words, &environment, &ui)),
        Err(error) => {
            ui.note(&format!("Error: this machine gives no event queue: {error}"));
            ExitCode::FAILURE
        }
    }
}
