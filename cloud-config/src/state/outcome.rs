//! How a run went.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Something is being done.
    Running,
    /// All was done.
    Done,
    /// Something was not done.
    Failed,
}

impl fmt::Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        })
    }
}

/// How one action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Done {
    /// It was done.
    Done,
    /// It was left out.
    Skipped,
    /// It goes on: a unit takes longer to start than cloud-config waits.
    Pending,
    /// It was not done.
    Failed,
}

impl fmt::Display for Done {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Pending => "pending",
            Self::Failed => "failed",
        })
    }
}

/// An action and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Such as `start es.service` or `write /etc/motd`.
    pub action: String,
    /// The unit that it is about, if it asks something of one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// How it ended.
    pub result: Done,
    /// Why; a sentence without a full stop.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl Outcome {
    /// An action that ended.
    #[must_use]
    pub fn new(action: String, result: Done, reason: Option<String>) -> Self {
        Self { action, unit: None, result, reason }
    }

    /// The same, about a unit.
    #[must_use]
    pub fn about(self, unit: &str) -> Self {
        Self { unit: Some(unit.to_owned()), ..self }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.action, self.result)?;
        self.reason.iter().try_for_each(|reason| write!(formatter, ": {reason}"))
    }
}

/// How a run went; holds no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How far it is.
    pub stage: Stage,
    /// Where the document is from.
    pub source: String,
    /// Which instance this is.
    pub instance_id: Option<String>,
    /// Whether only what keeps the host reachable was applied, as the document has errors.
    pub floor: bool,
    /// Why nothing could be done at all, or not to the end.
    pub error: Option<String>,
    /// What is to be known of where the document is from.
    pub warnings: Vec<String>,
    /// What is wrong with the document.
    pub problems: Vec<Problem>,
    /// What was done, in order.
    pub actions: Vec<Outcome>,
}

impl Summary {
    /// A run that begins.
    #[must_use]
    pub fn begun(source: &str) -> Self {
        Self {
            stage: Stage::Running,
            source: source.to_owned(),
            instance_id: None,
            floor: false,
            error: None,
            warnings: Vec::new(),
            problems: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// The stage that what happened makes.
    #[must_use]
    pub fn end(&self) -> Stage {
        let failed = self.actions.iter().any(|outcome| outcome.result == Done::Failed);
        let refused = self.problems.iter().any(Problem::is_error);
        if failed || refused || self.error.is_some() { Stage::Failed } else { Stage::Done }
    }

    /// How many actions were done.
    #[must_use]
    pub fn changes(&self) -> usize {
        let done = |outcome: &&Outcome| matches!(outcome.result, Done::Done | Done::Pending);
        self.actions.iter().filter(done).count()
    }
}
