//! Breaking moments: when a fault bit and when it was over, for `recovered`, `connected`, `since`, and
//! for the question whether anything was sent while it was in effect.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use crate::cluster::{Acted, Node};

/// Who a breaking moment is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Struck {
    /// The cluster: these nodes (none: its network or disks).
    Cluster(BTreeSet<Node>),
    /// One client: breaking for itself only.
    Client(String),
}

/// A fault that bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// When it began to act (the first signal, rule or freeze took effect), monotonic microseconds. It is in
    /// effect from here until it is over.
    pub at_us: i64,
    /// When it acted on everything that it struck: what is answered from here on is answered in spite of it.
    pub by_us: i64,
    /// When it was undone and all that it struck was back.
    pub over_us: Option<i64>,
    /// The step that made it.
    pub step: String,
    /// The steps around that step, the nearest first: the `chaos` whose fault it is, a `repeat`, a `parallel`.
    pub around: Vec<String>,
    pub struck: Struck,
    pub what: String,
}

impl Break {
    /// Whether its words begin with a member of a client, as it is shown: `C/1`, not `C/10`.
    pub fn is_of(&self, shown: &str) -> bool {
        self.what.strip_prefix(shown).is_some_and(|rest| rest.starts_with(' '))
    }

    /// Whether it is breaking for a client: of the cluster, or its own.
    fn concerns(&self, client: &str) -> bool {
        match &self.struck {
            Struck::Cluster(_) => true,
            Struck::Client(name) => name == client,
        }
    }
}

/// All breaking moments of a suite, in order. Start, resume and heal are not breaking.
#[derive(Debug, Default)]
pub struct Breaks {
    all: Mutex<Vec<Break>>,
    /// Which step each step runs in, both by their ids in the events.
    around: Mutex<BTreeMap<String, String>>,
}

impl Breaks {
    fn all(&self) -> MutexGuard<'_, Vec<Break>> {
        self.all.lock().expect("no holder panics")
    }

    /// Remembers that a step, or a fault of a chaos, runs in another step: what it breaks, that one breaks.
    /// Ids do not tell: `5.3` is the third fault of the chaos 5, or the third step in the repeat 5.
    pub fn runs_in(&self, step: &str, around: &str) {
        let mut all = self.around.lock().expect("no holder panics");
        all.insert(step.to_owned(), around.to_owned());
    }

    /// The steps around a step, the nearest first.
    fn around(&self, step: &str) -> Vec<String> {
        let all = self.around.lock().expect("no holder panics");
        std::iter::successors(all.get(step), |inner| all.get(*inner)).cloned().collect()
    }

    /// Remembers one, and when it began to act.
    pub fn push(&self, acted: impl Into<Acted>, step: &str, struck: Struck, what: &str) {
        let Acted { from_us: at_us, by_us } = acted.into();
        let around = self.around(step);
        let (step, what) = (step.to_owned(), what.to_owned());
        self.all().push(Break { at_us, by_us, over_us: None, step, around, struck, what });
    }

    /// These nodes are back: what struck no others is over. Returns each such fault's step and words.
    pub fn over(&self, back: &[Node], at_us: i64) -> Vec<(String, String)> {
        let mut ended = Vec::new();
        for one in self.all().iter_mut().filter(|b| b.over_us.is_none()) {
            let Struck::Cluster(nodes) = &mut one.struck else { continue };
            let before = nodes.len();
            nodes.retain(|n| !back.contains(n));
            if before > 0 && nodes.is_empty() {
                one.over_us = Some(at_us);
                ended.push((one.step.clone(), one.what.clone()));
            }
        }
        ended
    }

    /// A client, or a member of one, is back: `shown` begins the words of its faults. Returns each
    /// such fault's step and words.
    pub fn client_over(&self, client: &str, shown: &str, at_us: i64) -> Vec<(String, String)> {
        let mut ended = Vec::new();
        for one in self.all().iter_mut().filter(|b| b.over_us.is_none()) {
            let own = one.struck == Struck::Client(client.to_owned());
            if own && one.is_of(shown) {
                one.over_us = Some(at_us);
                ended.push((one.step.clone(), one.what.clone()));
            }
        }
        ended
    }

    /// What a step did to network or disks is undone.
    pub fn step_over(&self, step: &str, at_us: i64) {
        for one in self.all().iter_mut().filter(|b| b.step == step && b.over_us.is_none()) {
            one.over_us = Some(at_us);
        }
    }

    /// The newest that is breaking for a client: of the cluster, or its own.
    pub fn last_for(&self, client: &str) -> Option<Break> {
        let breaks = self.all();
        breaks.iter().filter(|b| b.concerns(client)).max_by_key(|b| b.at_us).cloned()
    }

    /// From when on the newest that struck the cluster acted on all that it struck.
    pub fn cluster_since(&self) -> Option<i64> {
        let of_cluster = |b: &&Break| matches!(b.struck, Struck::Cluster(_));
        self.all().iter().filter(of_cluster).map(|b| b.by_us).max()
    }

    /// All that a step made, by the step's id: itself, or else the steps and the faults in it. In order of
    /// the moments at which they began to act.
    pub fn of_step(&self, step: &str) -> Vec<Break> {
        let all = self.all();
        let own = |b: &&Break| b.step == step;
        let within = |b: &&Break| b.around.iter().any(|around| around == step);
        let mut made: Vec<Break> = all.iter().filter(own).cloned().collect();
        if made.is_empty() {
            made = all.iter().filter(within).cloned().collect();
        }
        made.sort_by_key(|b| b.at_us);
        made
    }

    /// The newest that a step made and that is breaking for a client; if none of them is, the newest.
    pub fn newest_of_step(&self, step: &str, client: &str) -> Option<Break> {
        let made = self.of_step(step);
        made.iter().rfind(|b| b.concerns(client)).or(made.last()).cloned()
    }

    pub fn list(&self) -> Vec<Break> {
        self.all().clone()
    }

    /// How many there were: changes when the cluster was struck again.
    pub fn count(&self) -> usize {
        self.all().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(all: &[u32]) -> Struck {
        Struck::Cluster(all.iter().map(|n| Node::Broker(*n)).collect())
    }

    #[test]
    fn a_clients_kill_breaks_only_that_client() {
        let breaks = Breaks::default();
        breaks.push(10, "1", nodes(&[2]), "");
        breaks.push(20, "2", Struck::Client("P".into()), "");
        assert_eq!(breaks.last_for("P").expect("own kill").at_us, 20);
        assert_eq!(breaks.last_for("C").expect("cluster's").at_us, 10);
        assert_eq!(breaks.of_step("2")[0].at_us, 20);
        assert!(breaks.of_step("3").is_empty());
    }

    #[test]
    fn what_a_step_broke_is_all_that_it_made_or_the_steps_in_it_made() {
        let breaks = Breaks::default();
        // A chaos in the second round of a repeat, a repeat whose third step has an id like a chaos fault's,
        // and a step inside a fault with `during`.
        breaks.runs_in("5.3#2", "5#2");
        breaks.runs_in("5.1#2", "5#2");
        breaks.runs_in("5#2", "4");
        breaks.runs_in("7.3", "7");
        breaks.runs_in("8.1", "8");
        for (at_us, step) in [(40, "5.3#2"), (20, "5.1#2"), (50, "5.3"), (60, "7.3"), (70, "8")] {
            breaks.push(at_us, step, nodes(&[1]), "");
        }
        breaks.push(80, "8.1", nodes(&[2]), "");
        let of = |step: &str| -> Vec<i64> {
            breaks.of_step(step).into_iter().map(|b| b.at_us).collect()
        };
        assert_eq!(of("5#2"), [20, 40], "both faults of the chaos, in the order of time");
        assert_eq!(of("5"), [0_i64; 0], "a round that was not, and no ids that only look alike");
        assert_eq!(of("4"), [20, 40], "what the chaos in it broke");
        assert_eq!(of("5.3"), [50]);
        assert_eq!(of("7"), [60]);
        assert_eq!(of("8"), [70], "a fault's own, not that of the steps that run during it");
    }

    #[test]
    fn of_several_faults_the_newest_that_concerns_the_client_counts() {
        let breaks = Breaks::default();
        ["5.1", "5.2", "5.3"].into_iter().for_each(|fault| breaks.runs_in(fault, "5"));
        breaks.push(20, "5.2", nodes(&[1]), "");
        breaks.push(10, "5.1", nodes(&[2]), "");
        breaks.push(30, "5.3", Struck::Client("C".into()), "");
        let newest = |client: &str| breaks.newest_of_step("5", client).map(|b| b.at_us);
        assert_eq!((newest("P"), newest("C")), (Some(20), Some(30)));
        assert_eq!(breaks.newest_of_step("6", "P"), None);
    }

    #[test]
    fn a_fault_is_in_effect_from_the_first_moment_at_which_it_acted() {
        let breaks = Breaks::default();
        breaks.push(Acted { from_us: 10, by_us: 15 }, "1", nodes(&[2, 3]), "");
        let fault = &breaks.of_step("1")[0];
        assert_eq!((fault.at_us, fault.by_us, fault.over_us), (10, 15, None));
    }

    #[test]
    fn a_members_fault_is_over_when_that_member_is_back() {
        let breaks = Breaks::default();
        breaks.push(10, "1", Struck::Client("C".into()), "C/1 killed");
        breaks.push(20, "2", Struck::Client("C".into()), "C/10 paused");
        let over = breaks.client_over("C", "C/1", 30);
        assert_eq!(over, [("1".to_owned(), "C/1 killed".to_owned())]);
        assert!(breaks.client_over("C", "C/1", 40).is_empty());
        assert_eq!(breaks.of_step("2")[0].over_us, None);
    }

    #[test]
    fn a_fault_is_over_when_all_that_it_struck_is_back() {
        let breaks = Breaks::default();
        breaks.push(10, "1", nodes(&[2, 3]), "");
        assert!(breaks.over(&[Node::Broker(2)], 20).is_empty());
        assert_eq!(breaks.list()[0].over_us, None);
        assert_eq!(breaks.over(&[Node::Broker(3)], 30).len(), 1);
        assert_eq!(breaks.list()[0].over_us, Some(30));
    }
}
