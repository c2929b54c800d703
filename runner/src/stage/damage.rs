//! FileDamage of the files of partitions on nodes' disks.

use std::collections::BTreeSet;

use kplan_dsl::value::PartitionRef;

use crate::{
    cluster::{Acted, Node},
    event::{Event, FaultKind, StepRun},
    history::now_us,
    segments::{FileDamage, FileEdit},
    stage::{Running, Stage, chaos::draw, faults::Struck, nodes::names, outcome::StepError},
};

impl Stage {
    /// Damages the files of a partition on the disks of nodes, and reports which bytes have changed. Before the first
    /// change it is certain that each node has something to damage.
    pub async fn damage(
        &self,
        step: &StepRun,
        nodes: &[Node],
        partition: &PartitionRef,
        damage: FileDamage,
    ) -> Result<(), StepError> {
        let running = self.running()?;
        let mut all = Vec::new();
        for &node in nodes {
            let edits = self.damage_of(&running, step, node, partition, damage).await?;
            all.extend(edits.into_iter().map(|edit| (node, edit)));
        }
        let begun_us = now_us();
        let place = (partition.topic.as_str(), partition.partition);
        for (node, edit) in all {
            let (before, after) = running.cluster.files()?.edit(node, place, &edit).await?;
            if before == after {
                let why = "the bytes that were to be damaged are the same as before";
                return Err(StepError::not_so(format!("{node}, {partition}: {why}: {edit}")));
            }
            let (step, text) = (step.clone(), format!("{node}, {partition}: {edit}"));
            self.tell.emit(Event::Note { step, text });
        }
        let what = format!("{partition} damaged on the disk of {}", names(nodes));
        let struck = Struck::Cluster(BTreeSet::new());
        self.fault_begins(Acted::since(begun_us), step, FaultKind::Disk, struck, &what);
        Ok(())
    }

    /// What is done to a node's files. Each node has its own, or all replicas would be damaged alike.
    async fn damage_of(
        &self,
        running: &Running,
        step: &StepRun,
        node: Node,
        partition: &PartitionRef,
        damage: FileDamage,
    ) -> Result<Vec<FileEdit>, StepError> {
        let place = (partition.topic.as_str(), partition.partition);
        let Some(files) = running.cluster.files()?.of_partition(node, place).await? else {
            return Err(StepError::not_so(format!(
                "{node} has no partition {partition} on its disk"
            )));
        };
        let edits = damage.edits(&files, draw(self.seed, &format!("{step} {node}"), 0, 4));
        if edits.is_empty() {
            let why = "its files are empty there, so there is nothing to damage";
            return Err(StepError::not_so(format!("{node}, {partition}: {why}")));
        }
        Ok(edits)
    }
}
