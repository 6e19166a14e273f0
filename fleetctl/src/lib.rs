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
use cli::{Cli, Command, Local, Remote};
use client::Client;
use error::CommandError;
pub use settings::variable_of;
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
    match (cli.version, cli.command) {
        (true, _) => Ok(ui.line(cli::VERSION)?),
        (false, None) => Ok(ui.data(&cli::help())?),
        (false, Some(Command::Local(command))) => local(command, environment, ui).await,
        (false, Some(Command::Remote(command))) => {
            let settings = cli.global.settings(environment)?;
            ui.set_debug(settings.debug);
            settings.warning.iter().for_each(|warning| ui.note(warning));
            let ssh = Ssh::open(&settings, environment, ui).await?;
            let endpoint = ssh.endpoint(&settings.endpoint);
            let client = Client::new(endpoint, settings.request_timeout, ui);
            remote(command, &client, ui, &ssh).await
        }
    }
}

async fn local(
    command: Local,
    environment: &dyn Fn(&str) -> Option<String>,
    ui: &Ui,
) -> Result<(), CommandError> {
    match command {
        Local::FdForward(args) => commands::fd_forward::fd_forward(&args),
        Local::Verify(_) => commands::verify::verify(ui),
        Local::Completion(args) => commands::completion::completion(&args, ui),
        Local::Complete(args) => complete::complete(&args, environment, ui).await,
        Local::Version => Ok(ui.line(cli::VERSION)?),
    }
}

async fn remote(
    command: Remote,
    client: &Client<'_>,
    ui: &Ui,
    ssh: &Ssh<'_>,
) -> Result<(), CommandError> {
    match command {
        Remote::Submit(args) => commands::submit::submit(&args, client, ui).await,
        Remote::Load(args) => commands::load::load(&args, client, ui).await,
        Remote::Start(args) => commands::start::start(&args, client, ui).await,
        Remote::Restart(args) => commands::restart::restart(&args, client, ui, ssh).await,
        Remote::Stop(args) => commands::stop::stop(&args, client, ui).await,
        Remote::Unload(args) => commands::unload::unload(&args, client, ui).await,
        Remote::Destroy(args) => commands::destroy::destroy(&args, client, ui).await,
        Remote::ListUnits(args) => commands::list_units::list_units(&args, client, ui).await,
        Remote::ListUnitFiles(args) => {
            commands::list_unit_files::list_unit_files(&args, client, ui).await
        }
        Remote::ListMachines(args) => {
            commands::list_machines::list_machines(&args, client, ui).await
        }
        Remote::Cat(args) => commands::cat::cat(&args, client, ui).await,
        Remote::Plan(args) => commands::plan::plan(&args, client, ui).await,
        Remote::Why(args) => commands::why::why(&args, client, ui).await,
        Remote::Status(args) => commands::status::status(&args, client, ui, ssh).await,
        Remote::Journal(args) => commands::journal::journal(&args, client, ui, ssh).await,
        Remote::Ssh(args) => commands::ssh::ssh(&args, client, ui, ssh).await,
    }
}
