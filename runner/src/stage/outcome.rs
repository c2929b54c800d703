//! How a step can end, and whether Kafka, the plan or the rig is the cause: only the variant decides the verdict.

mod cause;
mod expected;
#[cfg(test)]
mod tests;

pub use cause::{Answer, KafkaCause, Party, PlanCause, RigCause, ServiceCause};
pub use expected::{expect_error, is_error};

use crate::{
    client::{
        handle::{HandleError, NotInTime},
        program::ProgramKind,
    },
    cluster::{AdminError, Death, RigError},
    event::{Cause, Finding, Holds, Verdict, Whose},
    observer::AskError,
};

/// The result of a step that was carried out.
#[derive(Debug, Default)]
pub struct Done {
    /// What was judged or recorded.
    pub findings: Vec<Finding>,
    /// The value for `capture`.
    pub captured: Option<serde_json::Value>,
}

/// Why a step did not succeed.
#[derive(Debug)]
pub enum StepError {
    /// A condition was judged and did not hold: a failure of Kafka or of the expectation.
    Judged(Vec<Finding>),
    /// The step did nothing of what it is for, and was undone: it proves nothing.
    Unproven(Box<Finding>),
    /// An error of Kafka, a missing answer, or a node or client that ended by itself: the plan failed.
    Kafka(KafkaCause),
    /// The plan asks for something impossible, or requires a state that does not hold: the plan failed.
    Plan(PlanCause),
    /// A service of the plan ended by itself, or did not reach a state in time: the plan failed.
    Service(ServiceCause),
    /// A failure of the machine that everything runs on: no verdict about Kafka.
    Rig(RigCause),
    /// It took longer than its limit, and the nodes that it asked are alive: the plan failed.
    TimedOut(String),
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

impl StepError {
    /// A failure of the rig: no verdict about Kafka.
    pub fn rig(text: impl std::fmt::Display) -> Self {
        Self::Rig(RigCause::Machine(text.to_string()))
    }

    /// The plan requires a state that does not hold.
    pub fn not_so(text: impl std::fmt::Display) -> Self {
        Self::Plan(PlanCause::NotSo(text.to_string()))
    }

    /// Kafka does not have what the step needs: a leader, a controller, a topic.
    pub fn lacks(text: impl std::fmt::Display) -> Self {
        Self::Kafka(KafkaCause::Lacks(text.to_string()))
    }

    /// Kafka is alive, but did not reach the state within the limit.
    pub fn not_in_time(what: impl std::fmt::Display, limit: std::time::Duration) -> Self {
        Self::Kafka(KafkaCause::NotInTime { what: what.to_string(), limit })
    }

    /// The verdict of a step that ended this way.
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Judged(_)
            | Self::Unproven(_)
            | Self::Kafka(_)
            | Self::Plan(_)
            | Self::Service(_)
            | Self::TimedOut(_) => Verdict::Failed,
            Self::Rig(_) | Self::Interrupted => Verdict::Broken,
        }
    }

    /// Whether the plan goes on after it: what Kafka acknowledged to a client before the client died is
    /// judged to the end.
    pub fn goes_on(&self) -> bool {
        match self {
            Self::Kafka(KafkaCause::After { cause, .. }) => cause.is_clients_death(),
            Self::Kafka(cause) => cause.is_clients_death(),
            Self::Service(cause) => !matches!(cause, ServiceCause::NotInTime { .. }),
            _ => false,
        }
    }

    /// The error that decides among several: first an error of the rig, then an interruption, then errors that end the
    /// plan, then the others.
    pub fn worst(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        let rank = |error: &Self| match error {
            Self::Rig(_) => 0,
            Self::Interrupted => 1,
            error if error.goes_on() => 3,
            _ => 2,
        };
        errors.into_iter().min_by_key(rank)
    }

    /// As text; none if findings or the signal show it.
    pub fn words(&self) -> Option<String> {
        match self {
            Self::Judged(_) | Self::Unproven(_) | Self::Interrupted => None,
            Self::Kafka(cause) => Some(cause.to_string()),
            Self::Plan(cause) => Some(cause.to_string()),
            Self::Service(cause) => Some(cause.to_string()),
            Self::Rig(cause) => Some(cause.to_string()),
            Self::TimedOut(text) => Some(text.clone()),
        }
    }

    /// What was found; empty if nothing was judged.
    pub fn into_findings(self) -> Vec<Finding> {
        match self {
            Self::Judged(findings) => findings,
            Self::Unproven(finding) => vec![*finding],
            _ => Vec::new(),
        }
    }

    /// The cause for reports, field by field.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Kafka(cause) => Some(cause.reported()),
            Self::Plan(cause) => Some(cause.reported()),
            Self::Service(cause) => Some(cause.reported()),
            Self::Rig(cause) => Some(cause.reported()),
            Self::TimedOut(_) => Some(Cause::of(Whose::Kafka)),
            Self::Judged(_) | Self::Unproven(_) | Self::Interrupted => None,
        }
    }
}

impl StepError {
    /// The client or the node that it is about; not a node that ended at the same time.
    pub fn own_party(&self) -> Option<Party> {
        match self {
            Self::Kafka(KafkaCause::After { cause, .. }) => cause.party(),
            Self::Kafka(cause) => cause.party(),
            Self::Plan(cause) => cause.party(),
            Self::Service(cause) => Some(cause.party()),
            Self::Rig(cause) => cause.party(),
            Self::TimedOut(_) | Self::Judged(_) | Self::Unproven(_) | Self::Interrupted => None,
        }
    }
}

impl From<Death> for StepError {
    fn from(death: Death) -> Self {
        if death.foreign {
            Self::Rig(RigCause::Cluster(death.into()))
        } else if cause::is_about_settings(&death.log_tail) {
            let of = Party::Node(death.node);
            Self::Plan(PlanCause::Setting { of, text: death.to_string() })
        } else {
            Self::Kafka(KafkaCause::Died(death))
        }
    }
}

impl From<RigError> for StepError {
    fn from(error: RigError) -> Self {
        match error {
            RigError::NodeExited(death) => death.into(),
            RigError::StillRuns { node, limit } => {
                Self::not_in_time(format!("the shutdown of {node}"), limit)
            }
            RigError::Late { what, limit } => Self::not_in_time(what, limit),
            RigError::NotSo(text) => Self::not_so(text),
            RigError::Missing { .. }
            | RigError::TimedOut { .. }
            | RigError::Unsupported { .. }
            | RigError::Other(_) => Self::Rig(RigCause::Cluster(error)),
        }
    }
}

impl From<AdminError> for StepError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Rig(rig) => rig.into(),
            AdminError::Impossible(text) => Self::not_so(text),
            AdminError::Kafka(error) => {
                let answers = vec![Answer { about: String::new(), error }];
                Self::Kafka(KafkaCause::Refused { what: String::new(), answers })
            }
        }
    }
}

impl From<AskError> for StepError {
    /// Kafka's refusal keeps its code, for `expect_error`.
    fn from(error: AskError) -> Self {
        match error {
            AskError::Kafka { what, error } => {
                let answers = vec![Answer { about: String::new(), error }];
                Self::Kafka(KafkaCause::Refused { what, answers })
            }
            AskError::Wire { ref cause, .. } if cause.is_unsupported() => Self::not_so(error),
            AskError::Unsupported(text) => Self::not_so(text),
            AskError::NoLeader { .. } | AskError::NoController | AskError::Missing(_) => {
                Self::lacks(error)
            }
            AskError::TimedOut { what, limit } => Self::not_in_time(what, limit),
            AskError::Wire { .. } | AskError::NobodyAnswers | AskError::Zookeeper(_) => {
                Self::Kafka(KafkaCause::Silent(error.to_string()))
            }
        }
    }
}

impl From<HandleError> for StepError {
    fn from(error: HandleError) -> Self {
        match error {
            HandleError::Process { .. } => Self::rig(error),
            HandleError::NotInTime(late) => late.into(),
        }
    }
}

impl From<NotInTime> for StepError {
    /// A client's process did something else than it was ordered to.
    fn from(late: NotInTime) -> Self {
        let text = late.to_string();
        let (client, errors) = (late.name.clone(), late.state.reasons());
        if late.cannot_record() {
            return Self::Rig(RigCause::Client { client, text });
        }
        if let Some(kind) = late.state.runs {
            return of_program(kind, late);
        }
        match &late.state.exit {
            None => {
                let NotInTime { what, limit, .. } = late;
                Self::Kafka(KafkaCause::ClientNotInTime { client, what, limit, errors })
            }
            Some(exit) if exit.gave_up => match late.refused_setting() {
                Some(text) => Self::Plan(PlanCause::Setting { of: Party::Client(client), text }),
                None => {
                    let exit = exit.text.clone();
                    Self::Kafka(KafkaCause::ClientDied { client, exit, errors })
                }
            },
            // It ended before it was asked: it had sent all its messages.
            Some(exit) if exit.clean => Self::not_so(text),
            // A signal, or a defect in kplan.
            Some(_) => Self::Rig(RigCause::Client { client, text }),
        }
    }
}

/// The program of a client's process did something else than it was ordered to.
fn of_program(kind: ProgramKind, late: NotInTime) -> StepError {
    let text = late.to_string();
    let (no_program, not_started) = (late.no_program(), late.not_started());
    let broke = late.broke_protocol();
    let NotInTime { name, what, limit, state } = late;
    if let Some(text) = broke.filter(|_| state.exit.is_some()) {
        return StepError::Service(ServiceCause::BrokeProtocol { client: name, text });
    }
    match (state.program, &state.exit, no_program) {
        (Some((how, last)), ..) if !how.is_foreign() => {
            StepError::Service(ServiceCause::Ended { kind, name, how, last })
        }
        (None, None, _) => StepError::Service(ServiceCause::NotInTime { kind, name, what, limit }),
        (_, _, Some(why)) => StepError::Plan(PlanCause::Command(format!("{kind} {name}: {why}"))),
        _ => {
            let text = not_started.map_or(text, |why| format!("{kind} {name}: {why}"));
            StepError::Rig(RigCause::Client { client: name, text })
        }
    }
}

impl Done {
    /// Passed if every finding holds (or is unjudged), else the failure.
    /// Fails with [`StepError::Judged`] when one does not.
    pub fn judged(findings: Vec<Finding>) -> Result<Self, StepError> {
        if findings.iter().all(|f| matches!(f.holds, Holds::Yes | Holds::Unjudged)) {
            Ok(Self { findings, captured: None })
        } else {
            Err(StepError::Judged(findings))
        }
    }
}
