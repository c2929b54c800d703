//! Brokers and controllers: which of them a target means, and whether they are running.

use super::{Ground, KnownCluster, Liveness};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::value::{MetadataMode, Target, controller_numbers};
use crate::words;

/// The brokers that a target certainly means, and whether it may mean others.
pub struct Hit {
    pub certain: Vec<(u32, Span)>,
    /// True if it certainly means all brokers whose numbers are not known, too.
    pub others: bool,
    pub chosen: bool,
}

impl Ground<'_> {
    /// Reports a number that no broker or controller has. Whether a cluster that exists has the number may be known
    /// only when the plan attaches to it.
    pub fn broker_number(&mut self, broker: u32, span: Span) -> bool {
        if self.state.external && self.muted == 0 {
            self.named_brokers.entry(broker).or_insert(span);
        }
        let Some(cluster) = self.state.cluster.as_mut() else { return true };
        if let Some(life) = cluster.life(broker) {
            cluster.lives.insert(broker, life);
            return true;
        }
        let what = if cluster.is_dedicated(broker) { "controller" } else { "broker" };
        let message = format!("the cluster has no {what} {broker}");
        let (help, place) = (self.other_numbers(broker), self.state.cluster.as_ref());
        let mut diagnostic = Diagnostic::new(Code::E052, span, message).maybe_help(help);
        if let Some(cluster) = place {
            diagnostic = diagnostic.related(cluster.span, "the cluster is started here");
        }
        self.report(diagnostic);
        false
    }

    /// The numbers that there are, instead of one that there is not.
    fn other_numbers(&self, broker: u32) -> Option<String> {
        let cluster = self.state.cluster.as_ref()?;
        let controllers = controller_numbers(cluster.controllers).filter(|_| !cluster.borrowed);
        let own = match (controllers.clone().next(), controllers.last()) {
            (Some(first), Some(last)) => format!(", its controllers are {first} to {last}"),
            _ => String::new(),
        };
        let numbers = &cluster.numbers;
        let (first, last) = (*numbers.first()?, *numbers.last()?);
        let near = numbers.iter().min_by_key(|n| n.abs_diff(broker))?;
        let which = match numbers.len() {
            1 => format!("its only broker is {first}{own}"),
            n if (last - first) as usize == n - 1 => {
                format!("its brokers are {first} to {last}{own}")
            }
            _ => {
                let all: Vec<u32> = numbers.iter().copied().collect();
                format!("its brokers are {}{own}", words::list(&all))
            }
        };
        Some(match cluster.borrowed {
            true => format!("{which}; the nearest number is {near}"),
            false if broker < first && self.numbers_brokers => format!(
                "{which}: kplan numbers them from {first}; with `first_broker: {broker}`, \
                 `start_cluster` numbers them from {broker}"
            ),
            false if broker < first => format!("{which}: this backend numbers them from {first}"),
            false => which,
        })
    }

    /// Reports mistakes in a target, and returns the brokers that it means.
    pub fn target(&mut self, target: &Spanned<Target>) -> Hit {
        let mut hit = Hit { certain: Vec::new(), others: false, chosen: true };
        match &target.value {
            Target::Broker(n) | Target::Dedicated(n) => {
                if self.broker_number(*n, target.span) {
                    hit.certain.push((*n, target.span));
                }
                hit.chosen = false;
            }
            Target::Several(all) => {
                let hits: Vec<Hit> = all.iter().map(|t| self.target(t)).collect();
                hit.chosen = hits.iter().any(|h| h.chosen);
                hit.others = hits.iter().any(|h| h.others);
                hit.certain = hits.into_iter().flat_map(|h| h.certain).collect();
            }
            Target::All => self.brokers_but(&[], target.span, &mut hit),
            Target::Controllers | Target::Zookeeper => self.own_controllers(target, &mut hit),
            Target::Not(inner) => {
                let inner = self.target(inner);
                if !inner.chosen && !inner.others {
                    self.brokers_but(&inner.certain, target.span, &mut hit);
                }
            }
            Target::AnyOf(inner) => {
                self.target(inner);
            }
            Target::LeaderOf(partition) | Target::FollowersOf(partition) => {
                self.partition(partition, false);
            }
            Target::CoordinatorOf(group) => self.group(group),
            Target::TransactionCoordinatorOf(client) => self.transactional(client),
            Target::SameAs(step) => {
                self.step_name(step, false);
                if self.names.get(step.as_str()).is_some_and(|met| !met.has_target) {
                    let message = format!("step \"{}\" does not act on brokers", step.value);
                    self.report(Diagnostic::new(Code::E053, step.span, message));
                }
            }
            Target::Random | Target::Controller => {}
        }
        hit
    }

    /// All brokers except some.
    fn brokers_but(&self, except: &[(u32, Span)], span: Span, hit: &mut Hit) {
        let Some(cluster) = &self.state.cluster else { return };
        let named = |n: &u32| except.iter().any(|(e, _)| e == n);
        hit.certain = cluster.named().filter(|n| !named(n)).map(|n| (n, span)).collect();
        hit.others = !cluster.knows_all();
        hit.chosen = false;
    }

    fn own_controllers(&mut self, target: &Spanned<Target>, hit: &mut Hit) {
        let Some(cluster) = &self.state.cluster else { return };
        let (mode, controllers) = (cluster.mode, cluster.controllers);
        let message = match (&target.value, mode, controllers) {
            // Its controllers are not known.
            (Target::Controllers, MetadataMode::Kraft, 1..) if cluster.borrowed => return,
            (Target::Controllers, MetadataMode::Kraft, 1..) => {
                hit.certain = controller_numbers(controllers).map(|n| (n, target.span)).collect();
                hit.chosen = false;
                return;
            }
            (Target::Zookeeper, MetadataMode::Zookeeper, _) => return,
            (Target::Controllers, MetadataMode::Zookeeper, _) => {
                "this target matches nothing: with ZooKeeper, the controller is one of the brokers"
            }
            (Target::Controllers, ..) => {
                "this target matches nothing: the controllers run in the brokers' processes"
            }
            _ => "this target matches nothing: the cluster has no ZooKeeper",
        };
        self.report(Diagnostic::new(Code::W015, target.span, message));
    }

    /// Reports a broker that is down where it must be running.
    pub fn must_be_up(&mut self, broker: u32, what: &str, span: Span) {
        if self.state.cluster.as_ref().is_some_and(|c| c.is_down(broker)) {
            self.impossible(span, format!("broker {broker} is down here, so it cannot {what}"));
        }
    }

    pub fn life(&self, broker: u32) -> Option<Liveness> {
        self.state.cluster.as_ref()?.life(broker)
    }

    pub fn set_life(&mut self, broker: u32, life: Liveness) {
        if let Some(cluster) = &mut self.state.cluster {
            cluster.lives.insert(broker, life);
        }
    }

    /// Makes the state of all nodes uncertain, as after a target that is chosen at run time.
    pub fn maybe_all(&mut self) {
        for life in self.state.cluster.iter_mut().flat_map(KnownCluster::every_life) {
            *life = Liveness::Maybe;
        }
    }

    /// Sets the state of the brokers whose numbers are not known, if they are meant.
    fn others_are(&mut self, meant: bool, life: Liveness) {
        if let Some(cluster) = self.state.cluster.as_mut().filter(|_| meant) {
            cluster.others = life;
        }
    }

    /// Sets the state of the brokers that are certainly meant. If others are chosen at run time, the state of all
    /// is uncertain.
    pub fn all_are(&mut self, hit: Hit, life: Liveness) {
        for (broker, _) in hit.certain {
            self.set_life(broker, life);
        }
        self.others_are(hit.others, life);
        if hit.chosen {
            self.maybe_all();
        }
    }

    /// After a step that may end the brokers of a target.
    pub fn may_be_down(&mut self, target: &Spanned<Target>) {
        let hit = self.target(target);
        self.all_are(hit, Liveness::Maybe);
    }

    /// Stops the brokers of a target and starts them again.
    pub fn restart(&mut self, target: &Spanned<Target>) {
        let hit = self.target(target);
        for (broker, span) in hit.certain {
            if self.state.cluster.as_ref().is_some_and(|c| c.is_down(broker)) {
                let message = format!("broker {broker} is down, so it cannot be restarted");
                let help = format!("start it instead: `- start_broker: {broker}`");
                self.report(Diagnostic::new(Code::E060, span, message).help(help));
            }
            self.set_life(broker, Liveness::Up);
        }
        self.others_are(hit.others, Liveness::Up);
    }

    /// Reports more replicas than running brokers.
    pub fn replicas_fit(&mut self, replicas: &Spanned<u32>) {
        let Some(cluster) = self.state.cluster.as_ref().filter(|_| !self.state.external) else {
            return;
        };
        let down = cluster.count(|life| matches!(life, Liveness::Down | Liveness::Stopped));
        let alive = cluster.brokers.saturating_sub(down);
        if replicas.value <= alive {
            return;
        }
        let brokers = |n: u32| words::count(n.into(), "broker");
        let message = if replicas.value > cluster.brokers {
            format!("{replicas} replicas on a cluster of {}", brokers(cluster.brokers))
        } else {
            format!("{replicas} replicas, but the number of running brokers is {alive}")
        };
        let diagnostic = Diagnostic::new(Code::E062, replicas.span, message);
        self.report(diagnostic.related(cluster.span, "the cluster is started here"));
    }

    pub fn take_down(&mut self, target: &Spanned<Target>, life: Liveness) {
        let hit = self.target(target);
        let paused = |(n, _): &(u32, Span)| (self.life(*n) == Some(Liveness::Paused)).then_some(*n);
        let was_paused: Vec<u32> = hit.certain.iter().filter_map(paused).collect();
        for (broker, span) in hit.certain {
            let now = self.life(broker);
            let dead = matches!(now, Some(Liveness::Down | Liveness::Stopped));
            let named = !matches!(target.value, Target::All | Target::Not(_));
            // One step may name a broker twice.
            if life == Liveness::Paused && was_paused.contains(&broker) {
                let message = format!("broker {broker} is already paused");
                let help = format!("resume it first: `- resume_broker: {broker}`");
                self.report(Diagnostic::new(Code::E060, span, message).help(help));
            }
            if dead && named {
                let message = format!("broker {broker} is already down");
                let help = format!("start it first: `- start_broker: {broker}`");
                self.report(Diagnostic::new(Code::E060, span, message).help(help));
            }
            self.set_life(broker, life);
        }
        self.others_are(hit.others, life);
        if hit.chosen {
            self.maybe_all();
        }
    }
}
