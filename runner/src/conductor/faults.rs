//! Breaking moments: when a fault bit and when it was over, for `recovered`, `connected`, `since`, and
//! for the question whether anything was sent while it was in effect.

use std::{collections::BTreeSet, sync::Mutex};

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
    /// Whom it struck.
    pub struck: Struck,
    /// In words.
    pub what: String,
}

/// All breaking moments of a suite, in order. Start, resume and heal are not breaking.
#[derive(Debug, Default)]
pub struct Breaks(Mutex<Vec<Break>>);

impl Breaks {
    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Break>> {
        self.0.lock().expect("no holder panics")
    }

    /// Remembers one, and when it began to act.
    pub fn push(&self, acted: impl Into<Acted>, step: &str, struck: Struck, what: &str) {
        let Acted { from_us: at_us, by_us } = acted.into();
        let (step, what) = (step.to_owned(), what.to_owned());
        self.all().push(Break { at_us, by_us, over_us: None, step, struck, what });
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
            if own && one.what.strip_prefix(shown).is_some_and(|rest| rest.starts_with(' ')) {
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
    #[must_use]
    pub fn last_for(&self, client: &str) -> Option<Break> {
        let breaks = self.all();
        let concerns = |b: &&Break| match &b.struck {
            Struck::Cluster(_) => true,
            Struck::Client(name) => name == client,
        };
        breaks.iter().filter(concerns).max_by_key(|b| b.at_us).cloned()
    }

    /// From when on the newest that struck the cluster acted on all that it struck.
    #[must_use]
    pub fn cluster_since(&self) -> Option<i64> {
        let of_cluster = |b: &&Break| matches!(b.struck, Struck::Cluster(_));
        self.all().iter().filter(of_cluster).map(|b| b.by_us).max()
    }

    /// The newest that a step made, by the step's id.
    #[must_use]
    pub fn of_step(&self, step: &str) -> Option<Break> {
        self.all().iter().rev().find(|b| b.step == step).cloned()
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> Vec<Break> {
        self.all().clone()
    }

    /// How many there were: changes when the cluster was struck again.
    #[must_use]
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
        assert_eq!(breaks.of_step("2").expect("step 2").at_us, 20);
        assert!(breaks.of_step("3").is_none());
    }

    #[test]
    fn a_fault_is_in_effect_from_the_first_moment_at_which_it_acted() {
        let breaks = Breaks::default();
        breaks.push(Acted { from_us: 10, by_us: 15 }, "1", nodes(&[2, 3]), "");
        let fault = breaks.of_step("1").expect("step 1");
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
        assert_eq!(breaks.of_step("2").expect("step 2").over_us, None);
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
