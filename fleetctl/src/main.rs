//! The operator's command line: entry point.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use fleetctl::{Terminal, Ui};

fn main() -> ExitCode {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let environment = |name: &str| std::env::var(name).ok();
    let watched = Terminal::of(io::stderr().is_terminal(), &environment).redraws();
    let terminal = Terminal::of(io::stdout().is_terminal(), &environment);
    let ui = Ui::new(Box::new(io::stdout()), Box::new(io::stderr()), watched).on(terminal);
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            let ended = runtime.block_on(fleetctl::run(words, &environment, &ui));
            // The system may still look for a host that was given up.
            runtime.shutdown_background();
            ended
        }
        Err(error) => {
            ui.note(&format!("Error: this machine gives no event queue: {error}"));
            ExitCode::FAILURE
        }
    }
}
