//! Evidence of messages that follow on one another, as one range: a thousand lost messages are one line.

use super::result::{CountPlace, Evidence};
use std::collections::BTreeMap;

/// The most ranges of one place, and of all places.
const RANGES_OF_PLACE: usize = 20;
const RANGES: usize = 100;

/// Messages that follow on one another and of which the same is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceRange<'e> {
    pub first: &'e Evidence,
    /// How many messages.
    pub count: u64,
}

/// The first ranges of the evidence, in its order.
pub fn ranges(all: &[Evidence]) -> Vec<EvidenceRange<'_>> {
    let mut ranges: Vec<EvidenceRange<'_>> = Vec::new();
    let mut of_place: BTreeMap<&CountPlace, usize> = BTreeMap::new();
    for one in all {
        if let Some(range) = ranges.last_mut().filter(|range| range.goes_on_with(one)) {
            range.count += 1;
            continue;
        }
        let known = of_place.entry(&one.place).or_default();
        *known += 1;
        if *known <= RANGES_OF_PLACE && ranges.len() < RANGES {
            ranges.push(EvidenceRange { first: one, count: 1 });
        }
    }
    ranges
}

impl EvidenceRange<'_> {
    fn goes_on_with(&self, one: &Evidence) -> bool {
        let first = self.first;
        let by = i64::try_from(self.count).unwrap_or(i64::MAX);
        let sequence = first.sequence.map(|sequence| sequence.saturating_add(self.count));
        let offset = first.offset.map(|offset| offset.saturating_add(by));
        (first.sequence.is_some() || first.offset.is_some())
            && (sequence, offset) == (one.sequence, one.offset)
            && (&first.place, first.life, first.source_partition)
                == (&one.place, one.life, one.source_partition)
            && shifted(&first.text, |offset| (offset + self.count).to_string()) == one.text
    }

    /// What is wrong, with the ranges of offsets that it names.
    pub fn text(&self) -> String {
        match self.count {
            1 => self.first.text.clone(),
            count => {
                shifted(&self.first.text, |offset| format!("{offset} to {}", offset + count - 1))
            }
        }
    }

    /// A number of its first message, as the range of the numbers of all: `120 to 139`.
    pub fn span(&self, first: u64) -> String {
        match self.count {
            1 => first.to_string(),
            count => format!("{first} to {}", first.saturating_add(count - 1)),
        }
    }

    /// It as a line: `orders/0 offset 120 to 139, P life 1 message 40 to 59: acknowledged, gone`.
    pub fn line(&self) -> String {
        let of = self.first;
        let mut line = format!("{}/{}", of.place.topic, of.place.partition);
        if let Some(offset) = of.offset.and_then(|offset| u64::try_from(offset).ok()) {
            line.push_str(&format!(" offset {}", self.span(offset)));
        }
        if let (Some(client), Some(sequence)) = (&of.place.client, of.sequence) {
            let life = of.life.map(|l| format!(" life {l}")).unwrap_or_default();
            line.push_str(&format!(", {client}{life} message {}", self.span(sequence)));
        }
        format!("{line}: {}", self.text())
    }
}

/// A text in which every `(offset N)` has another N.
fn shifted(text: &str, by: impl Fn(u64) -> String) -> String {
    const MARK: &str = "(offset ";
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(MARK) {
        let (before, after) = rest.split_at(at + MARK.len());
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        out.push_str(before);
        match after[..digits].parse() {
            Ok(offset) => out.push_str(&by(offset)),
            Err(_) => out.push_str(&after[..digits]),
        }
        rest = &after[digits..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(partition: u32, sequence: u64, text: &str) -> Evidence {
        let place = CountPlace {
            topic: "orders".into(),
            partition,
            client: Some("P".into()),
            group: None,
            consumer: None,
            service: None,
        };
        Evidence {
            place,
            life: Some(1),
            source_partition: Some(partition),
            sequence: Some(sequence),
            offset: i64::try_from(sequence + 100).ok(),
            time_us: None,
            text: text.to_owned(),
        }
    }

    #[test]
    fn messages_in_a_row_are_one_line() {
        let held = |offset: u64| format!("acknowledged; on broker 1, dead (offset {offset})");
        let all = [
            lost(0, 40, &held(7)),
            lost(0, 41, &held(8)),
            lost(0, 42, &held(9)),
            lost(0, 43, "acknowledged; gone"),
            lost(0, 44, "acknowledged; gone"),
            lost(0, 46, "acknowledged; gone"),
            lost(1, 47, "acknowledged; gone"),
        ];
        let lines: Vec<String> = ranges(&all).iter().map(EvidenceRange::line).collect();
        assert_eq!(
            lines,
            [
                "orders/0 offset 140 to 142, P life 1 message 40 to 42: acknowledged; on broker 1, dead (offset 7 to 9)",
                "orders/0 offset 143 to 144, P life 1 message 43 to 44: acknowledged; gone",
                "orders/0 offset 146, P life 1 message 46: acknowledged; gone",
                "orders/1 offset 147, P life 1 message 47: acknowledged; gone",
            ]
        );
    }

    #[test]
    fn what_has_no_number_is_no_range() {
        let bare = Evidence { sequence: None, offset: None, ..lost(0, 1, "a") };
        assert_eq!(ranges(&[bare.clone(), bare]).len(), 2);
        let jump = [lost(0, 1, "on broker 1 (offset 3)"), lost(0, 2, "on broker 1 (offset 9)")];
        assert_eq!(ranges(&jump).len(), 2);
    }

    #[test]
    fn a_place_has_a_bounded_number_of_ranges() {
        let all: Vec<Evidence> = (0..100).map(|n| lost(n % 2, u64::from(n) * 3, "x")).collect();
        assert_eq!(ranges(&all).len(), 2 * RANGES_OF_PLACE);
    }
}
