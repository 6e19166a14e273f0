//! What operators ask for and machines bring about.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far a unit is to be brought; each state includes the ones before it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TargetState {
    /// Known to the cluster, on no machine.
    #[default]
    Inactive,
    /// Known to the systemd of a machine.
    Loaded,
    /// Started by the systemd of a machine.
    Launched,
}

impl TargetState {
    /// All states, lowest first.
    pub const ALL: [Self; 3] = [Self::Inactive, Self::Loaded, Self::Launched];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Loaded => "loaded",
            Self::Launched => "launched",
        }
    }
}

impl fmt::Display for TargetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TargetState {
    type Err = TargetStateError;

    fn from_str(word: &str) -> Result<Self, TargetStateError> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == word)
            .ok_or_else(|| TargetStateError(word.to_owned()))
    }
}

/// The word is no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown state {0:?}: use inactive, loaded or launched")]
pub struct TargetStateError(String);

/// How far systemd is with the last job that it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// None was needed.
    #[default]
    None,
    /// Queued or running.
    Running,
    /// Ended well.
    Done,
    /// Ended otherwise.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_ordered_words() {
        assert_eq!(
            TargetState::ALL.map(|state| state.to_string()),
            ["inactive", "loaded", "launched"]
        );
        assert!(TargetState::Inactive < TargetState::Loaded);
        assert!(TargetState::Loaded < TargetState::Launched);
        for state in TargetState::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("\"{state}\""));
        }
    }

    #[test]
    fn another_word_is_refused_with_the_words_to_use() {
        assert_eq!(
            "Running".parse::<TargetState>().map_err(|error| error.to_string()),
            Err(r#"unknown state "Running": use inactive, loaded or launched"#.to_owned())
        );
    }
}
