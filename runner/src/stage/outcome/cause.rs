//! Why a step did not succeed: a cause in Kafka, in the plan or in the rig, with its details.

use std::time::Duration;

use crate::{
    client::program::{EndedBy, ProgramKind},
    cluster::{Death, KafkaError, Node, RigError},
    event::{Cause, Whose},
};

/// One answer that was an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it is about, e.g. a message or a partition; empty if the request was about one thing.
    pub about: String,
    pub error: KafkaError,
}

/// A cause in Kafka: an error answer, a missing answer of a living node, a node or client that ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum KafkaCause {
    /// Kafka answered with errors.
    #[error("{}", refused(what, answers))]
    Refused {
        /// What was refused; empty if the answer contains it.
        what: String,
        answers: Vec<Answer>,
    },
    /// A node ended by itself.
    #[error(transparent)]
    Died(Death),
    /// Kafka did not do what was asked, and by then a node had ended by itself.
    #[error("{cause}; {death}")]
    After {
        cause: Box<KafkaCause>,
        /// The node that ended.
        death: Death,
    },
    /// A client ended because of Kafka's answer, or a missing answer.
    #[error("client {client} ended by itself ({exit}): {}", listed(errors))]
    ClientDied {
        client: String,
        /// How its process ended.
        exit: String,
        errors: Vec<KafkaError>,
    },
    /// A client is alive, but did not reach a state in time.
    #[error("client {client} was not {what} within {limit:?}: {}", listed(errors))]
    ClientNotInTime {
        client: String,
        /// Ready, stopped.
        what: &'static str,
        limit: Duration,
        errors: Vec<KafkaError>,
    },
    /// Kafka is alive, but did not reach a state in time.
    #[error("{what} (waited {limit:?})")]
    NotInTime {
        /// The state that was waited for, and the one that was found.
        what: String,
        limit: Duration,
    },
    /// Kafka is alive, but does not answer.
    #[error("{0}")]
    Silent(String),
    /// Kafka does not have what the step needs: a leader, a controller, a topic.
    #[error("{0}")]
    Lacks(String),
}

/// A cause in a service of the plan's author.
#[derive(Debug, thiserror::Error)]
pub enum ServiceCause {
    /// It ended by itself.
    #[error("{kind} {name} ended by itself: {how}")]
    Ended {
        kind: ProgramKind,
        /// The service, its instance, or the client.
        name: String,
        how: EndedBy,
        /// The last lines of its output.
        last: Vec<String>,
    },
    /// A client of another program broke the protocol that it speaks, and was ended.
    #[error("client {client}: {text}")]
    BrokeProtocol { client: String, text: String },
    /// It runs, but did not reach a state in time.
    #[error("{kind} {name} was not {what} within {limit:?}")]
    NotInTime {
        kind: ProgramKind,
        name: String,
        /// Ready, stopped.
        what: &'static str,
        limit: Duration,
    },
}

impl ServiceCause {
    /// The service that it is about.
    pub(crate) fn party(&self) -> Party {
        let (Self::Ended { name, .. }
        | Self::NotInTime { name, .. }
        | Self::BrokeProtocol { client: name, .. }) = self;
        Party::Client(name.clone())
    }

    pub(crate) fn reported(&self) -> Cause {
        let mut cause = Cause::of(Whose::Service);
        if let Self::Ended { last, .. } = self {
            cause.log.clone_from(last);
        }
        about(cause, Some(self.party()))
    }
}

/// A cause in the plan: it asks for something impossible, or requires a state that does not hold.
#[derive(Debug, thiserror::Error)]
pub enum PlanCause {
    /// An expression or a template cannot be evaluated.
    #[error("{0}")]
    Expression(String),
    /// It requires a state that does not hold, e.g. it kills a broker that is already down.
    #[error("{0}")]
    NotSo(String),
    /// A setting that only a broker or a client could refuse.
    #[error("{of} refuses a setting of the plan: {text}")]
    Setting { of: Party, text: String },
    /// A command that does not exist on this machine or cannot be run.
    #[error("{0}")]
    Command(String),
}

/// The party that refuses a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Party {
    Client(String),
    Node(Node),
    /// A client that a step uses itself.
    Own(&'static str),
}

impl std::fmt::Display for Party {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client(name) => write!(f, "client {name}"),
            Self::Node(node) => node.fmt(f),
            Self::Own(what) => f.write_str(what),
        }
    }
}

/// A cause in the rig: it shows nothing about Kafka.
#[derive(Debug, thiserror::Error)]
pub enum RigCause {
    /// A client that ended by a signal or a defect in kplan, or that cannot record what it does.
    #[error("{text}")]
    Client {
        client: String,
        /// What happened to it.
        text: String,
    },
    /// What the cluster runs on: the engine, its network, memory, a signal from outside.
    #[error("{0}")]
    Cluster(RigError),
    /// Something outside the plan removed, paused or filled up what the plan depends on.
    #[error("{0}")]
    Taken(String),
    /// This machine: a process, a file, kplan itself.
    #[error("{0}")]
    Machine(String),
}

fn refused(what: &str, answers: &[Answer]) -> String {
    let one = |answer: &Answer| match answer.about.is_empty() {
        true => answer.error.to_string(),
        false => format!("{}: {}", answer.about, answer.error),
    };
    let words: Vec<String> = answers.iter().map(one).collect();
    if what.is_empty() { words.join("; ") } else { format!("{what}: {}", words.join("; ")) }
}

fn listed(errors: &[KafkaError]) -> String {
    if errors.is_empty() {
        return "it reported no error".to_owned();
    }
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What Kafka logs at its start for an impossible setting: the exceptions of its settings' checks.
const SETTINGS: [&str; 2] = [
    "org.apache.kafka.common.config.ConfigException",
    "IllegalArgumentException: requirement failed",
];

/// Whether the last lines of a broker's log are about its settings.
pub(crate) fn is_about_settings(log_tail: &str) -> bool {
    SETTINGS.iter().any(|words| log_tail.contains(words))
}

impl KafkaCause {
    /// The errors for which the step failed, each with its code; none for a missing answer or a death.
    pub fn errors(&self) -> Vec<&KafkaError> {
        match self {
            Self::Refused { answers, .. } => answers.iter().map(|a| &a.error).collect(),
            Self::ClientDied { errors, .. } | Self::ClientNotInTime { errors, .. } => {
                errors.iter().collect()
            }
            Self::After { cause, .. } => cause.errors(),
            Self::Died(_) | Self::NotInTime { .. } | Self::Silent(_) | Self::Lacks(_) => Vec::new(),
        }
    }

    pub(crate) fn is_clients_death(&self) -> bool {
        matches!(self, Self::ClientDied { .. })
    }

    /// The client or node that it is about.
    pub(crate) fn party(&self) -> Option<Party> {
        match self {
            Self::Died(death) => Some(Party::Node(death.node)),
            Self::After { death, .. } => Some(Party::Node(death.node)),
            Self::ClientDied { client, .. } | Self::ClientNotInTime { client, .. } => {
                Some(Party::Client(client.clone()))
            }
            Self::Refused { .. } | Self::NotInTime { .. } | Self::Silent(_) | Self::Lacks(_) => {
                None
            }
        }
    }

    pub(crate) fn reported(&self) -> Cause {
        let mut codes: Vec<String> = self.errors().iter().map(|e| e.code.clone()).collect();
        codes.dedup();
        let mut cause = Cause { codes, ..Cause::of(Whose::Kafka) };
        if let Self::After { cause: inner, .. } = self {
            cause = inner.reported();
        }
        if let Self::After { death, .. } | Self::Died(death) = self {
            cause.log = death.log_tail.lines().map(str::to_owned).collect();
        }
        about(cause, self.party())
    }
}

impl PlanCause {
    /// The party that refuses a setting.
    pub(crate) fn party(&self) -> Option<Party> {
        if let Self::Setting { of, .. } = self { Some(of.clone()) } else { None }
    }

    pub(crate) fn reported(&self) -> Cause {
        about(Cause::of(Whose::Plan), self.party())
    }
}

impl RigCause {
    /// The client or node that it is about.
    pub(crate) fn party(&self) -> Option<Party> {
        match self {
            Self::Cluster(RigError::NodeExited(death)) => Some(Party::Node(death.node)),
            Self::Client { client, .. } => Some(Party::Client(client.clone())),
            _ => None,
        }
    }

    pub(crate) fn reported(&self) -> Cause {
        let mut cause = Cause::of(Whose::Rig);
        if let Self::Cluster(RigError::NodeExited(death)) = self {
            cause.log = death.log_tail.lines().map(str::to_owned).collect();
        }
        about(cause, self.party())
    }
}

/// The cause with the client or the node that it is about.
fn about(mut cause: Cause, party: Option<Party>) -> Cause {
    match party {
        Some(Party::Client(client)) => cause.client = Some(client),
        Some(Party::Node(node)) => cause.node = Some(node.to_string()),
        Some(Party::Own(_)) | None => {}
    }
    cause
}
