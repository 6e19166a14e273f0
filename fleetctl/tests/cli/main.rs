//! The program against a scripted server.

mod change;
mod list;
mod program;
mod server;
mod silence;
mod status;
mod usage;
