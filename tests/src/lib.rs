//! Real hosts on one Linux machine: the testbed, and what functional tests need of it.
//!
//! A [`Cluster`] is a few [`Host`]s, each with its own systemd, on a network of their own, with
//! etcd and a container registry. Nothing here depends on fleet's other crates: it uses their
//! binaries as an operator would, and builds without what they need.

pub mod bench;
pub mod cli;
pub mod cluster;
pub mod command;
pub mod error;
pub mod host;
pub mod ui;
pub mod wait;

mod cgroup;
mod conform;
mod discovery;
mod etcd;
mod file;
mod fleet;
mod fuzz;
mod image;
mod interrupt;
mod layer;
mod lists;
mod lock;
mod network;
mod packages;
mod paths;
mod privilege;
mod process;
mod registry;
mod remains;
mod restore;
mod source;
mod status;
mod suite;
mod user_data;
mod vagrant;
mod welcome;

pub use cluster::{Cluster, ClusterName};
pub use error::Error;
pub use host::{Host, Power};
