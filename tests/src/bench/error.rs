//! Why a benchmark has no figure to tell.

/// Why a benchmark has no figure to tell.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// An option that means nothing to this benchmark.
    #[error("`bench {bench}` takes no `--{option}`: {reason}")]
    Option {
        /// The benchmark.
        bench: &'static str,
        /// The option.
        option: &'static str,
        /// Why it means nothing there.
        reason: &'static str,
    },
    /// Fewer units than hosts.
    #[error("`bench {bench}` needs a unit for every host at least: {units} are fewer than {hosts}")]
    FewUnits {
        /// The benchmark.
        bench: &'static str,
        /// How many units were asked for.
        units: u32,
        /// How many hosts there are.
        hosts: u8,
    },
    /// A command ended well, and yet systemd does not show what it should have brought about.
    #[error("{found} units of the benchmark are {state} on {host}, {wanted} were expected")]
    Units {
        /// The host.
        host: String,
        /// What they are, in systemd's word.
        state: &'static str,
        /// How many there are.
        found: usize,
        /// How many there should be.
        wanted: usize,
    },
    /// Files of units that are gone.
    #[error("{host} still has files of units that were destroyed: {files}")]
    Files {
        /// The host.
        host: String,
        /// Their names.
        files: String,
    },
    /// No sample was taken.
    #[error("nothing was measured")]
    NoSamples,
    /// Something reads otherwise than it should.
    #[error("{what} cannot be read: {text}")]
    Unreadable {
        /// What it is.
        what: String,
        /// The beginning of it, or the error.
        text: String,
    },
}

impl BenchError {
    /// Something that reads otherwise than it should.
    pub(crate) fn unreadable(what: impl Into<String>, text: &str) -> Self {
        Self::Unreadable { what: what.into(), text: text.chars().take(200).collect() }
    }
}
