//! This machine: who it is, and where others reach it. Knows nothing of the cluster.

mod address;
mod changes;
mod identity;

pub use self::address::published_address;
pub use self::changes::AddressChanges;
pub use self::identity::{IdentityError, boot_id, hostname, instance, machine_id};
