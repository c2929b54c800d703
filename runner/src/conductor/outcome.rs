//! How a step can end.

use crate::{
    cluster::{AdminError, RigError},
    event::{Finding, Holds, Verdict},
    observer::AskError,
};

/// What a step that was carried out found.
#[derive(Debug, Default)]
pub struct Done {
    /// What was judged or recorded.
    pub findings: Vec<Finding>,
    /// What `capture` keeps.
    pub captured: Option<serde_json::Value>,
}

/// Why a step did not succeed.
#[derive(Debug)]
pub enum StepError {
    /// Judged, and it did not hold: Kafka's failure or the expectation's.
    Judged(Vec<Finding>),
    /// It could not be carried out; the rig's or Kafka's refusal.
    CouldNot {
        /// In words.
        text: String,
        /// Kafka's error codes and messages seen, for `expect_error`.
        seen: Vec<String>,
        /// The engine itself is gone: no later step can be carried out.
        rig: bool,
    },
    /// It took longer than its limit.
    TimedOut(String),
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

impl StepError {
    /// Something in the plan or the cluster stood against it.
    pub fn could_not(text: impl std::fmt::Display) -> Self {
        Self::CouldNot { text: text.to_string(), seen: Vec::new(), rig: false }
    }

    /// The rig is not what it was: no verdict about Kafka.
    pub fn rig(text: impl std::fmt::Display) -> Self {
        Self::CouldNot { text: text.to_string(), seen: Vec::new(), rig: true }
    }

    /// The verdict of a step that ended this way.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Judged(_) | Self::TimedOut(_) => Verdict::Failed,
            Self::CouldNot { .. } | Self::Interrupted => Verdict::Broken,
        }
    }
}

impl From<RigError> for StepError {
    fn from(error: RigError) -> Self {
        Self::CouldNot { text: error.to_string(), seen: Vec::new(), rig: true }
    }
}

impl From<AdminError> for StepError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Rig(rig) => rig.into(),
            AdminError::Kafka(kafka) => Self::CouldNot {
                text: kafka.to_string(),
                seen: vec![kafka.code, kafka.message],
                rig: false,
            },
        }
    }
}

impl From<AskError> for StepError {
    /// Kafka's refusal keeps its code, for `expect_error`.
    fn from(error: AskError) -> Self {
        let text = error.to_string();
        let seen = match error {
            AskError::Kafka { error, .. } => vec![error.code, error.message],
            _ => Vec::new(),
        };
        Self::CouldNot { text, seen, rig: false }
    }
}

impl Done {
    /// Passed when every finding holds (or is unjudged), else the failure.
    ///
    /// # Errors
    /// [`StepError::Judged`] when one does not.
    pub fn judged(findings: Vec<Finding>) -> Result<Self, StepError> {
        if findings.iter().all(|f| matches!(f.holds, Holds::Yes | Holds::Unjudged)) {
            Ok(Self { findings, captured: None })
        } else {
            Err(StepError::Judged(findings))
        }
    }
}
