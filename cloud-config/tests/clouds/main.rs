//! Each datasource, against servers that answer as that cloud does and files as it leaves them.
//!
//! The fixtures below `fixtures/` are what the clouds say, not what the code reads.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod azure;
mod cloudstack;
mod configdrive;
mod digitalocean;
mod ec2;
mod fixture;
mod gce;
mod host;
mod kernel;
mod nocloud;
mod openstack;
mod packet;
mod platform;
mod server;
mod trouble;
mod vagrant;
mod vmware;
