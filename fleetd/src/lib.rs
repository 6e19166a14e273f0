//! The fleet daemon.
//!
//! `app` starts the parts; `agent`, `engine` and `api` never import each other; below them stand
//! `plan` and `systemd`, then `placement`, then `registry`, and below that `store` and `machine`.

pub mod agent;
pub mod api;
pub mod app;
pub mod backoff;
pub mod cli;
pub mod config;
pub mod engine;
pub mod file;
pub mod log;
pub mod machine;
pub mod metrics;
pub mod notify;
pub mod placement;
pub mod plan;
pub mod registry;
pub mod store;
pub mod systemd;
