//! `start_cluster`

use std::collections::BTreeSet;

use super::StepWord;
use crate::args::args;
use crate::backend::{Capability, Need, is_release};
use crate::catalogue::Catalogue;
use crate::diagnostic::{Code, Diagnostic};
use crate::facts::{Blurs, Kind, LaneChange, LaneOf, Leaves, StepFacts};
use crate::ground::{Ever, Ground, KnownCluster, Liveness, StepAt, UNCLEAN};
use crate::read::Reader;
use crate::source::{Span, Spanned};
use crate::value::{
    Controllers, FIRST_BROKER, KafkaVersion, MetadataMode, PerBroker, Settings, controller_numbers,
};
use crate::words::{self, Sentence};

mod numbers;
mod security;

pub use security::SecurityArgs;

args! {
    /// Starts a cluster and waits until every broker lists all other brokers.
    ///
    /// Brokers are numbered from 1, or from `first_broker`, dedicated controllers (in processes of their own) from
    /// 101. A cluster that exists (`--backend external`) keeps its numbers. A plan has one cluster at a time.
    ///
    /// `security` applies to the listener that clients use: brokers and controllers communicate with each other
    /// without encryption, on a separate network. Each cluster gets new certificates. A client without `user` logs
    /// in as `kplan`, a user that kplan creates with a random password; kplan's own requests use this user too, with
    /// PLAIN. In a plan with `allow` or `deny` kplan configures Kafka's authorizer; a plan that configures another
    /// must list `User:kplan;User:ANONYMOUS` in `super.users`. SASL_PLAINTEXT with PLAIN works with every version of
    /// Kafka. SSL, SASL_SSL and SCRAM need Kafka 2.7 or newer (SCRAM with KRaft: 3.5 or newer), and a kplan that was
    /// built with the feature `tls`.
    #[example("start_cluster: { brokers: 3, version: 4.1.1 }")]
    #[example("start_cluster: { security: { protocol: SASL_SSL, mechanism: SCRAM-SHA-512, users: { alice: wonderland } } }")]
    #[example("start_cluster: { version: 0.10.1.1, mode: zookeeper }")]
    #[example("start_cluster: { brokers: 3, reuse: true }")]
    #[example("start_cluster: { brokers: 3, first_broker: 0 }")]
    pub struct StartCluster("start_cluster") {
        /// The number of brokers.
        brokers: Spanned<u32> = "3",
        /// The number of the first broker; the others follow it. StatefulSets and Strimzi number brokers from 0: with
        /// `first_broker: 0` a plan that names brokers by number runs unchanged on such a cluster and on one that
        /// kplan starts. Without it kplan numbers brokers from 1, and takes any numbers of a cluster that exists.
        first_broker: Option<Spanned<u32>>,
        /// The version of Kafka.
        version: Spanned<KafkaVersion> = "4.4.0",
        /// Where the cluster stores its metadata: `kraft` (Kafka 3.3 and newer) or `zookeeper` (Kafka 3.9 and
        /// older).
        mode: Spanned<MetadataMode> = "kraft",
        /// With KRaft: `combined` runs the controllers in the brokers' processes; a number starts that many
        /// dedicated controllers.
        controllers: Spanned<Controllers> = "combined",
        /// Settings of all brokers. Those that the version does not have are reported: brokers ignore them.
        config: Settings,
        /// Settings of individual brokers, by broker number.
        broker_config: PerBroker<Settings>,
        /// Options of the JVM of every broker.
        jvm: Option<Vec<Spanned<String>>>,
        /// The container image, instead of the default image. `{version}` is replaced by the version.
        image: Option<Spanned<String>>,
        /// The rack of individual brokers, by broker number.
        racks: PerBroker<String>,
        /// How clients log in, and whether their connections are encrypted.
        security: Option<Spanned<SecurityArgs>>,
        /// Uses the running cluster of an earlier plan of the same run that declared the same cluster, and leaves
        /// this cluster to a later plan, which saves the time of a start. After each plan its topics and groups are
        /// deleted. A plan that did not pass, or that did anything that could leave a trace (any fault, an
        /// election, a command), does not leave its cluster to another plan.
        reuse: bool = "false",
    }
}

/// The greatest number of brokers of a plan on one machine.
const MOST_BROKERS: u32 = 15;

impl StepWord for StartCluster {
    const FACTS: StepFacts = StepFacts {
        leaves: Leaves::TopicsAndGroups,
        blurs: Blurs::Cluster,
        ..StepFacts::of(Kind::Cluster)
    };

    fn explain(&self) -> String {
        format!("Start {}", self.brokers_and_mode())
    }

    fn in_full(&self) -> Sentence {
        let cluster = self.in_words();
        Sentence::from(format!("Start {cluster} and wait until every broker lists all others"))
    }

    fn lanes(&self) -> Vec<LaneChange> {
        let brokers = self.numbers().map(LaneOf::Broker);
        let beside: Vec<LaneOf> = match (self.mode.value, self.controllers.value) {
            (MetadataMode::Zookeeper, _) => vec![LaneOf::Zookeeper],
            (MetadataMode::Kraft, Controllers::Own(n)) => {
                controller_numbers(n).map(LaneOf::Controller).collect()
            }
            (MetadataMode::Kraft, Controllers::Combined) => Vec::new(),
        };
        let begin = brokers.chain(beside).map(LaneChange::Begins);
        std::iter::once(LaneChange::NoCluster).chain(begin).collect()
    }

    fn validate(&self, _: Span, reader: &mut Reader) {
        if !(1..=MOST_BROKERS).contains(&self.brokers.value) {
            let message =
                format!("{} brokers: between 1 and {MOST_BROKERS} are possible", self.brokers);
            reader.push(Diagnostic::new(Code::E015, self.brokers.span, message));
        }
        self.validate_numbers(reader);
        self.config.check_broker(reader);
        self.broker_config.0.iter().for_each(|(_, config)| config.check_broker(reader));
        self.validate_version(reader);
        self.validate_limits(reader);
        if let Some(security) = &self.security {
            security.validate(&self.version, self.mode.value, reader);
        }
    }

    fn needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        let settings = self.config.0.iter().map(|(key, _)| key.span);
        let single = self.broker_config.0.iter().map(|(n, _)| n.span);
        let racks = self.racks.0.iter().map(|(n, _)| n.span);
        let jvm = self.jvm.iter().flatten().map(|o| o.span);
        if let Some(span) = settings.chain(single).chain(racks).chain(jvm).next() {
            needs.push(Need::argument(Capability::BrokerSettings, span));
        }
        if let Some(image) = &self.image {
            needs.push(Need::argument(Capability::Images, image.span));
        }
        if let Some(security) = &self.security {
            needs.push(Need::argument(Capability::Security, security.span));
        }
        if let Some(first) = self.first_broker.as_ref().filter(|f| f.value != FIRST_BROKER) {
            needs.push(Need::argument(Capability::BrokerNumbers, first.span));
        }
        if self.mode.value == MetadataMode::Zookeeper {
            needs.push(Need::argument(Capability::OwnControllers, self.mode.span));
        } else if matches!(self.controllers.value, Controllers::Own(_)) {
            needs.push(Need::argument(Capability::OwnControllers, self.controllers.span));
        }
        needs
    }

    fn follow(&self, at: StepAt<'_>, ground: &mut Ground<'_>) {
        if ground.state.cluster.is_some() && !ground.in_finally && !ground.state.external {
            let message = "a cluster is already running";
            let help = "a plan has one cluster at a time: add `- stop_cluster` before this step";
            ground.report(Diagnostic::new(Code::E059, at.key, message).help(help));
        }
        if !ground.state.external {
            ground.state.topics.clear();
        }
        if !self.version.is_released_form() {
            let message = format!("kplan does not know the version `{}`", self.version);
            let help =
                "kplan treats it by its leading numbers, or as the newest version if it has none";
            ground.report(Diagnostic::new(Code::W002, self.version.span, message).help(help));
        } else if Catalogue::of_kafka().version(&self.version).is_none() {
            let message = format!("kplan does not know Kafka {}", self.version);
            let newest = Catalogue::of_kafka().versions.last().map_or("", String::as_str);
            let help = format!(
                "the newest version that it knows is {newest}, and it judges settings by that; check the number"
            );
            ground.report(Diagnostic::new(Code::W002, self.version.span, message).help(help));
        }
        let own = self.image.as_ref().map(|image| is_release(image));
        let stock = own.unwrap_or(ground.releases);
        let numbers = self.known_numbers(ground);
        ground.state.cluster = Some(KnownCluster { stock, ..self.known(numbers, at.span, ground) });
        ground.broker_settings(&Settings::default(), &self.config);
        for (_, config) in &self.broker_config.0 {
            ground.broker_settings(&self.config, config);
        }
    }

    fn makes<'p>(&'p self, at: StepAt<'p>, ever: &mut Ever<'p>) {
        ever.cluster = Some(at.span);
    }

    fn needs_cluster(&self) -> bool {
        false
    }
}

impl StartCluster {
    /// The cluster as a noun, with its settings: `3 brokers of Kafka 4.1.1 with KRaft`.
    pub(crate) fn in_words(&self) -> String {
        let mut more = self.config.shown();
        let jvm: Vec<&str> = self.jvm.iter().flatten().map(|o| o.as_str()).collect();
        if !jvm.is_empty() {
            more.push(format!("Java options {}", jvm.join(" ")));
        }
        if let Some(security) = &self.security {
            more.push(format!("clients use {}", security.protocol));
        }
        words::joined(self.brokers_and_mode(), " (", &more, ")")
    }

    fn brokers_and_mode(&self) -> String {
        let brokers = match &self.first_broker {
            Some(first) if self.brokers.value > 1 => {
                let last = self.numbers().last().unwrap_or(first.value);
                format!("{} ({first} to {last})", self.brokers_in_words())
            }
            _ => self.brokers_in_words(),
        };
        let with = match (self.mode.value, self.controllers.value) {
            (MetadataMode::Zookeeper, _) => "with ZooKeeper".to_owned(),
            (MetadataMode::Kraft, Controllers::Combined) => "with KRaft".to_owned(),
            (MetadataMode::Kraft, Controllers::Own(n)) => {
                format!("with KRaft and {}", words::count(n.into(), "dedicated controller"))
            }
        };
        let reuse = if self.reuse { ", or reuse those of an earlier plan" } else { "" };
        format!("{brokers} of Kafka {} {with}{reuse}", self.version)
    }

    /// The known state of the cluster after its start.
    fn known(&self, numbers: BTreeSet<u32>, span: Span, ground: &Ground<'_>) -> KnownCluster {
        let controllers = match (self.mode.value, self.controllers.value) {
            (MetadataMode::Kraft, Controllers::Own(n)) => n,
            _ => 0,
        };
        let borrowed = ground.state.external;
        let beside = controller_numbers(controllers).filter(|_| !borrowed);
        let lives = numbers.iter().copied().chain(beside).map(|n| (n, Liveness::Up)).collect();
        let security = self.security.as_ref().filter(|s| s.has_users());
        KnownCluster {
            brokers: self.brokers.value,
            numbers,
            borrowed,
            controllers,
            mode: self.mode.value,
            version: self.version.value.clone(),
            stock: true,
            unclean: self.config.get(UNCLEAN) == Some("true"),
            encrypted: self.security.as_ref().is_some_and(|s| s.needs_tls()),
            users: security.map(|s| s.users.iter().map(|(user, _)| user.to_owned()).collect()),
            lives,
            others: Liveness::Up,
            span,
        }
    }

    /// Reports what the command line does not allow.
    fn validate_limits(&self, reader: &mut Reader) {
        let limits = reader.scope.limits().clone();
        if let Some(image) = self.image.as_ref().filter(|image| !limits.allows_image(image)) {
            let message = format!("the image `{image}` is not allowed");
            let help = format!("allow it with --allow-image '{image}', if you trust the plan");
            reader.push(Diagnostic::new(Code::E073, image.span, message).help(help));
        }
        if let Some(most) = limits.brokers.filter(|most| self.brokers.value > *most) {
            let message = format!("{} brokers, but only {most} are allowed", self.brokers);
            let help = "raise the limit with --max-brokers";
            reader.push(Diagnostic::new(Code::E074, self.brokers.span, message).help(help));
        }
    }

    fn validate_version(&self, reader: &mut Reader) {
        let version = &self.version;
        let (message, help) = match self.mode.value {
            MetadataMode::Kraft if !version.has_kraft() => (
                "has no KRaft that is ready for production",
                "use `mode: zookeeper`, or version 3.3 or newer",
            ),
            MetadataMode::Zookeeper if !version.has_zookeeper() => {
                ("does not support ZooKeeper", "use `mode: kraft`, or version 3.9 or older")
            }
            _ => return,
        };
        let span = if self.mode.span.end > 0 && self.mode.value == MetadataMode::Zookeeper {
            self.mode.span
        } else {
            version.span
        };
        let message = format!("Kafka {version} {message}");
        reader.push(Diagnostic::new(Code::E071, span, message).help(help));
    }
}
