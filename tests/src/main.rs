//! The testbed: real hosts on one Linux machine.

use std::process::ExitCode;

use clap::Parser;
use fleet_tests::{Error, cli, ui};

fn main() -> ExitCode {
    match cli::run(&cli::Arguments::parse()) {
        Ok(code) => code,
        Err(Error::Told) => ExitCode::FAILURE,
        Err(error) => {
            ui::complain(&error);
            ExitCode::FAILURE
        }
    }
}
