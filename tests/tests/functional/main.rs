//! What fleet does, shown on real hosts: each test is a claim that fails when the behaviour breaks.
//!
//! `cargo testbed test` boots the hosts and runs this.

#![expect(clippy::unwrap_used, reason = "in a test that is a failure with its place")]

mod fixture;

mod client;
mod input;
mod machines;
mod numbers;
mod placement;
mod rest;
mod session;
mod survival;
mod systemd;
mod units;
