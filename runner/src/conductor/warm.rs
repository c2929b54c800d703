//! Running clusters that are handed on from one plan to the next that declares the same one (`reuse: true`).
//!
//! The scheduler hands a cluster on from a suite that has ended to one that begins: two suites never use it
//! at once. Only an unchanged cluster is handed on: its plan passed, did nothing that could have
//! left a trace, and its topics and groups are deleted.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kplan_dsl::{
    facts::Leaves,
    plan::{Plan, Step},
    steps::{StartCluster, Verb},
};

use crate::{
    stage::{
        Run, Running, Stage,
        warm::{self, Warm, key},
    },
    steps::cluster_spec,
};

/// How long the deletion of a plan's topics may take; a cluster that needs longer is removed instead.
const CLEAN_LIMIT: Duration = Duration::from_secs(15);

/// The key of a plan's cluster, if the plan has a single one with `reuse` and the backend hands clusters on (an
/// external cluster is not kplan's to clean, other backends start at once or write their logs elsewhere).
pub fn key_of_plan(plan: &Plan, run: &Run) -> Option<String> {
    if !run.backend.hands_on() {
        return None;
    }
    let mut all = Vec::new();
    clusters(plan.steps.iter().chain(&plan.finally), &mut all);
    match all.as_slice() {
        [only] if only.reuse => {
            cluster_spec(only, run, plan, String::new(), std::path::PathBuf::new())
                .ok()
                .map(|s| key(&s))
        }
        _ => None,
    }
}

fn clusters<'p>(steps: impl Iterator<Item = &'p Step>, all: &mut Vec<&'p StartCluster>) {
    for one in steps {
        if let Some(Verb::StartCluster(args)) = one.verb() {
            all.push(args);
        }
        clusters(one.inside().into_iter(), all);
    }
}

/// Whether a plan leaves nothing in its cluster but topics and groups: all its steps must be known to do so.
pub fn is_traceless(plan: &Plan) -> bool {
    plan.steps.iter().chain(&plan.finally).all(step_is_traceless)
}

fn step_is_traceless(one: &Step) -> bool {
    // A step whose arguments are only known at run time counts as leaving traces.
    let Some(verb) = one.verb() else { return false };
    let own = verb.facts().leaves == Leaves::TopicsAndGroups;
    own && one.inside().into_iter().all(step_is_traceless)
}

/// Deletes what a plan left in its cluster.
pub async fn clean(stage: &Stage, running: &Running) -> Result<(), String> {
    let work = async {
        warm::sound(running).await?;
        // A plan with a copier also leaves transactions, and so is never traceless.
        let clients = stage.clients.all();
        let groups = clients.iter().filter_map(|client| client.group());
        let groups: BTreeSet<String> = groups.map(|(name, _)| name.to_owned()).collect();
        let groups: Vec<String> = groups.into_iter().collect();
        running.cluster.topics().delete_groups(&groups).await.map_err(|e| e.to_string())?;
        // Only topics of this plan; any other topic makes the cluster unfit below.
        let made = stage.topics.all().into_iter().filter(|(_, facts)| !facts.deleted);
        for (topic, _) in made {
            running.cluster.topics().delete_topic(&topic).await.map_err(|e| e.to_string())?;
        }
        let none = |view: &crate::observer::ClusterView| {
            view.topics.values().all(|t| t.internal).then_some(())
        };
        let gone = running.observer.until(CLEAN_LIMIT, none).await;
        gone.map(drop).map_err(|_| "its topics could not be deleted".to_owned())
    };
    let limited = tokio::time::timeout(CLEAN_LIMIT, work).await;
    limited.unwrap_or_else(|_| Err(format!("cleaning it took longer than {CLEAN_LIMIT:?}")))
}

/// The scheduler's clusters between two plans, and the clusters that later plans can use.
#[derive(Debug, Default)]
pub struct Shelf {
    warm: Vec<Warm>,
    /// By key: suites still to come, and running ones that will leave their cluster.
    to_come: BTreeMap<String, u32>,
    promised: BTreeMap<String, u32>,
}

impl Shelf {
    /// Sets the keys of the later plans.
    pub fn expect(&mut self, keys: impl IntoIterator<Item = String>) {
        for key in keys {
            *self.to_come.entry(key).or_default() += 1;
        }
    }

    /// No more plans come.
    pub fn expect_none(&mut self) {
        self.to_come.clear();
    }

    /// A suite with this key begins: returns the cluster that it reuses, and whether it is to leave its own.
    pub fn begin(&mut self, key: &str) -> (Option<Warm>, bool) {
        if let Some(left) = self.to_come.get_mut(key) {
            *left = left.saturating_sub(1);
        }
        let at = self.warm.iter().position(|w| w.key == key);
        let warm = at.map(|at| self.warm.swap_remove(at));
        let leaves = self.is_wanted(key);
        if leaves {
            *self.promised.entry(key.to_owned()).or_default() += 1;
        }
        (warm, leaves)
    }

    fn is_wanted(&self, key: &str) -> bool {
        let count = |map: &BTreeMap<String, u32>| map.get(key).copied().unwrap_or(0);
        let kept = self.warm.iter().filter(|w| w.key == key).count();
        count(&self.to_come) > count(&self.promised) + u32::try_from(kept).unwrap_or(u32::MAX)
    }

    /// A suite that was to leave its cluster ended. Returns a cluster that no later plan needs.
    pub fn end(&mut self, key: &str, left: Option<Warm>) -> Option<Warm> {
        if let Some(promised) = self.promised.get_mut(key) {
            *promised = promised.saturating_sub(1);
        }
        let left = left?;
        if !self.is_wanted(key) {
            return Some(left);
        }
        self.warm.push(left);
        None
    }

    /// Removes a cluster from the shelf because its resources are needed.
    pub fn give_up(&mut self) -> Option<Warm> {
        self.warm.pop()
    }

    /// Whether a plan with this key would reuse a cluster.
    pub fn has(&self, key: Option<&str>) -> bool {
        key.is_some_and(|key| self.warm.iter().any(|w| w.key == key))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{cluster::embedded::EmbeddedCluster, event::SuiteId, stage::warm::tests::spec};

    fn warm(suite: SuiteId, key: &str) -> Warm {
        let cluster = EmbeddedCluster::launch(spec("s1", 1)).expect("a mock cluster");
        Warm { cluster: Arc::new(cluster), key: key.to_owned(), suite }
    }

    fn plan(steps: &str) -> Plan {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("p.yaml");
        let head = "plan: v1\nname: P\nsteps:\n  - start_cluster: { brokers: 1, reuse: true }\n";
        std::fs::write(&path, format!("{head}{steps}")).expect("file");
        let checked = kplan_dsl::check_file(&path, &kplan_dsl::Options::default());
        let plan = checked.suites.into_iter().next();
        plan.unwrap_or_else(|| panic!("{:?}", checked.diagnostics))
    }

    #[test]
    fn faults_leave_traces_wherever_they_stand() {
        let end = "  - assert: [{ brokers_alive: 1 }]\n";
        assert!(is_traceless(&plan(end)));
        assert!(is_traceless(&plan(&format!("  - create_topic: orders\n{end}"))));
        for fault in [
            "  - restart_broker: 1\n",
            "  - repeat: { times: 2, steps: [{ kill_broker: { broker: 1, for: 1s } }] }\n",
            "  - stop_cluster\n  - start_cluster: { brokers: 1 }\n",
        ] {
            assert!(!is_traceless(&plan(&format!("{fault}{end}"))), "{fault}");
        }
        let late = format!("{end}finally:\n  - stop_broker: {{ broker: 1, for: 1s }}\n");
        assert!(!is_traceless(&plan(&late)));
    }

    #[test]
    fn a_cluster_goes_from_one_suite_to_the_next_and_no_further() {
        let mut shelf = Shelf::default();
        shelf.expect(["a", "a", "b"].map(str::to_owned));
        let (none, leaves) = shelf.begin("a");
        assert!(none.is_none() && leaves, "another one comes");
        assert!(shelf.end("a", Some(warm(1, "a"))).is_none() && shelf.has(Some("a")));
        let (none, leaves) = shelf.begin("b");
        assert!(none.is_none() && !leaves, "nobody else wants this one");
        let (taken, leaves) = shelf.begin("a");
        assert_eq!((taken.map(|w| w.suite), leaves), (Some(1), false));
        assert!(!shelf.has(Some("a")) && shelf.end("a", None).is_none());
        assert!(shelf.give_up().is_none());
    }

    #[test]
    fn side_by_side_no_more_are_left_than_can_be_used() {
        let mut shelf = Shelf::default();
        shelf.expect(["a", "a", "a"].map(str::to_owned));
        assert!(shelf.begin("a").1, "one comes after these two");
        assert!(!shelf.begin("a").1);
        shelf.expect_none();
        let back = shelf.end("a", Some(warm(1, "a")));
        assert_eq!(back.map(|w| w.suite), Some(1), "the run ends early: it is given back");
    }
}
