//! The directives as people are told of them.

use super::{
    CONFLICTS, GLOBAL, LEGACY_BOOT_ID, LEGACY_CONFLICTS, LEGACY_MACHINE_ID, LEGACY_MACHINE_OF,
    LEGACY_METADATA, MACHINE_ID, MACHINE_OF, METADATA, REPLACES,
};

/// A directive of `[X-Fleet]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directive {
    /// How it is spelt.
    pub name: &'static str,
    /// What stands for its value.
    pub value: &'static str,
    /// Spellings of old units, which mean the same.
    pub legacy: &'static [&'static str],
    /// What it asks for.
    pub help: &'static str,
}

/// All directives.
pub const DIRECTIVES: [Directive; 6] = [
    Directive {
        name: MACHINE_ID,
        value: "ID",
        legacy: &[LEGACY_MACHINE_ID, LEGACY_BOOT_ID],
        help: "Run the unit on this machine and no other. The whole id, as in /etc/machine-id, or \
               its first eight characters, as in lists. If it is given more than once, the first \
               counts.",
    },
    Directive {
        name: MACHINE_OF,
        value: "UNIT",
        legacy: &[LEGACY_MACHINE_OF],
        help: "Run the unit on the machine that holds this other unit, and follow it if it moves. \
               Of several units, all have to be on that machine. Names are whole names; patterns \
               are not expanded.",
    },
    Directive {
        name: CONFLICTS,
        value: "GLOB...",
        legacy: &[LEGACY_CONFLICTS],
        help: "Keep the unit off machines that hold a unit whose name matches, and such units off \
               its own. Several patterns are separated by blanks. A unit never conflicts with \
               itself, so Conflicts=web@*.service in a template spreads its instances over \
               machines.",
    },
    Directive {
        name: METADATA,
        value: "KEY=VALUE",
        legacy: &[LEGACY_METADATA],
        help: "Run the unit on a machine that has this metadata. Of several values for the same \
               key, one is enough; of several keys, each has to be met.",
    },
    Directive {
        name: GLOBAL,
        value: "BOOLEAN",
        legacy: &[],
        help: "Run the unit on each machine that suits it, and on those that join later. The last \
               value counts.",
    },
    Directive {
        name: REPLACES,
        value: "GLOB",
        legacy: &[],
        help: "Run the unit on a machine even if that holds a unit whose name matches, which gives \
               way and is placed elsewhere by its own directives, and never beside this one. Units \
               that replace each other merely conflict.",
    },
];
