//! Lies about what was produced.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use kafka_protocol::{
    messages::{
        ProduceRequest, ProduceResponse,
        produce_request::PartitionProduceData,
        produce_response::{PartitionProduceResponse, TopicProduceResponse},
    },
    protocol::Decodable,
};

use kplan::proxy::{Asked, Call, Passing, Route};

use super::{
    Lies,
    batch::{Batch, Told},
    invalid, lock,
    rules::{Act, Standing},
};

/// A partition of a topic.
type Place = (String, i32);

/// Where partitions end, by the answers to producers: for the offset of an answer that is made up.
#[derive(Default)]
pub struct Ends(Mutex<HashMap<Place, End>>);

#[derive(Default)]
struct End {
    /// After the last batch that was answered.
    known: i64,
    /// Records on their way to the broker.
    on_the_way: i64,
}

/// What is to become of a request.
struct Plan {
    /// What the broker is sent; none if nothing is left of it.
    forward: Option<ProduceRequest>,
    /// Whether that is another request than the client's.
    changed: bool,
    /// What is sent directly after it, and nobody hears the answer.
    again: Option<ProduceRequest>,
    /// Whether the producer waits for an answer.
    answered: bool,
    /// What is to become of the answer.
    produced: Produced,
}

/// What is to become of the answer to a request.
#[derive(Default)]
pub struct Produced {
    /// How much later it comes.
    pub delay: Duration,
    /// The request is to be overtaken by the next one: by which rule, and what it holds.
    pub hold: Option<(Arc<Standing>, i32, Vec<Told>)>,
    /// Records of each partition that were sent.
    sent: Vec<(Place, i64)>,
    /// Batches that were not sent and are answered all the same.
    swallowed: Vec<Swallowed>,
    /// Moves of offsets.
    moved: Vec<(Place, i64)>,
}

struct Swallowed {
    /// The topic, without partitions.
    topic: TopicProduceResponse,
    part: PartitionProduceResponse,
}

impl Produced {
    /// Another request was sent first.
    pub fn overtaken(&self) {
        if let Some((rule, partition, records)) = &self.hold {
            rule.done(*partition, records.clone());
        }
    }

    /// No other request came.
    pub fn not_overtaken(&self) {
        if let Some((rule, ..)) = &self.hold {
            rule.not_done();
        }
    }

    /// The answer that the producer gets; `frame` is the broker's, none if it was not asked.
    pub fn answer(
        &self,
        lies: &Lies,
        way: &Route<'_>,
        call: &Call,
        frame: Option<Bytes>,
    ) -> io::Result<Bytes> {
        let mut answer: ProduceResponse = match frame {
            Some(frame) => call.read_answer(frame)?,
            None => ProduceResponse::default(),
        };
        let mut ends = lock(&lies.ends.0);
        for topic in &mut answer.responses {
            let name = way.topic(&topic.name, topic.topic_id.as_u128());
            for part in &mut topic.partition_responses {
                let place = (name.clone(), part.index);
                let count = self.sent.iter().find(|s| s.0 == place).map_or(0, |s| s.1);
                let end = ends.entry(place.clone()).or_default();
                end.on_the_way -= count;
                if part.error_code == 0 && part.base_offset >= 0 {
                    end.known = end.known.max(part.base_offset + count);
                    let by = self.moved.iter().filter(|m| m.0 == place).map(|m| m.1).sum::<i64>();
                    part.base_offset += by;
                }
            }
        }
        drop(ends);
        self.swallowed.iter().for_each(|swallowed| swallowed.add_to(&mut answer));
        call.answer(&answer)
    }
}

impl Swallowed {
    fn add_to(&self, answer: &mut ProduceResponse) {
        let (name, id) = (&self.topic.name, self.topic.topic_id);
        let found = answer.responses.iter_mut().find(|t| t.name == *name && t.topic_id == id);
        match found {
            Some(topic) => topic.partition_responses.push(self.part.clone()),
            None => {
                let parts = vec![self.part.clone()];
                answer.responses.push(self.topic.clone().with_partition_responses(parts));
            }
        }
    }
}

/// What becomes of this request.
pub fn passage(
    lies: &Lies,
    way: &Route<'_>,
    asked: &Asked,
) -> io::Result<Passing<Option<Produced>>> {
    let call = &asked.call;
    let Plan { forward, changed, again, answered, produced } = plan(lies, way, asked)?;
    let made = match &forward {
        None => Some(produced.answer(lies, way, call, None)?),
        Some(_) => None,
    };
    let forward = match (forward, changed) {
        (Some(request), true) => Some(call.request(&request)?),
        (request, _) => request.map(|_| asked.frame.clone()),
    };
    Ok(Passing {
        forward,
        again: again.map(|request| call.request(&request)).transpose()?,
        made,
        answered,
        after: produced.delay,
        hold: produced.hold.is_some(),
        kept: Some(produced),
        ..Passing::through(asked)
    })
}

/// What the rules want of this request.
fn plan(lies: &Lies, way: &Route<'_>, asked: &Asked) -> io::Result<Plan> {
    let call = &asked.call;
    let request = ProduceRequest::decode(&mut asked.body.clone(), call.version());
    let mut request = request.map_err(invalid)?;
    let mut plan = Plan {
        forward: None,
        changed: false,
        again: None,
        answered: request.acks != 0,
        produced: Produced::default(),
    };
    let mut again = request.clone().with_topic_data(Vec::new());
    for topic in &mut request.topic_data {
        let name = way.topic(&topic.name, topic.topic_id.as_u128());
        let rules = lies.rules(call.client(), &name);
        let mut twice = Vec::new();
        topic.partition_data.retain_mut(|part| {
            let place = (name.clone(), part.index);
            let kept = touch(&mut plan, &rules, &place, part, &mut twice);
            if !kept {
                let answer = TopicProduceResponse::default().with_name(topic.name.clone());
                let answer = answer.with_topic_id(topic.topic_id);
                let next = lock(&lies.ends.0).get(&place).map_or(0, |e| e.known + e.on_the_way);
                let part = PartitionProduceResponse::default().with_index(part.index);
                let part = part.with_base_offset(next).with_log_start_offset(0);
                plan.produced.swallowed.push(Swallowed { topic: answer, part });
            }
            kept
        });
        if !twice.is_empty() {
            again.topic_data.push(topic.clone().with_partition_data(twice));
        }
    }
    request.topic_data.retain(|topic| !topic.partition_data.is_empty());
    let mut ends = lock(&lies.ends.0);
    for (place, count) in &plan.produced.sent {
        ends.entry(place.clone()).or_default().on_the_way += count;
    }
    plan.again = (!again.topic_data.is_empty()).then_some(again);
    plan.forward = (!request.topic_data.is_empty()).then_some(request);
    Ok(plan)
}

/// Does to a partition's batches what the rules want; false if they are not to be sent.
fn touch(
    plan: &mut Plan,
    rules: &[Arc<Standing>],
    place: &Place,
    part: &mut PartitionProduceData,
    twice: &mut Vec<PartitionProduceData>,
) -> bool {
    let (mut batches, rest) = part.records.as_ref().map(Batch::split).unwrap_or_default();
    let records: Vec<Told> = batches.iter().flat_map(Batch::records).collect();
    let wanted = |rule: &&Arc<Standing>| rule.rule().act.is_of_produce() && rule.is_due();
    for rule in rules.iter().filter(wanted) {
        match rule.rule().act {
            Act::SwallowProduced => {
                plan.changed = true;
                rule.done(place.1, records);
                return false;
            }
            Act::HoldProduced => {
                plan.produced.hold = Some((Arc::clone(rule), place.1, records.clone()));
                continue;
            }
            Act::ChangeProduced(checksum) => {
                let changed = batches.last_mut().is_some_and(|batch| batch.change(checksum));
                if !changed {
                    continue;
                }
                part.records = Some(Batch::join(&batches, &rest));
                plan.changed = true;
            }
            Act::ProduceTwice => twice.push(part.clone()),
            Act::MoveProduced(by) => plan.produced.moved.push((place.clone(), by)),
            Act::DelayProduced(delay) => plan.produced.delay = delay,
            _ => continue,
        }
        rule.done(place.1, records.clone());
    }
    plan.produced.sent.push((place.clone(), records.len() as i64));
    true
}
