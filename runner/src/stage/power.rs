//! The power of nodes: what is left of their data when it is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use kplan_dsl::value::PowerKeep;

use crate::{
    audit::{AuditResult, Measure},
    cluster::{Node, NotSynced},
    event::{Event, StepRun},
    history::now_us,
    stage::{Running, Stage, chaos::draw, nodes::brokers_of, outcome::StepError},
};

/// The moments at which all brokers were without power together, and what their disks held then.
#[derive(Debug, Default)]
pub struct Dark(Mutex<Vec<DarkMoment>>);

#[derive(Debug)]
struct DarkMoment {
    step: StepRun,
    /// When the disks were looked at, monotonic microseconds: nothing was acknowledged since the power was gone.
    at_us: i64,
    /// The partitions of which some disk had anything.
    held: BTreeSet<String>,
}

impl Dark {
    fn all(&self) -> MutexGuard<'_, Vec<DarkMoment>> {
        self.0.lock().expect("no holder panics")
    }

    /// Records what is left after a step that took the power from all brokers at once; another proves nothing about
    /// the disks of the others.
    fn note(&self, step: &StepRun, brokers: &[u32], cut: &BTreeMap<Node, NotSynced>) {
        if brokers.is_empty() || !brokers.iter().all(|n| cut.contains_key(&Node::Broker(*n))) {
            return;
        }
        let held = cut.values().flat_map(|lost| lost.held.iter().cloned()).collect();
        self.all().push(DarkMoment { step: step.clone(), at_us: now_us(), held });
    }

    /// The step at which a message that was acknowledged at a time was on no disk.
    fn on_no_disk(&self, (topic, partition): (&str, u32), acked_us: i64) -> Option<StepRun> {
        let name = format!("{topic}-{partition}");
        let all = self.all();
        let first = all.iter().find(|moment| moment.at_us >= acked_us)?;
        (!first.held.contains(&name)).then(|| first.step.clone())
    }

    /// Adds to each example of a lost message whether it is proven that a power loss took it.
    pub fn tell(&self, result: &mut AuditResult) {
        let lost = result.measures.get_mut(&Measure::Lost).map(|judged| &mut judged.evidence);
        for one in lost.into_iter().flatten() {
            let Some(acked_us) = one.time_us else { continue };
            let place = (one.place.topic.as_str(), one.place.partition);
            if let Some(step) = self.on_no_disk(place, acked_us) {
                one.text = format!(
                    "{}; acknowledged, on no disk at the moment of the power loss (step {step})",
                    one.text
                );
            }
        }
    }
}

impl Stage {
    /// Fails as a failure of the rig if the plan takes the power from nodes and what these have synced is not known.
    pub async fn followed(&self, running: &Running, nodes: &[Node]) -> Result<(), StepError> {
        let spec = running.cluster.spec();
        let nodes: Vec<Node> = nodes.iter().copied().filter(|n| spec.follows_power(*n)).collect();
        if !nodes.is_empty() {
            running.cluster.power()?.follows(&nodes).await?;
        }
        Ok(())
    }

    /// Fails where a power loss of living nodes would not take what they had not synced.
    pub(super) async fn can_lose_power(
        &self,
        running: &Running,
        nodes: &[Node],
    ) -> Result<(), StepError> {
        if let Some(node) = nodes.iter().find(|node| matches!(node, Node::Zookeeper(_))) {
            return Err(StepError::not_so(format!("the power cannot be taken from {node}")));
        }
        Ok(running.cluster.power()?.follows(nodes).await?)
    }

    /// Leaves dead nodes what they had synced, and reports what they lost.
    pub(super) async fn cut_power(
        &self,
        running: &Running,
        step: &StepRun,
        nodes: &[Node],
        keep: PowerKeep,
    ) -> Result<(), StepError> {
        // Each node keeps other pages, or all replicas of a partition would keep the same.
        let keeps = |node: &Node| match keep {
            PowerKeep::Nothing => (*node, None),
            PowerKeep::Random => (*node, Some(draw(self.seed, &format!("{step} {node}"), 0, 3))),
        };
        let nodes = nodes.iter().map(keeps).collect();
        let cut = running.cluster.power()?.cut_power(&nodes).await?;
        for (node, lost) in &cut {
            let (step, text) = (step.clone(), format!("{node} lost its power: {lost}"));
            self.tell.emit(Event::Note { step, text });
        }
        self.dark.note(step, &brokers_of(&running.cluster.nodes()), &cut);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(nodes: &[(u32, &[&str])]) -> BTreeMap<Node, NotSynced> {
        let one = |(node, held): &(u32, &[&str])| {
            let held = held.iter().map(|name| (*name).to_owned()).collect();
            (Node::Broker(*node), NotSynced { held, ..NotSynced::default() })
        };
        nodes.iter().map(one).collect()
    }

    #[test]
    fn only_disks_that_were_all_seen_prove_that_none_had_it() {
        let dark = Dark::default();
        dark.note(&"1".into(), &[1, 2], &cut(&[(1, &[])]));
        assert_eq!(dark.on_no_disk(("orders", 0), 0), None, "broker 2 had power");
        dark.note(&"2".into(), &[1, 2], &cut(&[(1, &["orders-1"]), (2, &[])]));
        assert_eq!(dark.on_no_disk(("orders", 0), 0), Some("2".into()));
        assert_eq!(dark.on_no_disk(("orders", 1), 0), None, "broker 1 had some of it");
        assert_eq!(dark.on_no_disk(("orders", 0), i64::MAX), None, "it was acknowledged later");
    }
}
