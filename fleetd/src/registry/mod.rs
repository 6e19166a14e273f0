//! fleet's documents in the store: what is written under which key, in which form.
//! Everything above speaks of units and machines, never of keys.

pub mod document;
pub mod follow;
pub mod key;
pub mod mirror;
#[cfg(test)]
mod properties;
