//! Turns a host into a member of a cluster as its user data says.
//!
//! User data is found by a [datasource](datasource), read into a [document](document), planned
//! against what is on the host by a pure function, and applied.

pub mod apply;
pub mod clock;
pub mod datasource;
pub mod document;
pub mod facts;
pub mod host;
pub mod plan;
pub mod problem;
pub mod state;
mod yaml;
