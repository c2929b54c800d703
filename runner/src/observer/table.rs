//! Descriptions as Markdown tables that are also readable as plain text.

use super::view::{ClusterView, TopicView};

/// The description of a topic: leader, replicas, in-sync and offline replicas of each partition.
pub fn topic_table(topic: &TopicView) -> String {
    let eligible = topic.partitions.iter().any(|p| !p.eligible.is_empty());
    let mut heads = vec!["partition", "leader", "replicas", "in sync", "offline", "epoch"];
    heads.extend(eligible.then_some("eligible"));
    let rows = topic.partitions.iter().map(|p| {
        let mut row = vec![
            p.partition.to_string(),
            p.leader.map_or_else(|| "none".to_owned(), |l| l.to_string()),
            numbers(&p.replicas),
            numbers(&p.in_sync),
            numbers(&p.offline),
            p.leader_epoch.map_or_else(|| "?".to_owned(), |e| e.to_string()),
        ];
        row.extend(eligible.then(|| numbers(&p.eligible)));
        row
    });
    table(&heads, rows.collect())
}

/// The description of the cluster: its brokers, and what each topic lacks.
pub fn cluster_table(view: &ClusterView) -> String {
    let brokers = view.brokers.iter().map(|(number, b)| {
        let role = if view.controller == Some(*number) { "controller" } else { "" };
        let state = match (b.answers, b.listed) {
            (true, true) => "alive",
            (true, false) => "answers, not listed by the others",
            (false, true) => "does not answer, still listed",
            (false, false) => "does not answer",
        };
        let leads = view.led_by(*number).count().to_string();
        let address = b.advertised.clone().unwrap_or_default();
        vec![number.to_string(), state.to_owned(), address, leads, role.to_owned()]
    });
    let mut out = table(&["broker", "state", "address", "leads", "role"], brokers.collect());
    if let Some(c) = view.controller.filter(|c| !view.brokers.contains_key(c)) {
        out.push_str(&format!("\nController: {c}\n"));
    } else if view.controller.is_none() {
        let why = view.controller_unknown.as_deref();
        let reported = why.map_or_else(|| "none".to_owned(), |why| format!("not known ({why})"));
        out.push_str(&format!("\nController: {reported}\n"));
    }
    let topics = view.topics.iter().map(|(name, topic)| {
        let lacking = |n: usize| if n == 0 { String::new() } else { n.to_string() };
        vec![
            name.clone(),
            topic.partitions.len().to_string(),
            lacking(view.under_replicated(Some(name)).count()),
            lacking(view.offline(Some(name)).count()),
        ]
    });
    if !view.topics.is_empty() {
        out.push('\n');
        let heads = ["topic", "partitions", "under-replicated", "without leader"];
        out.push_str(&table(&heads, topics.collect()));
    }
    out
}

fn numbers(list: &[u32]) -> String {
    list.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let widths: Vec<usize> = (0..heads.len())
        .map(|i| rows.iter().map(|r| r[i].chars().count()).chain([heads[i].len(), 3]).max())
        .map(Option::unwrap_or_default)
        .collect();
    let line = |cells: &[String]| {
        let cells: Vec<_> =
            cells.iter().zip(&widths).map(|(c, w)| format!("{c:<w$}", w = *w)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let heads: Vec<String> = heads.iter().map(|h| (*h).to_owned()).collect();
    let rule: Vec<String> = widths.iter().map(|w| "-".repeat(*w)).collect();
    [heads, rule].iter().chain(&rows).map(|cells| line(cells)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::view::{BrokerView, PartitionView};

    #[test]
    fn descriptions() {
        let partition = |partition, leader, in_sync: &[u32], offline: &[u32]| PartitionView {
            partition,
            leader,
            leader_epoch: Some(4),
            replicas: vec![2, 3, 1],
            in_sync: in_sync.to_vec(),
            offline: offline.to_vec(),
            eligible: vec![],
        };
        let topic = TopicView {
            internal: false,
            id: None,
            partitions: vec![
                partition(0, Some(3), &[1, 3], &[2]),
                partition(1, None, &[2], &[1, 2, 3]),
            ],
        };
        let alive = |listed, answers| BrokerView {
            answers,
            listed,
            listed_by: [].into(),
            advertised: Some("127.0.0.1:29092".to_owned()),
            rack: None,
        };
        let view = ClusterView {
            at_us: 0,
            brokers: [(1, alive(true, true)), (2, alive(true, false)), (3, alive(false, true))]
                .into(),
            controller: Some(1),
            controller_unknown: None,
            topics: [("orders".to_owned(), topic.clone())].into(),
        };
        insta::assert_snapshot!("topic", topic_table(&topic));
        insta::assert_snapshot!("cluster", cluster_table(&view));
        let mut topic = topic;
        topic.partitions[1].eligible = vec![1, 3];
        insta::assert_snapshot!("topic_with_eligible_replicas", topic_table(&topic));
    }
}
