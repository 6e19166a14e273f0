//! The operator's command line.
//!
//! A command is its arguments and a function; [`run`] reads the command line, runs one, and turns
//! its end into an exit code. What is decided on the way is pure: where a unit's contents come from
//! (`source`), what is to be written (`raise`, `lower`), whether a unit is where it should be
//! (`judge`), which rows lists have (`filter`, `order`), how they look (`table`).

mod argv;
mod cli;
mod client;
mod commands;
mod complete;
mod error;
mod filter;
mod judge;
mod legend;
mod list;
mod live;
mod order;
mod settings;
mod source;
mod ssh;
mod table;
mod terminal;
mod ui;
mod wait;
mod words;

use std::process::ExitCode;

pub use cli::command;
use cli::{Cli, Command};
use client::Client;
use error::CommandError;
use ssh::Ssh;
pub use terminal::Terminal;
pub use ui::Ui;

/// Runs the command that the words ask for; the first is the program's name.
pub async fn run(
    words: Vec<String>,
    environment: &dyn Fn(&str) -> Option<String>,
    ui: &Ui,
) -> ExitCode {
    let done = match cli::parse(words) {
        Ok(cli) => dispatch(cli, environment, ui).await,
        Err(refused) => refuse(&refused, ui),
    };
    // Kept until now, as it must not keep a command from what it changes.
    let done = done.and(ui.unwritten().map_or(Ok(()), |error| Err(error.into())));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(ui),
    }
}

/// Tells what the parser has to tell: help that was asked for, or what is wrong.
fn refuse(refused: &clap::Error, ui: &Ui) -> Result<(), CommandError> {
    let text = refused.render().to_string();
    if refused.use_stderr() {
        return Err(CommandError::usage(text.trim_end()));
    }
    Ok(ui.data(&text)?)
}

async fn dispatch(
    cli: Cli,
    environment: &dyn Fn(&str) -> Option<String>,
    ui: &Ui,
) -> Result<(), CommandError> {
    let command = match (cli.version, cli.command) {
        (true, _) | (false, Some(Command::Version)) => return Ok(ui.line(cli::VERSION)?),
        (false, None) => return Ok(ui.data(&cli::help())?),
        // These need no fleet, and so no valid way to it.
        (false, Some(Command::FdForward(args))) => return commands::fd_forward::fd_forward(&args),
        (false, Some(Command::Verify(_))) => return commands::verify::verify(ui),
        (false, Some(Command::Completion(args))) => {
            return commands::completion::completion(&args, ui);
        }
        (false, Some(Command::Complete(args))) => {
            return complete::complete(&args, environment, ui).await;
        }
        (false, Some(command)) => command,
    };
    let settings = cli.global.settings(environment)?;
    ui.set_debug(settings.debug);
    settings.warning.iter().for_each(|warning| ui.note(warning));
    let ssh = Ssh::open(&settings, environment, ui).await?;
    let endpoint = ssh.endpoint(&settings.endpoint);
    let client = Client::new(endpoint, settings.request_timeout, ui);
    match command {
        Command::Submit(args) => commands::submit::submit(&args, &client, ui).await,
        Command::Load(args) => commands::load::load(&args, &client, ui).await,
        Command::Start(args) => commands::start::start(&args, &client, ui).await,
        Command::Restart(args) => commands::restart::restart(&args, &client, ui, &ssh).await,
        Command::Stop(args) => commands::stop::stop(&args, &client, ui).await,
        Command::Unload(args) => commands::unload::unload(&args, &client, ui).await,
        Command::Destroy(args) => commands::destroy::destroy(&args, &client, ui).await,
        Command::ListUnits(args) => commands::list_units::list_units(&args, &client, ui).await,
        Command::ListUnitFiles(args) => {
            commands::list_unit_files::list_unit_files(&args, &client, ui).await
        }
        Command::ListMachines(args) => {
            commands::list_machines::list_machines(&args, &client, ui).await
        }
        Command::Cat(args) => commands::cat::cat(&args, &client, ui).await,
        Command::Plan(args) => commands::plan::plan(&args, &client, ui).await,
        Command::Why(args) => commands::why::why(&args, &client, ui).await,
        Command::Status(args) => commands::status::status(&args, &client, ui, &ssh).await,
        Command::Journal(args) => commands::journal::journal(&args, &client, ui, &ssh).await,
        Command::Ssh(args) => commands::ssh::ssh(&args, &client, ui, &ssh).await,
        Command::FdForward(args) => commands::fd_forward::fd_forward(&args),
        Command::Verify(_) => commands::verify::verify(ui),
        Command::Completion(args) => commands::completion::completion(&args, ui),
        Command::Complete(args) => complete::complete(&args, environment, ui).await,
        Command::Version => Ok(ui.line(cli::VERSION)?),
    }
}
