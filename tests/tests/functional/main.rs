//! What fleet does, shown on real hosts: each test is a claim that fails when the behaviour breaks.
//!
//! `cargo testbed test` boots the hosts and runs this.

#![expect(clippy::unwrap_used, reason = "in a test that is a failure with its place")]

mod fixture;
mod http;

mod api;
mod client;
mod cloud_config;
mod config;
mod conflicts;
mod connectivity;
mod directives;
mod embedded;
mod flow;
mod input;
mod install;
mod lists;
mod loss;
mod machines;
mod metadata;
mod numbers;
mod placement;
mod presence;
mod raise;
mod replaces;
mod rest;
mod session;
mod shutdown;
mod ssh;
mod survival;
mod systemd;
mod units;
mod why;
mod wire;
