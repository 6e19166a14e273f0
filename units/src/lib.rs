//! The vocabulary of fleet: unit names, unit files, `[X-Fleet]` directives and API wire types.
//!
//! Everything here is pure and total: text from outside becomes a value or an error with a
//! sentence for the person who wrote it, and nothing panics.
//!
//! ```
//! use fleet_units::{Directives, UnitFile, UnitName};
//!
//! let name: UnitName = "web@1.service".parse()?;
//! let text = "# one per machine\n[Service]\nExecStart=/usr/bin/web\n\n[X-Fleet]\nConflicts=%p@*.service\n";
//! let unit = UnitFile::parse(text)?;
//!
//! assert_eq!(unit.text(), text);
//! assert_eq!(unit.values("Service", "ExecStart").collect::<Vec<_>>(), ["/usr/bin/web"]);
//! assert_eq!(name.template(), Some("web@.service".parse()?));
//!
//! let directives = Directives::of(&unit, &name)?;
//! assert!(directives.conflicts[0].matches("web@2.service"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod api;
mod directives;
mod file;
mod glob;
mod hash;
mod lexer;
mod machine;
mod name;
mod nearest;
mod render;
pub mod specifier;
mod state;

pub use directives::{
    DIRECTIVES, Directive, DirectiveError, Directives, MalformedDirective, MisspeltSection,
    UnknownDirective,
};
pub use file::{UnitFile, UnitOption};
pub use glob::{Glob, GlobError};
pub use hash::{UnitHash, UnitHashError};
pub use lexer::{ParseError, ParseErrorKind};
pub use machine::{MachineId, MachineIdError, Metadata};
pub use name::{UnitKind, UnitName, UnitNameError};
pub use nearest::nearest;
pub use state::{JobState, TargetState, TargetStateError};
