//! What decides of several suites, and what stands of several counts.

use std::collections::BTreeSet;

use super::*;
use crate::event::{AnomalyPlace, Example};

#[test]
fn a_failed_suite_decides_over_a_broken_one() {
    use Verdict::{Broken, Failed, Passed, Skipped};
    assert_eq!(decided(&[Failed, Broken, Failed, Broken, Passed]), Failed);
    assert_eq!(decided(&[Passed, Broken]), Broken);
    assert_eq!(decided(&[Skipped, Passed]), Passed);
    assert_eq!(decided(&[]), Skipped);
}

/// An anomaly of one kind: topic, client, and count.
fn anomaly(by: &[(&str, &str, u64)]) -> Anomaly {
    let place = |(topic, client, count): &(&str, &str, u64)| AnomalyPlace {
        topic: (*topic).to_owned(),
        partition: 0,
        client: (*client).to_owned(),
        count: *count,
    };
    let example = |(topic, ..): &(&str, &str, u64)| Example {
        topic: (*topic).to_owned(),
        partition: 0,
        offset: None,
        client: None,
        life: None,
        sequence: None,
        count: 1,
        mono_us: None,
        text: format!("of {}", by.len()),
    };
    Anomaly {
        step: "1".into(),
        kind: "lost".to_owned(),
        count: by.iter().map(|(.., count)| count).sum(),
        by: by.iter().map(place).collect(),
        examples: by.iter().map(example).collect(),
        on_disk: None,
    }
}

#[test]
fn the_newest_count_of_each_topic_and_client_stands_and_none_hides_another() {
    let stand = |counts: &[&[(&str, &str, u64)]]| {
        let mut first = anomaly(counts[0]);
        counts[1..].iter().for_each(|by| first.renew(&anomaly(by)));
        let by = first.by.iter().map(|p| (p.topic.clone(), p.client.clone(), p.count));
        let mut by: Vec<_> = by.collect();
        by.sort();
        assert_eq!(first.count, by.iter().map(|(.., count)| count).sum::<u64>());
        let examples = first.examples.iter().map(|e| e.topic.as_str());
        assert_eq!(examples.clone().collect::<BTreeSet<_>>().len(), examples.count());
        by.iter().map(|(t, c, n)| format!("{t} {c} {n}")).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(stand(&[&[("a", "P", 7)], &[("b", "P", 7)]]), "a P 7, b P 7", "two topics");
    assert_eq!(stand(&[&[("a", "P", 7)], &[("a", "P", 9)]]), "a P 9", "counted again");
    assert_eq!(stand(&[&[("a", "P", 7)], &[("a", "P", 7), ("b", "P", 1)]]), "a P 7, b P 1", "all");
    assert_eq!(
        stand(&[&[("a", "P", 1), ("b", "P", 2)], &[("b", "P", 3)]]),
        "a P 1, b P 3",
        "a part"
    );
}
