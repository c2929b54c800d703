//! `replicas_differ`: compares the logs of in-sync replicas on their disks.

use async_trait::async_trait;
use kplan_dsl::conditions::ReplicasDiffer;

use super::{Found, Judged, JudgedNow, cluster::whole, counts};
use crate::{
    audit::{Cell, CountFinding, CountPlace, CountVerdict, Evidence, Measure},
    stage::{judge::Judge, segments::Compared},
};

#[async_trait]
impl JudgedNow for ReplicasDiffer {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let running = j.stage.running()?;
        let view = running.observer.fresh().await;
        whole!(j);
        let one = self.partition.as_deref();
        let topic =
            one.map(|p| p.topic.as_str()).or_else(|| self.topic.as_deref().map(|t| t.as_str()));
        let partitions: Vec<(String, u32)> = view
            .partitions(topic)
            .filter(|(_, p)| one.is_none_or(|one| one.partition == p.partition))
            .map(|(topic, p)| (topic.to_owned(), p.partition))
            .collect();
        if partitions.is_empty() {
            let what = topic.unwrap_or("any topic");
            return Ok(Found::inconclusive(format!("no living broker knows {what}")));
        }
        let mut compared = Vec::new();
        for (topic, partition) in &partitions {
            j.stage.talk(
                j.step,
                format!("the replicas of {topic}/{partition} to be compared"),
                None,
            );
            compared.push(j.stage.compare_replicas(&running, (topic, *partition)).await?);
        }
        let verdict = verdict(&compared);
        j.stage.tell_anomaly(j.step, Measure::ReplicasDiffer, &verdict);
        Ok(counts::found(self.bound, &verdict, true))
    }
}

/// All partitions together. A partition that could not be compared proves nothing, nor does an empty comparison.
fn verdict(compared: &[Result<Compared, String>]) -> CountVerdict {
    let mut finding = CountFinding::default();
    let mut reasons = Vec::new();
    for one in compared {
        let one = match one {
            Ok(one) => one,
            Err(why) => {
                reasons.push(why.clone());
                continue;
            }
        };
        let place = CountPlace {
            topic: one.topic.clone(),
            partition: one.partition,
            client: None,
            group: None,
            consumer: None,
            service: None,
        };
        let (count, judged) = (one.comparison.differing, one.comparison.compared);
        finding.count += count;
        finding.judged += judged;
        if count > 0 {
            finding.by.push(Cell { place: place.clone(), count, judged });
        }
        finding.evidence.extend(one.comparison.examples.iter().map(|example| Evidence {
            place: place.clone(),
            life: None,
            source_partition: None,
            sequence: None,
            offset: Some(example.offset),
            time_us: None,
            text: example.text.clone(),
        }));
        let name = format!("{}/{}", one.topic, one.partition);
        reasons.extend(one.comparison.doubts.iter().map(|why| format!("{name}: {why}")));
    }
    if finding.judged == 0 && reasons.is_empty() {
        reasons.push("there was no record to compare".to_owned());
    }
    match reasons.is_empty() {
        true => CountVerdict::Counted(finding),
        false => CountVerdict::Inconclusive { reason: reasons.join("; "), at_least: finding },
    }
}

#[cfg(test)]
mod tests {
    use kplan_dsl::value::Bound;

    use super::*;
    use crate::{
        event::Holds,
        segments::{Comparison, Difference},
    };

    fn compared(compared: u64, differing: u64, doubts: &[&str]) -> Result<Compared, String> {
        let example = |offset| Difference { offset, text: "broker 1 holds a, broker 2 b".into() };
        Ok(Compared {
            topic: "orders".into(),
            partition: 0,
            brokers: vec![1, 2],
            comparison: Comparison {
                compared,
                differing,
                examples: (0..differing.cast_signed()).map(example).collect(),
                doubts: doubts.iter().map(|d| (*d).to_owned()).collect(),
            },
        })
    }

    fn holds(all: &[Result<Compared, String>]) -> Holds {
        counts::found(Some(Bound::Is(0)), &verdict(all), true).holds
    }

    #[test]
    fn alike_is_yes_and_a_difference_is_no() {
        assert_eq!(holds(&[compared(9, 0, &[]), compared(0, 0, &[])]), Holds::Yes);
        assert_eq!(holds(&[compared(9, 0, &[]), compared(5, 1, &[])]), Holds::No);
    }

    #[test]
    fn nothing_compared_and_whatever_could_not_be_is_inconclusive() {
        assert_eq!(holds(&[compared(0, 0, &[])]), Holds::Inconclusive);
        assert_eq!(holds(&[compared(9, 0, &[]), Err("one replica".into())]), Holds::Inconclusive);
        assert_eq!(holds(&[compared(9, 0, &["retention"])]), Holds::Inconclusive);
        // A difference is certain even if something else could not be compared.
        assert_eq!(holds(&[compared(9, 2, &["retention"])]), Holds::No);
    }
}
