//! What fleet reads and passes over, told with what may have been meant.

use std::collections::BTreeSet;
use std::fmt;

use super::{KNOWN, SECTION};
use crate::{UnitFile, nearest};

/// A key in `[X-Fleet]` that fleet does not know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnknownDirective {
    /// The key as written.
    pub key: String,
}

impl UnknownDirective {
    /// The known key that may have been meant.
    #[must_use]
    pub fn nearest(&self) -> Option<&'static str> {
        let bare = self.key.strip_prefix("X-").unwrap_or(&self.key);
        let bare = bare.strip_prefix("Condition").unwrap_or(bare);
        nearest(bare, KNOWN)
            .or_else(|| nearest(&self.key, KNOWN))
            .or_else(|| KNOWN.into_iter().find(|known| !bare.is_empty() && known.ends_with(bare)))
    }
}

impl fmt::Display for UnknownDirective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unrecognized requirement in [{SECTION}] section: {:?}", self.key)?;
        self.nearest().map_or(Ok(()), |nearest| write!(f, ", did you mean {nearest:?}?"))
    }
}

/// A value in `[X-Fleet]` that cannot do what its author meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}={value} in [{SECTION}] section: {instead}")]
pub struct MalformedDirective {
    /// The key.
    pub key: &'static str,
    /// The value, with specifiers expanded unless that makes it too long.
    pub value: String,
    /// What to write.
    pub instead: &'static str,
}

/// A section that nobody reads and whose name is almost that of the directives' one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MisspeltSection {
    /// Its name as written.
    pub name: String,
}

impl MisspeltSection {
    pub(super) fn all_in(file: &UnitFile) -> BTreeSet<Self> {
        let bare = |section: &'static str| section.strip_prefix("X-").unwrap_or(section);
        let names: BTreeSet<_> =
            file.options().iter().map(|option| option.section.as_str()).collect();
        let is_misspelt = |name: &&str| {
            let written = name.get(..2).filter(|start| start.eq_ignore_ascii_case("X-"));
            let written = written.map_or(*name, |start| &name[start.len()..]);
            *name != SECTION && nearest(written, [bare(SECTION)]).is_some()
        };
        names.into_iter().filter(is_misspelt).map(|name| Self { name: name.to_owned() }).collect()
    }
}

impl fmt::Display for MisspeltSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "section [{}] is ignored, did you mean [{SECTION}]?", self.name)
    }
}
