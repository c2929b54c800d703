//! The moments of faults: when a fault took effect and when it was over, for `recovered`, `connected`, `since`, and
//! for the question whether anything was sent while it was in effect.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use crate::{
    cluster::{Acted, Node},
    event::{FaultId, FaultKind, StepRun},
};

/// What a fault affects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Struck {
    /// The cluster: these nodes (empty: its network or disks).
    Cluster(BTreeSet<Node>),
    /// A member of one client: a fault for that client only.
    Client { client: String, member: u16 },
}

/// A fault that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    pub id: FaultId,
    pub kind: FaultKind,
    /// When it began to take effect (the first signal, rule or pause), monotonic microseconds. It is in
    /// effect from here until it is over.
    pub at_us: i64,
    /// When it had taken effect on all its targets: answers from here on are given in spite of it.
    pub by_us: i64,
    /// When it was undone and all its targets were back.
    pub over_us: Option<i64>,
    /// The step that made it.
    pub step: StepRun,
    /// The steps around that step, the nearest first: the `chaos` whose fault it is, a `repeat`, a `parallel`.
    pub around: Vec<StepRun>,
    pub struck: Struck,
    pub what: String,
}

impl Break {
    /// Whether it is a fault for a client: one of the cluster, or the client's own.
    fn concerns(&self, client: &str) -> bool {
        match &self.struck {
            Struck::Cluster(_) => true,
            Struck::Client { client: own, .. } => own == client,
        }
    }
}

/// All faults of a suite, in order. Start, resume and heal are not faults.
#[derive(Debug, Default)]
pub struct Breaks {
    all: Mutex<Vec<Break>>,
    /// Which step each step runs in, both by their ids in the events.
    around: Mutex<BTreeMap<StepRun, StepRun>>,
    /// The steps all of whose faults were left out.
    left_out: Mutex<BTreeSet<StepRun>>,
}

impl Breaks {
    fn all(&self) -> MutexGuard<'_, Vec<Break>> {
        self.all.lock().expect("no holder panics")
    }

    /// Records that a step, or a fault of a chaos, runs in another step: its faults are also faults of that step.
    /// Ids do not show it: `5.3` is the third fault of the chaos 5, or the third step in the repeat 5.
    pub fn runs_in(&self, step: &StepRun, around: &StepRun) {
        let mut all = self.around.lock().expect("no holder panics");
        all.insert(step.clone(), around.clone());
    }

    /// Records that a step did none of its faults.
    pub fn leave_out(&self, step: &StepRun) {
        self.left_out.lock().expect("no holder panics").insert(step.clone());
    }

    /// Whether a step did none of its faults.
    pub fn left_out(&self, step: &StepRun) -> bool {
        self.left_out.lock().expect("no holder panics").contains(step)
    }

    /// The steps around a step, the nearest first.
    fn around(&self, step: &StepRun) -> Vec<StepRun> {
        let all = self.around.lock().expect("no holder panics");
        std::iter::successors(all.get(step), |inner| all.get(*inner)).cloned().collect()
    }

    /// Records a fault, and when it took effect.
    pub fn push(
        &self,
        acted: impl Into<Acted>,
        step: &StepRun,
        kind: FaultKind,
        struck: Struck,
        what: &str,
    ) -> Break {
        let Acted { from_us: at_us, by_us } = acted.into();
        let (step, around, what) = (step.clone(), self.around(step), what.to_owned());
        let mut all = self.all();
        let id = FaultId(u32::try_from(all.len() + 1).unwrap_or(u32::MAX));
        let one = Break { id, kind, at_us, by_us, over_us: None, step, around, struck, what };
        all.push(one.clone());
        one
    }

    /// Ends the faults in force for which `is_over` returns true; returns them.
    fn end(&self, at_us: i64, mut is_over: impl FnMut(&mut Break) -> bool) -> Vec<Break> {
        let mut all = self.all();
        let over = all.iter_mut().filter(|b| b.over_us.is_none()).filter_map(|one| {
            one.over_us = is_over(one).then_some(at_us);
            one.over_us.map(|_| one.clone())
        });
        over.collect()
    }

    /// These nodes are back: ends the faults that affect no other nodes.
    pub fn over(&self, back: &[Node], at_us: i64) -> Vec<Break> {
        self.end(at_us, |one| {
            let Struck::Cluster(nodes) = &mut one.struck else { return false };
            let before = nodes.len();
            nodes.retain(|n| !back.contains(n));
            before > 0 && nodes.is_empty()
        })
    }

    /// A member of a client is back: ends the faults of its process. Those of its network outlive it.
    pub fn client_over(&self, name: &str, number: u16, at_us: i64) -> Vec<Break> {
        self.end(at_us, |one| match &one.struck {
            Struck::Client { client, member } => {
                client == name && *member == number && one.kind != FaultKind::Network
            }
            Struck::Cluster(_) => false,
        })
    }

    /// Ends a step's faults of network or disks.
    pub fn step_over(&self, step: &StepRun, at_us: i64) -> Vec<Break> {
        self.end(at_us, |one| one.step == *step)
    }

    /// The newest fault for a client: one of the cluster, or the client's own.
    pub fn last_for(&self, client: &str) -> Option<Break> {
        let breaks = self.all();
        breaks.iter().filter(|b| b.concerns(client)).max_by_key(|b| b.at_us).cloned()
    }

    /// When the newest fault of the cluster had taken effect on all its targets.
    pub fn cluster_since(&self) -> Option<i64> {
        let of_cluster = |b: &&Break| matches!(b.struck, Struck::Cluster(_));
        self.all().iter().filter(of_cluster).map(|b| b.by_us).max()
    }

    /// All faults of a step, by its id: its own, or else those of the steps and the chaos faults in it, in the order in
    /// which they took effect.
    pub fn of_step(&self, step: &StepRun) -> Vec<Break> {
        let all = self.all();
        let own = |b: &&Break| b.step == *step;
        let within = |b: &&Break| b.around.contains(step);
        let mut made: Vec<Break> = all.iter().filter(own).cloned().collect();
        if made.is_empty() {
            made = all.iter().filter(within).cloned().collect();
        }
        made.sort_by_key(|b| b.at_us);
        made
    }

    /// The newest fault of a step for a client; if none of the step's faults is for it, the newest of all.
    pub fn newest_of_step(&self, step: &StepRun, client: &str) -> Option<Break> {
        let made = self.of_step(step);
        made.iter().rfind(|b| b.concerns(client)).or(made.last()).cloned()
    }

    pub fn list(&self) -> Vec<Break> {
        self.all().clone()
    }

    /// How many faults there were: changes when another one took effect.
    pub fn count(&self) -> usize {
        self.all().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fault of a step, at a time.
    fn push(breaks: &Breaks, acted: impl Into<Acted>, step: &str, struck: Struck) {
        breaks.push(acted, &step.into(), FaultKind::NodeKilled, struck, "");
    }

    fn client(name: &str, member: u16) -> Struck {
        Struck::Client { client: name.into(), member }
    }

    fn nodes(all: &[u32]) -> Struck {
        Struck::Cluster(all.iter().map(|n| Node::Broker(*n)).collect())
    }

    #[test]
    fn a_clients_kill_breaks_only_that_client() {
        let breaks = Breaks::default();
        push(&breaks, 10, "1", nodes(&[2]));
        push(&breaks, 20, "2", client("P", 1));
        assert_eq!(breaks.last_for("P").expect("own kill").at_us, 20);
        assert_eq!(breaks.last_for("C").expect("cluster's").at_us, 10);
        assert_eq!(breaks.of_step(&"2".into())[0].at_us, 20);
        assert!(breaks.of_step(&"3".into()).is_empty());
    }

    #[test]
    fn what_a_step_broke_is_all_that_it_made_or_the_steps_in_it_made() {
        let breaks = Breaks::default();
        // A chaos in the second round of a repeat, a repeat whose third step has an id like a chaos fault's,
        // and a step inside a fault with `during`.
        breaks.runs_in(&"5.3#2".into(), &"5#2".into());
        breaks.runs_in(&"5.1#2".into(), &"5#2".into());
        breaks.runs_in(&"5#2".into(), &"4".into());
        breaks.runs_in(&"7.3".into(), &"7".into());
        breaks.runs_in(&"8.1".into(), &"8".into());
        for (at_us, step) in [(40, "5.3#2"), (20, "5.1#2"), (50, "5.3"), (60, "7.3"), (70, "8")] {
            push(&breaks, at_us, step, nodes(&[1]));
        }
        push(&breaks, 80, "8.1", nodes(&[2]));
        let of = |step: &str| -> Vec<i64> {
            breaks.of_step(&step.into()).into_iter().map(|b| b.at_us).collect()
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
        ["5.1", "5.2", "5.3"]
            .into_iter()
            .for_each(|fault| breaks.runs_in(&fault.into(), &"5".into()));
        push(&breaks, 20, "5.2", nodes(&[1]));
        push(&breaks, 10, "5.1", nodes(&[2]));
        push(&breaks, 30, "5.3", client("C", 1));
        let newest = |client: &str| breaks.newest_of_step(&"5".into(), client).map(|b| b.at_us);
        assert_eq!((newest("P"), newest("C")), (Some(20), Some(30)));
        assert_eq!(breaks.newest_of_step(&"6".into(), "P"), None);
    }

    #[test]
    fn a_fault_is_in_effect_from_the_first_moment_at_which_it_acted() {
        let breaks = Breaks::default();
        push(&breaks, Acted { from_us: 10, by_us: 15 }, "1", nodes(&[2, 3]));
        let fault = &breaks.of_step(&"1".into())[0];
        assert_eq!((fault.at_us, fault.by_us, fault.over_us), (10, 15, None));
    }

    #[test]
    fn a_members_fault_is_over_when_that_member_is_back() {
        let breaks = Breaks::default();
        push(&breaks, 10, "1", client("C", 1));
        push(&breaks, 20, "2", client("C", 10));
        let over: Vec<_> = breaks.client_over("C", 1, 30).into_iter().map(|b| b.id).collect();
        assert_eq!(over, [FaultId(1)]);
        assert!(breaks.client_over("C", 1, 40).is_empty());
        assert_eq!(breaks.of_step(&"2".into())[0].over_us, None);
    }

    #[test]
    fn a_fault_is_over_when_all_that_it_struck_is_back() {
        let breaks = Breaks::default();
        push(&breaks, 10, "1", nodes(&[2, 3]));
        assert!(breaks.over(&[Node::Broker(2)], 20).is_empty());
        assert_eq!(breaks.list()[0].over_us, None);
        assert_eq!(breaks.over(&[Node::Broker(3)], 30).len(), 1);
        assert_eq!(breaks.list()[0].over_us, Some(30));
    }
}
