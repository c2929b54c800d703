//! Where a group begins to read, which the client of another program does not print.

use std::{rc::Rc, time::Duration};

use indexmap::IndexMap;
use kplan_dsl::value::OffsetReset;

use super::taken::Starts;
use crate::{
    client::{
        ClientError, log,
        raw::{ClientType, Code, Events, Instance, TopicPosition},
        spec::VerifiableConsumerSpec,
        voice::Voice,
    },
    history::now_us,
};

/// Limit of one request to a broker.
const QUESTION: Duration = Duration::from_secs(2);
/// How long positions are asked for before they count as not known, in microseconds.
const RESOLVE_US: i64 = 10_000_000;

/// Asks the cluster, by a connection of kplan's own that is no member of the group.
pub(super) struct GroupStarts {
    kafka: Instance,
    topic: String,
    from: OffsetReset,
}

struct Silent;

impl Events for Silent {
    fn error(&self, code: Code, _: bool, words: &str) {
        log(&format!("positions of the group: {code}: {words}"));
    }

    fn stats(&self, _: &[u8]) {}
}

impl GroupStarts {
    pub(super) fn create(
        spec: &VerifiableConsumerSpec,
        _: &Rc<Voice>,
    ) -> Result<Self, ClientError> {
        let common = &spec.common;
        let mut settings: IndexMap<String, String> = common.config.clone();
        let own = [
            ("bootstrap.servers", common.bootstrap.as_str()),
            ("client.id", &format!("kplan-{}-positions", common.file_stem())),
            ("group.id", &spec.group),
            ("enable.auto.commit", "false"),
            ("isolation.level", spec.isolation.text()),
        ];
        for (key, value) in own {
            settings.insert(key.to_owned(), value.to_owned());
        }
        let events: Rc<dyn Events> = Rc::new(Silent);
        let kafka = Instance::new(ClientType::Consumer, &settings, common.routes.as_ref(), events)?;
        Ok(Self { kafka, topic: spec.topic.clone(), from: spec.from })
    }

    /// The committed positions; those of the plan's `from` where nothing is committed.
    fn ask(&self, places: &[TopicPosition]) -> Result<Vec<i64>, String> {
        let committed = self.kafka.committed(places, QUESTION).map_err(|e| e.to_string())?;
        committed
            .into_iter()
            .map(|place| {
                if let Some(code) = place.error {
                    return Err(code.to_string());
                }
                if place.offset >= 0 {
                    return Ok(place.offset);
                }
                let marks = self.kafka.watermarks(&place.topic, place.partition, QUESTION);
                let (low, high) = marks.map_err(|e| e.to_string())?;
                Ok(if self.from == OffsetReset::Earliest { low } else { high })
            })
            .collect()
    }
}

impl Starts for GroupStarts {
    fn of(&self, partitions: &[u32]) -> Vec<i64> {
        let place = |partition: &u32| {
            TopicPosition::new(&self.topic, i32::try_from(*partition).unwrap_or(i32::MAX), -1001)
        };
        let places: Vec<_> = partitions.iter().map(place).collect();
        let give_up = now_us() + RESOLVE_US;
        while !places.is_empty() && now_us() < give_up {
            match self.ask(&places) {
                Ok(starts) => return starts,
                Err(why) => log(&format!("positions of the group: {why}")),
            }
            // A broker that refuses at once would be asked without a pause.
            std::thread::sleep(Duration::from_millis(50));
        }
        vec![-1; partitions.len()]
    }
}
