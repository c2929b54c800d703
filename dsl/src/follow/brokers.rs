//! Steps that start, break and mend brokers.

use std::collections::BTreeMap;

use super::Follow;
use crate::args::arguments_of;
use crate::diagnostic::{Code, Diagnostic};
use crate::ground::{KnownCluster, Liveness};
use crate::plan::Step;
use crate::source::Spanned;
use crate::steps::{StartCluster, Verb};
use crate::value::{
    Controllers, ElectionType, MetadataMode, Target, broker_numbers, controller_numbers,
};

impl Verb {
    /// The brokers that the step acts on, if it does.
    pub fn target(&self) -> Option<&Spanned<Target>> {
        arguments_of(self.parts()).into_iter().next()
    }
}

impl<'p> Follow<'p> {
    pub(super) fn broker_step(&mut self, step: &'p Step, verb: &'p Verb) {
        match verb {
            Verb::StartCluster(it) => self.start_cluster(step, it),
            Verb::StopCluster(_) => {
                self.stopped_in_fault(step);
                self.ground.state.cluster = None;
                self.ground.state.cluster_unknown = false;
            }
            Verb::KillBroker(it) => self.ground.take_down(&it.broker, Liveness::Down),
            Verb::StopBroker(it) => self.ground.take_down(&it.broker, Liveness::Stopped),
            Verb::PauseBroker(it) => self.ground.take_down(&it.broker, Liveness::Paused),
            Verb::StartBroker(it) => self.start_broker(&it.broker),
            Verb::ResumeBroker(it) => self.resume_broker(&it.broker),
            Verb::RestartBroker(it) => self.restart(&it.broker),
            Verb::UpgradeBroker(it) => {
                self.restart(&it.broker);
                self.upgrade(&it.version);
            }
            Verb::PartitionNetwork(it) => {
                for broker in it.groups.iter().flat_map(|g| g.iter()).flatten() {
                    self.ground.broker_number(broker.value, broker.span);
                }
                for target in it.isolate.iter().chain(&it.from).chain(&it.to) {
                    self.ground.target(target);
                }
                // Who counts as alive depends on whom the controller hears.
                self.ground.maybe_all();
            }
            // A broker ends when its only disk is full.
            Verb::FillDisk(it) => {
                let hit = self.ground.target(&it.broker);
                for (broker, _) in hit.certain {
                    self.ground.set_life(broker, Liveness::Maybe);
                }
                if hit.chosen {
                    self.ground.maybe_all();
                }
            }
            Verb::HealNetwork(_) => self.stopped_in_fault(step),
            Verb::ElectLeaders(it) => {
                self.ground.state.elected_unclean |= it.kind == ElectionType::Unclean;
            }
            _ => {
                if let Some(target) = verb.target() {
                    self.ground.target(target);
                }
            }
        }
        if verb.facts().is_fault() {
            self.fault_without_traffic(step, verb);
            self.ground.state.broken = true;
        }
    }

    fn start_cluster(&mut self, step: &Step, it: &StartCluster) {
        if self.ground.state.cluster.is_some()
            && !self.ground.in_finally
            && !self.ground.state.external
        {
            let message = "a cluster is running already";
            let help = "a plan has one cluster at a time: `stop_cluster` first";
            let span = step.head.key;
            self.ground.tell(Diagnostic::new(Code::E059, span, message).help(help));
        }
        if !self.ground.state.external {
            self.ground.state.topics.clear();
        }
        if !it.version.is_released_form() {
            let message = format!("`{}` is no version that kplan knows", it.version);
            let help = "it is taken for the version that its numbers say, or the newest";
            self.ground.tell(Diagnostic::new(Code::W002, it.version.span, message).help(help));
        }
        let controllers = match (it.mode.value, it.controllers.value) {
            (MetadataMode::Kraft, Controllers::Own(n)) => n,
            _ => 0,
        };
        let numbers = broker_numbers(it.brokers.value).chain(controller_numbers(controllers));
        let lives: BTreeMap<u32, Liveness> = numbers.map(|n| (n, Liveness::Up)).collect();
        self.ground.state.cluster = Some(KnownCluster {
            brokers: it.brokers.value,
            controllers,
            mode: it.mode.value,
            version: it.version.value.clone(),
            unclean: it.config.get("unclean.leader.election.enable") == Some("true"),
            users: it
                .security
                .as_ref()
                .filter(|s| s.has_users())
                .map(|s| s.users.iter().map(|(user, _)| user.to_owned()).collect()),
            lives,
            span: step.head.span,
        });
        self.cluster_settings(it);
    }

    fn start_broker(&mut self, target: &Spanned<Target>) {
        let hit = self.ground.target(target);
        let named = !matches!(target.value, Target::All | Target::Not(_));
        let down = hit.certain.iter().any(|(b, _)| self.ground.life(*b) != Some(Liveness::Up));
        for (broker, span) in &hit.certain {
            // `all` means those that are down: only when none is, there is nothing to start.
            if self.ground.life(*broker) == Some(Liveness::Up) && (named || !down) {
                let message = format!("broker {broker} is running already");
                self.ground.tell(Diagnostic::new(Code::E061, *span, message));
            }
            if self.ground.life(*broker) == Some(Liveness::Paused) {
                let message = format!("broker {broker} is frozen, not down");
                let help = format!("let it go on: `- resume_broker: {broker}`");
                self.ground.tell(Diagnostic::new(Code::E061, *span, message).help(help));
            }
        }
        for (broker, _) in hit.certain {
            self.ground.set_life(broker, Liveness::Up);
        }
        if hit.chosen {
            self.ground.maybe_all();
        }
    }

    fn resume_broker(&mut self, target: &Spanned<Target>) {
        let hit = self.ground.target(target);
        for (broker, span) in hit.certain {
            if !matches!(self.ground.life(broker), Some(Liveness::Paused | Liveness::Maybe) | None)
            {
                let message = format!("broker {broker} is not frozen");
                self.ground.tell(Diagnostic::new(Code::E065, span, message));
            }
            self.ground.set_life(broker, Liveness::Up);
        }
        if hit.chosen {
            self.ground.maybe_all();
        }
    }

    fn restart(&mut self, target: &Spanned<Target>) {
        let hit = self.ground.target(target);
        for (broker, span) in hit.certain {
            if self.ground.state.cluster.as_ref().is_some_and(|c| c.is_down(broker)) {
                let message = format!("broker {broker} is down: there is nothing to restart");
                let help = format!("start it: `- start_broker: {broker}`");
                self.ground.tell(Diagnostic::new(Code::E060, span, message).help(help));
            }
            self.ground.set_life(broker, Liveness::Up);
        }
    }

    fn upgrade(&mut self, version: &Spanned<crate::value::KafkaVersion>) {
        let Some(cluster) = &mut self.ground.state.cluster else { return };
        let zookeeper = cluster.mode == MetadataMode::Zookeeper;
        cluster.version = version.value.clone();
        if zookeeper && !version.has_zookeeper() {
            let message = format!("Kafka {version} has no ZooKeeper any more");
            self.ground.tell(Diagnostic::new(Code::E071, version.span, message));
        }
    }
}
