//! Messages whose value, key and headers the plan writes: their texts are cut into pieces once, and each message only
//! fills the slots.

use kplan_dsl::value::{MessagePart, MessageSlot, MessageText, MessageTime};

use super::{
    raw::{Header, Refused},
    spec::ProducerSpec,
};
use crate::{history::RunClock, identity::text::TextId};

/// What the slots of one message stand for.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageFields {
    pub id: TextId,
    /// [`crate::identity::payload::run_hash`] of the run's id.
    pub run: u64,
    /// The messages that the process sent before it.
    pub number: u64,
    /// When it was to be sent, microseconds of the wall clock.
    pub intended_wall_us: i64,
    /// Seeds what is chosen.
    pub seed: u64,
}

/// The texts that the plan writes into the messages of one producer, and the newest message's.
#[derive(Default)]
pub(super) struct OwnTexts {
    /// The topic's number.
    pub topic: u16,
    seed: u64,
    clock: Option<RunClock>,
    timestamp: Option<MessageTime>,
    value: MessageText,
    /// The share of messages without a value, from 0 to 1.
    tombstones: f64,
    /// The key, unless it decides the partition: then it is written before the message has one.
    key: Option<MessageText>,
    header_texts: Vec<MessageText>,
    /// No header has a slot: they are written once.
    constant: bool,
    written_key: Vec<u8>,
    /// The headers of the newest message.
    pub headers: Vec<Header>,
}

/// Salts of the key and the first header; the value's is 0.
const KEY: u64 = 1;
const HEADERS: u64 = 2;
/// Chooses the messages without a value; no text has this salt.
const TOMBSTONES: u64 = 1 << 63;
const MILLION: i64 = 1_000_000;

impl OwnTexts {
    pub(super) fn of(spec: &ProducerSpec) -> Result<Self, Refused> {
        let headers: Result<Vec<_>, _> =
            spec.headers.keys().map(|name| Header::new(name)).collect();
        let mut texts = Self {
            topic: spec.common.topic_number(&spec.topic),
            seed: spec.seed,
            clock: Some(RunClock::now()),
            timestamp: spec.timestamp,
            value: spec.value.clone().unwrap_or_default(),
            tombstones: spec.tombstones / 100.0,
            key: spec.key.clone().filter(|_| !key_decides(spec)),
            header_texts: spec.headers.values().cloned().collect(),
            constant: spec.headers.values().all(|text| text.slots().next().is_none()),
            written_key: Vec::new(),
            headers: headers?,
        };
        if texts.constant {
            let id = TextId { topic: 0, client: 0, life: 0, partition: 0, seq: 0 };
            texts.fill_headers(&texts.fields(id, 0, 0, 0));
        }
        Ok(texts)
    }

    /// The fields of a message.
    pub(super) fn fields(
        &self,
        id: TextId,
        run: u64,
        number: u64,
        intended_us: i64,
    ) -> MessageFields {
        let intended_wall_us = self.clock.map_or(0, |clock| clock.wall_us(intended_us));
        MessageFields { id, run, number, intended_wall_us, seed: self.seed }
    }

    /// The timestamp that the plan gives to a message, in milliseconds since 1970.
    pub(super) fn timestamp_ms(&self, of: &MessageFields) -> Option<i64> {
        self.timestamp.map(|timestamp| timestamp.of(of.intended_wall_us.div_euclid(1_000)))
    }

    /// Writes a message's value. False if it has none: the message is a tombstone.
    pub(super) fn fill_value(&self, of: &MessageFields, value: &mut Vec<u8>) -> bool {
        value.clear();
        fill(&self.value, of, 0, value);
        chosen(of, TOMBSTONES, 0, MILLION - 1) as f64 >= self.tombstones * MILLION as f64
    }

    /// Writes a message's key and headers.
    pub(super) fn fill_around(&mut self, of: &MessageFields) {
        if let Some(key) = &self.key {
            self.written_key.clear();
            fill(key, of, KEY, &mut self.written_key);
        }
        if !self.constant {
            self.fill_headers(of);
        }
    }

    fn fill_headers(&mut self, of: &MessageFields) {
        for ((salt, text), header) in (HEADERS..).zip(&self.header_texts).zip(&mut self.headers) {
            header.value().clear();
            fill(text, of, salt, header.value());
        }
    }

    /// The key of the newest message, if it was written with it.
    pub(super) fn key(&self) -> Option<&[u8]> {
        self.key.is_some().then_some(self.written_key.as_slice())
    }

    /// Writes a key that decides the partition, for a message that has none yet.
    pub(super) fn fill_key(key: &MessageText, of: &MessageFields, out: &mut Vec<u8>) {
        out.clear();
        fill(key, of, KEY, out);
    }
}

/// Appends a text with its slots filled. `salt` differs between the texts of a message: two random numbers of one
/// message are not the same.
fn fill(text: &MessageText, of: &MessageFields, salt: u64, out: &mut Vec<u8>) {
    for (at, part) in (0..).zip(text.parts()) {
        match part {
            MessagePart::Constant(bytes) => out.extend_from_slice(bytes),
            MessagePart::Slot(slot) => fill_slot(*slot, of, salt << 32 | at, out),
        }
    }
}

fn fill_slot(slot: MessageSlot, of: &MessageFields, salt: u64, out: &mut Vec<u8>) {
    match slot {
        MessageSlot::Id => of.id.write(of.run, out),
        MessageSlot::Number => decimal(of.number, out),
        MessageSlot::Partition => decimal(of.id.partition.into(), out),
        MessageSlot::Time => {
            let at = jiff::Timestamp::from_microsecond(of.intended_wall_us).unwrap_or_default();
            out.extend_from_slice(format!("{at:.3}").as_bytes());
        }
        MessageSlot::Random { least, most } => {
            let chosen = chosen(of, salt, least, most);
            if chosen < 0 {
                out.push(b'-');
            }
            decimal(chosen.unsigned_abs(), out);
        }
    }
}

/// A number from `least` to `most`, the same in every run with this seed.
fn chosen(of: &MessageFields, salt: u64, least: i64, most: i64) -> i64 {
    let life = u64::from(of.id.client) << 16 | u64::from(of.id.life);
    let mixed = [life, of.number, salt].iter().fold(of.seed, |state, part| mix(state ^ mix(*part)));
    let numbers = most.abs_diff(least);
    let chosen = (u128::from(mixed) * (u128::from(numbers) + 1)) >> 64;
    least.wrapping_add_unsigned(chosen as u64)
}

/// SplitMix64's step (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn decimal(mut number: u64, out: &mut Vec<u8>) {
    let begin = out.len();
    loop {
        out.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out[begin..].reverse();
}

/// Whether a key decides the partition of its message: it does unless it contains what depends on the partition.
pub(super) fn key_decides(spec: &ProducerSpec) -> bool {
    let placed = |slot: &MessageSlot| matches!(slot, MessageSlot::Id | MessageSlot::Partition);
    spec.key.as_ref().is_some_and(|key| !key.slots().any(placed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::payload::run_hash;

    const FIELDS: MessageFields = MessageFields {
        id: TextId { topic: 1, client: 2, life: 1, partition: 3, seq: 40 },
        run: 0,
        number: 120,
        intended_wall_us: 1_764_417_600_123_456,
        seed: 7,
    };

    fn filled(parts: Vec<MessagePart>, of: &MessageFields) -> String {
        let mut out = Vec::new();
        fill(&MessageText::new(parts), of, 0, &mut out);
        String::from_utf8(out).expect("text")
    }

    fn constant(text: &str) -> MessagePart {
        MessagePart::Constant(text.as_bytes().to_vec())
    }

    #[test]
    fn each_slot_has_its_value() {
        let of = MessageFields { run: run_hash("r1"), ..FIELDS };
        let mut id = Vec::new();
        of.id.write(of.run, &mut id);
        let id = String::from_utf8(id).expect("text");
        let text = filled(
            vec![
                constant("{\"id\": \""),
                MessagePart::Slot(MessageSlot::Id),
                constant("\", \"n\": "),
                MessagePart::Slot(MessageSlot::Number),
                constant(", \"p\": "),
                MessagePart::Slot(MessageSlot::Partition),
                constant(", \"at\": \""),
                MessagePart::Slot(MessageSlot::Time),
                constant("\"}"),
            ],
            &of,
        );
        let expected =
            format!(r#"{{"id": "{id}", "n": 120, "p": 3, "at": "2025-11-29T12:00:00.123Z"}}"#);
        assert_eq!(text, expected);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn as_many_messages_are_tombstones_as_the_plan_asks_for() {
        for (share, expected) in [(0.0, 0..=0), (0.1, 900..=1_100), (1.0, 10_000..=10_000)] {
            let texts = OwnTexts { tombstones: share, ..OwnTexts::default() };
            let has_value =
                |number| texts.fill_value(&MessageFields { number, ..FIELDS }, &mut Vec::new());
            let without = (0..10_000).filter(|number| !has_value(*number)).count();
            assert!(expected.contains(&without), "{share}: {without}");
        }
    }

    #[test]
    fn random_numbers_are_within_their_bounds_even_and_of_the_seed() {
        let slot = |least, most| MessagePart::Slot(MessageSlot::Random { least, most });
        let number = |of: &MessageFields, least, most| {
            filled(vec![slot(least, most)], of).parse::<i64>().expect("a number")
        };
        let mut counts = [0; 10];
        for n in 0..10_000 {
            let of = MessageFields { number: n, ..FIELDS };
            counts[usize::try_from(number(&of, -3, 6) + 3).expect("within")] += 1;
        }
        assert!(counts.iter().all(|n| (850..=1_150).contains(n)), "{counts:?}");
        assert_eq!(number(&FIELDS, 5, 5), 5);
        let extremes = number(&FIELDS, i64::MIN, i64::MAX);
        assert_eq!(extremes, number(&FIELDS, i64::MIN, i64::MAX), "the same again");
        assert_ne!(extremes, number(&MessageFields { seed: 8, ..FIELDS }, i64::MIN, i64::MAX));
        let two = filled(vec![slot(0, i64::MAX), constant(" "), slot(0, i64::MAX)], &FIELDS);
        let (one, other) = two.split_once(' ').expect("two");
        assert_ne!(one, other, "two slots of a message differ");
    }
}
