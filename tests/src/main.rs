//! The testbed: real hosts on one Linux machine.

use std::process::ExitCode;

use clap::Parser;
use fleet_tests::{cli, ui};

fn main() -> ExitCode {
    match cli::run(&cli::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            ui::complain(&error);
            ExitCode::FAILURE
        }
    }
}
