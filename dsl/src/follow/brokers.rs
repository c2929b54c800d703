//! Steps that start, break and mend brokers.

use std::collections::BTreeMap;

use super::{Follow, Liveness, state::KnownCluster};
use crate::args::arguments_of;
use crate::diagnostic::{Code, Diagnostic};
use crate::plan::Step;
use crate::source::{Span, Spanned};
use crate::steps::{StartCluster, Verb};
use crate::value::{Controllers, ElectionType, MetadataMode, Target};

/// The brokers that a target certainly means, and whether there may be others.
pub(super) struct Hit {
    pub(super) certain: Vec<(u32, Span)>,
    pub(super) chosen: bool,
}

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
                self.state.cluster = None;
                self.state.cluster_unknown = false;
            }
            Verb::KillBroker(it) => self.take_down(&it.broker, Liveness::Down),
            Verb::StopBroker(it) => self.take_down(&it.broker, Liveness::Stopped),
            Verb::PauseBroker(it) => self.take_down(&it.broker, Liveness::Paused),
            Verb::StartBroker(it) => self.start_broker(&it.broker),
            Verb::ResumeBroker(it) => self.resume_broker(&it.broker),
            Verb::RestartBroker(it) => self.restart(&it.broker),
            Verb::UpgradeBroker(it) => {
                self.restart(&it.broker);
                self.upgrade(&it.version);
            }
            Verb::PartitionNetwork(it) => {
                for broker in it.groups.iter().flat_map(|g| g.iter()).flatten() {
                    self.broker_number(broker.value, broker.span);
                }
                for target in it.isolate.iter().chain(&it.from).chain(&it.to) {
                    self.target(target);
                }
                // Who counts as alive depends on whom the controller hears.
                self.maybe_all();
            }
            // A broker ends when its only disk is full.
            Verb::FillDisk(it) => {
                let hit = self.target(&it.broker);
                for (broker, _) in hit.certain {
                    self.set_life(broker, Liveness::Maybe);
                }
                if hit.chosen {
                    self.maybe_all();
                }
            }
            Verb::HealNetwork(_) => self.stopped_in_fault(step),
            Verb::ElectLeaders(it) => {
                self.state.elected_unclean |= it.kind == ElectionType::Unclean;
            }
            _ => {
                if let Some(target) = verb.target() {
                    self.target(target);
                }
            }
        }
        if verb.facts().is_fault() {
            self.fault_without_traffic(step, verb);
            self.state.broken = true;
        }
    }

    fn start_cluster(&mut self, step: &Step, it: &StartCluster) {
        if self.state.cluster.is_some() && !self.in_finally && !self.state.external {
            let message = "a cluster is running already";
            let help = "a plan has one cluster at a time: `stop_cluster` first";
            let span = step.head.key;
            self.tell(Diagnostic::new(Code::E059, span, message).help(help));
        }
        if !self.state.external {
            self.state.topics.clear();
        }
        if !it.version.is_released_form() {
            let message = format!("`{}` is no version that kplan knows", it.version);
            let help = "it is taken for the version that its numbers say, or the newest";
            self.tell(Diagnostic::new(Code::W002, it.version.span, message).help(help));
        }
        let controllers = match (it.mode.value, it.controllers.value) {
            (MetadataMode::Kraft, Controllers::Own(n)) => n,
            _ => 0,
        };
        let numbers = (1..=it.brokers.value).chain((1..=controllers).map(|n| 100 + n));
        let lives: BTreeMap<u32, Liveness> = numbers.map(|n| (n, Liveness::Up)).collect();
        self.state.cluster = Some(KnownCluster {
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

    /// Tells a number that no broker or controller has.
    pub(super) fn broker_number(&mut self, broker: u32, span: Span) -> bool {
        let Some(cluster) = self.state.cluster.as_ref().filter(|_| !self.state.external) else {
            return true;
        };
        if cluster.lives.contains_key(&broker) {
            return true;
        }
        let what = if broker > 100 { "controller" } else { "broker" };
        let message = format!("the cluster has no {what} {broker}");
        let own = match cluster.controllers {
            0 => String::new(),
            n => format!(", its controllers 101 to {}", 100 + n),
        };
        let help = match cluster.brokers {
            1 => format!("its only broker is 1{own}"),
            n => format!("its brokers are 1 to {n}{own}"),
        };
        let diagnostic = Diagnostic::new(Code::E052, span, message).help(help);
        let told = diagnostic.related(cluster.span, "the cluster is started here");
        self.tell(told);
        false
    }

    /// Tells what is wrong with a target, and which brokers it means.
    pub(super) fn target(&mut self, target: &Spanned<Target>) -> Hit {
        let mut hit = Hit { certain: Vec::new(), chosen: true };
        let brokers = self.state.cluster.as_ref().map_or(0, |c| c.brokers);
        match &target.value {
            Target::Broker(n) => {
                if self.broker_number(*n, target.span) {
                    hit.certain.push((*n, target.span));
                }
                hit.chosen = false;
            }
            Target::Several(all) => {
                let hits: Vec<Hit> = all.iter().map(|t| self.target(t)).collect();
                hit.chosen = hits.iter().any(|h| h.chosen);
                hit.certain = hits.into_iter().flat_map(|h| h.certain).collect();
            }
            Target::All => {
                hit.certain = (1..=brokers).map(|n| (n, target.span)).collect();
                hit.chosen = brokers == 0;
            }
            Target::Controllers | Target::Zookeeper => self.own_controllers(target, &mut hit),
            Target::Not(inner) => {
                let inner = self.target(inner);
                if !inner.chosen {
                    let named = |n: &u32| inner.certain.iter().any(|(c, _)| c == n);
                    hit.certain =
                        (1..=brokers).filter(|n| !named(n)).map(|n| (n, target.span)).collect();
                    hit.chosen = brokers == 0;
                }
            }
            Target::AnyOf(inner) => {
                self.target(inner);
            }
            Target::LeaderOf(partition) | Target::FollowersOf(partition) => {
                self.partition(partition, false);
            }
            Target::CoordinatorOf(group) => self.group(group),
            Target::SameAs(step) => {
                self.step_name(step, false);
                if self.names.get(step.as_str()).is_some_and(|met| !met.has_target) {
                    let message = format!("step \"{}\" acts on no broker", step.value);
                    self.tell(Diagnostic::new(Code::E053, step.span, message));
                }
            }
            Target::Random | Target::Controller => {}
        }
        hit
    }

    fn own_controllers(&mut self, target: &Spanned<Target>, hit: &mut Hit) {
        let Some(cluster) = &self.state.cluster else { return };
        let (mode, controllers) = (cluster.mode, cluster.controllers);
        let message = match (&target.value, mode, controllers) {
            (Target::Controllers, MetadataMode::Kraft, 1..) => {
                hit.certain = (1..=controllers).map(|n| (100 + n, target.span)).collect();
                hit.chosen = false;
                return;
            }
            (Target::Zookeeper, MetadataMode::Zookeeper, _) => return,
            (Target::Controllers, MetadataMode::Zookeeper, _) => {
                "with ZooKeeper no controller has a process of its own"
            }
            (Target::Controllers, ..) => "the controllers share the brokers' processes",
            _ => "the cluster has no ZooKeeper",
        };
        self.tell(Diagnostic::new(Code::W015, target.span, message));
    }

    pub(super) fn life(&self, broker: u32) -> Option<Liveness> {
        self.state.cluster.as_ref()?.lives.get(&broker).copied()
    }

    pub(super) fn set_life(&mut self, broker: u32, life: Liveness) {
        if let Some(cluster) = &mut self.state.cluster {
            cluster.lives.insert(broker, life);
        }
    }

    /// What a target chosen at run time leaves uncertain.
    pub(super) fn maybe_all(&mut self) {
        for life in self.state.cluster.iter_mut().flat_map(|c| c.lives.values_mut()) {
            *life = Liveness::Maybe;
        }
    }

    fn take_down(&mut self, target: &Spanned<Target>, life: Liveness) {
        let hit = self.target(target);
        let frozen = |(n, _): &(u32, Span)| (self.life(*n) == Some(Liveness::Paused)).then_some(*n);
        let was_frozen: Vec<u32> = hit.certain.iter().filter_map(frozen).collect();
        for (broker, span) in hit.certain {
            let now = self.life(broker);
            let dead = matches!(now, Some(Liveness::Down | Liveness::Stopped));
            let named = !matches!(target.value, Target::All | Target::Not(_));
            // One broker may be meant twice by one step.
            if life == Liveness::Paused && was_frozen.contains(&broker) {
                let message = format!("broker {broker} is frozen already");
                let help = format!("let it go on before: `- resume_broker: {broker}`");
                self.tell(Diagnostic::new(Code::E060, span, message).help(help));
            }
            if dead && named {
                let message = format!("broker {broker} is down already");
                let help = format!("start it before: `- start_broker: {broker}`");
                self.tell(Diagnostic::new(Code::E060, span, message).help(help));
            }
            self.set_life(broker, life);
        }
        if hit.chosen {
            self.maybe_all();
        }
    }

    fn start_broker(&mut self, target: &Spanned<Target>) {
        let hit = self.target(target);
        let named = !matches!(target.value, Target::All | Target::Not(_));
        let down = hit.certain.iter().any(|(b, _)| self.life(*b) != Some(Liveness::Up));
        for (broker, span) in &hit.certain {
            // `all` means those that are down: only when none is, there is nothing to start.
            if self.life(*broker) == Some(Liveness::Up) && (named || !down) {
                let message = format!("broker {broker} is running already");
                self.tell(Diagnostic::new(Code::E061, *span, message));
            }
            if self.life(*broker) == Some(Liveness::Paused) {
                let message = format!("broker {broker} is frozen, not down");
                let help = format!("let it go on: `- resume_broker: {broker}`");
                self.tell(Diagnostic::new(Code::E061, *span, message).help(help));
            }
        }
        for (broker, _) in hit.certain {
            self.set_life(broker, Liveness::Up);
        }
        if hit.chosen {
            self.maybe_all();
        }
    }

    fn resume_broker(&mut self, target: &Spanned<Target>) {
        let hit = self.target(target);
        for (broker, span) in hit.certain {
            if !matches!(self.life(broker), Some(Liveness::Paused | Liveness::Maybe) | None) {
                let message = format!("broker {broker} is not frozen");
                self.tell(Diagnostic::new(Code::E065, span, message));
            }
            self.set_life(broker, Liveness::Up);
        }
        if hit.chosen {
            self.maybe_all();
        }
    }

    fn restart(&mut self, target: &Spanned<Target>) {
        let hit = self.target(target);
        for (broker, span) in hit.certain {
            if self.state.cluster.as_ref().is_some_and(|c| c.is_down(broker)) {
                let message = format!("broker {broker} is down: there is nothing to restart");
                let help = format!("start it: `- start_broker: {broker}`");
                self.tell(Diagnostic::new(Code::E060, span, message).help(help));
            }
            self.set_life(broker, Liveness::Up);
        }
    }

    fn upgrade(&mut self, version: &Spanned<crate::value::KafkaVersion>) {
        let Some(cluster) = &mut self.state.cluster else { return };
        let zookeeper = cluster.mode == MetadataMode::Zookeeper;
        cluster.version = version.value.clone();
        if zookeeper && !version.has_zookeeper() {
            let message = format!("Kafka {version} has no ZooKeeper any more");
            self.tell(Diagnostic::new(Code::E071, version.span, message));
        }
    }
}
