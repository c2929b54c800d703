//! `create_topic`

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need};
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, Leaves, StepFacts};
use crate::ground::{Ever, Ground, KnownTopic, StepAt};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{Assignment, Settings, TopicName};
use crate::words::{self, Sentence};

args! {
    /// Creates a topic and waits until every partition has a leader.
    #[example("create_topic: orders")]
    #[example("create_topic: { name: orders, partitions: 3, replicas: 3, config: { min.insync.replicas: 2 } }")]
    #[example("create_topic: { name: orders, assignment: { 0: [1, 2, 3], 1: [3, 1, 2] } }")]
    pub struct CreateTopic("create_topic") short "name" {
        /// The topic's name.
        name: Spanned<TopicName>,
        /// The number of partitions; 1 if it is not set.
        partitions: Option<Spanned<u32>>,
        /// The number of replicas of each partition. If it is not set: 3, or the number of brokers if that is less.
        replicas: Option<Spanned<u32>>,
        /// Settings of the topic, by the names of topics: `retention.ms`, not `log.retention.ms`.
        config: Settings,
        /// The brokers of each partition, the preferred leader first. Replaces `partitions` and `replicas`.
        assignment: Option<Spanned<Assignment>>,
    }
}

/// The greatest number of partitions of one topic in a plan.
const MOST_PARTITIONS: u32 = 10_000;

impl CreateTopic {
    /// The number of partitions.
    pub fn partition_count(&self) -> u32 {
        match (&self.assignment, &self.partitions) {
            (Some(assignment), _) => u32::try_from(assignment.0.len()).unwrap_or(u32::MAX),
            (None, Some(partitions)) => partitions.value,
            (None, None) => 1,
        }
    }

    /// The number of replicas of each partition, on a cluster with this number of brokers. With an assignment, the
    /// smallest number of a partition.
    pub fn replica_count(&self, brokers: u32) -> u32 {
        match (&self.assignment, &self.replicas) {
            (Some(assignment), _) => {
                let least = assignment.0.iter().map(Vec::len).min().unwrap_or(0);
                u32::try_from(least).unwrap_or(u32::MAX)
            }
            (None, Some(replicas)) => replicas.value,
            (None, None) => brokers.min(3),
        }
    }
}

impl StepWord for CreateTopic {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Topics,
        ..StepFacts::of(Kind::Topic)
    };

    fn explain(&self) -> String {
        let partitions = words::count(self.partition_count().into(), "partition");
        let replicas = match (&self.assignment, &self.replicas) {
            (Some(_), _) => " on given brokers".to_owned(),
            (None, Some(n)) => format!(" and {} of each", words::count(n.value.into(), "replica")),
            (None, None) => String::new(),
        };
        let config = self.config.shown();
        let with =
            if config.is_empty() { String::new() } else { format!(", {}", words::list(&config)) };
        format!("Create topic {} with {partitions}{replicas}{with}", self.name)
    }

    fn in_full(&self) -> Sentence {
        let partitions = words::count(self.partition_count().into(), "partition");
        let each = if self.partition_count() == 1 { "" } else { " each" };
        let replicas = self.replicas.as_ref().map(|n| words::count(n.value.into(), "replica"));
        let replicas = replicas.map(|n| format!(" of {n}{each}")).unwrap_or_default();
        let text = format!("Create topic {} with {partitions}{replicas}", self.name);
        let on = |(index, brokers): (usize, &Vec<Spanned<u32>>)| match brokers.as_slice() {
            [one] => format!("partition {index} on broker {one}"),
            all => format!("partition {index} on brokers {}", words::list(all)),
        };
        let given = self.assignment.iter().flat_map(|assignment| assignment.0.iter().enumerate());
        Sentence {
            text: words::joined(text, " (", &self.config.shown(), ")"),
            points: given.take(Sentence::MOST).map(on).collect(),
        }
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        for (count, most, what) in
            [(&self.partitions, MOST_PARTITIONS, "partitions"), (&self.replicas, 100, "replicas")]
        {
            if let Some(count) = count.as_ref().filter(|c| !(1..=most).contains(&c.value)) {
                let message = format!("{count} {what}: between 1 and {most} are possible");
                reader.push(Diagnostic::new(Code::E015, count.span, message));
            }
            if let (Some(count), Some(assignment)) = (count, &self.assignment) {
                let message = format!("`assignment` already sets the {what}");
                let twice = Diagnostic::new(Code::E016, count.span, message);
                reader.push(twice.related(assignment.span, "`assignment` is here"));
            }
        }
    }

    fn needs(&self) -> Vec<Need> {
        let first = self.config.0.first();
        first
            .map(|(key, _)| Need::argument(Capability::TopicSettings, key.span))
            .into_iter()
            .collect()
    }

    fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        ground.quorum(at.key);
        let name = self.name.as_str();
        if ground.state.topics.get(name).is_some_and(|t| !t.gone) && !ground.in_finally {
            let message = format!("topic `{name}` already exists");
            ground.report(Diagnostic::new(Code::E055, self.name.span, message));
        }
        if ground.ever.external.contains(name) {
            let message =
                format!("topic `{name}` is declared in `external`: another program creates it");
            let help = "remove it from `external`, or remove this step";
            ground.report(Diagnostic::new(Code::E055, self.name.span, message).help(help));
        }
        let alike = |other: &str| other.replace('.', "_") == name.replace('.', "_");
        let there =
            ground.state.topics.iter().filter(|(other, topic)| !topic.gone && *other != name);
        if let Some(other) = there.map(|(other, _)| other).find(|other| alike(other)) {
            let message = format!(
                "topic `{name}` collides with `{other}`: Kafka refuses names that differ only in `.` and `_`"
            );
            let help = "choose another name: in the names of Kafka's metrics `.` is written as `_`";
            ground.report(Diagnostic::new(Code::E055, self.name.span, message).help(help));
        }
        if let Some(assignment) = &self.assignment {
            ground.assigned_brokers(assignment);
        }
        if let Some(replicas) = &self.replicas {
            ground.replicas_fit(replicas);
        }
        let brokers = ground.state.cluster.as_ref().map(|c| c.brokers);
        let replicas = self.replica_count(brokers.unwrap_or(3));
        ground.topic_settings(&self.config, replicas);
        let assignment = self.assignment.as_ref().map(|a| {
            a.0.iter().map(|replicas| replicas.iter().map(|r| r.value).collect()).collect()
        });
        let mut topic = KnownTopic {
            partitions: self.partition_count(),
            replicas,
            assignment,
            min_in_sync: None,
            unclean: false,
            largest: None,
            gone: false,
        };
        topic.set(&self.config);
        ground.state.topics.insert(name.to_owned(), topic);
    }

    fn makes<'p>(&'p self, _: StepAt<'p>, ever: &mut Ever<'p>) {
        ever.topics.insert(self.name.as_str());
    }
}
