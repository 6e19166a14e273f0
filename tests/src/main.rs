//! The testbed: real hosts on one Linux machine.

use std::process::ExitCode;

use clap::Parser;
use fleet_tests::{Error, cli, ui};

fn main() -> ExitCode {
    match cli::run(&cli::Arguments::parse()) {
        Ok(code) => code,
        Err(Error::Told) => ExitCode::FAILURE,
        // As a shell tells it of a program that SIGINT ends.
        Err(Error::Interrupted) => ExitCode::from(130),
        Err(error) => {
            ui::complain(&error);
            ExitCode::FAILURE
        }
    }
}
