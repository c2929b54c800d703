//! Lies about what is fetched.

use std::{collections::BTreeSet, io, sync::Arc};

use bytes::Bytes;
use kafka_protocol::messages::{
    FetchResponse,
    fetch_response::{AbortedTransaction, PartitionData},
};

use kplan::proxy::{Call, Route};

use super::{
    Lies,
    batch::{Batch, Checksum, Told},
    rules::{Act, Standing},
};

/// Records that are to be given once more: by which rule, of which topic and partition.
pub struct Kept {
    rule: Arc<Standing>,
    topic: String,
    partition: i32,
    records: Bytes,
}

/// The answer that the client gets. `kept` is what this connection is to be given again.
pub fn rewrite(
    lies: &Lies,
    way: &Route<'_>,
    call: &Call,
    frame: Bytes,
    kept: &mut Vec<Kept>,
) -> io::Result<Bytes> {
    let mut answer: FetchResponse = call.read_answer(frame)?;
    for topic in &mut answer.responses {
        let name = way.topic(&topic.topic, topic.topic_id.as_u128());
        let mut rules = lies.rules(call.client(), &name);
        rules.retain(|rule| !rule.rule().act.is_of_produce());
        for part in topic.partitions.iter_mut().filter(|_| !rules.is_empty()) {
            let partition = part.partition_index;
            if let Some(at) = kept.iter().position(|k| k.topic == name && k.partition == partition)
            {
                let again = kept.swap_remove(at);
                again.rule.done(partition, told(&Batch::split(&again.records).0));
                part.records = Some(again.records);
                continue;
            }
            let client = call.client();
            for rule in &rules {
                if let Some(records) = touch(client, rule, part) {
                    let (rule, topic) = (Arc::clone(rule), name.clone());
                    kept.push(Kept { rule, topic, partition, records });
                }
            }
        }
    }
    call.answer(&answer)
}

/// Does to a partition's records what the rule wants; answers with what is to be given again.
fn touch(client: &str, rule: &Standing, part: &mut PartitionData) -> Option<Bytes> {
    let records = part.records.clone().unwrap_or_default();
    let (mut batches, mut rest) = Batch::split(&records);
    let partition = part.partition_index;
    let act = rule.rule().act;
    if act == Act::HideAborted {
        hide(rule, part, &batches);
        return None;
    }
    let mut at = 0;
    while at < batches.len() {
        let batch = &batches[at];
        if act == Act::WithholdFetched && rule.did(partition, batch.first_offset()) {
            batches.remove(at);
            continue;
        }
        let stays = match act {
            Act::SpoilFetched => Some(Checksum::Wrong),
            // In the log it is not noticed by its checksum, and every reader is given it.
            Act::ChangeFetched(Checksum::Right) => Some(Checksum::Right),
            _ => None,
        };
        if let Some(checksum) = stays.filter(|_| rule.did(partition, batch.first_offset())) {
            batches[at].change(checksum);
            at += 1;
            continue;
        }
        at += 1;
        let due = !batch.is_control() && rule.is_due_at(client, partition, batch.last_offset());
        if !due {
            continue;
        }
        let given = batch.records();
        match act {
            Act::FetchTwice => {
                batches.insert(at, batches[at - 1].clone());
                at += 1;
            }
            Act::FetchAgain => return Some(records),
            Act::WithholdFetched => {
                at -= 1;
                batches.remove(at);
            }
            Act::ChangeFetched(checksum) => {
                if !batches[at - 1].change(checksum) {
                    continue;
                }
            }
            Act::SpoilFetched => {
                if !batches[at - 1].change(Checksum::Wrong) {
                    continue;
                }
            }
            Act::MoveFetched(by) => {
                batches[at - 1].move_by(by);
                batches.truncate(at);
                rest = Bytes::new();
            }
            _ => continue,
        }
        rule.done(partition, given);
    }
    part.records = Some(Batch::join(&batches, &rest));
    None
}

/// Takes the aborted transactions' names from the answer, and writes down their messages.
fn hide(rule: &Standing, part: &mut PartitionData, batches: &[Batch]) {
    let Some(mut aborted) = part.aborted_transactions.take().filter(|all| !all.is_empty()) else {
        return;
    };
    part.aborted_transactions = Some(Vec::new());
    aborted.sort_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
    let mut open = BTreeSet::new();
    let mut hidden = Vec::new();
    for batch in batches {
        let begins = |t: &AbortedTransaction| t.first_offset <= batch.last_offset();
        while let Some(begun) = aborted.pop_if(|next| begins(next)) {
            open.insert(begun.producer_id.0);
        }
        let producer = batch.producer_id();
        if batch.is_control() {
            open.remove(&producer);
        } else if batch.is_transactional() && open.contains(&producer) {
            hidden.extend(batch.records());
        }
    }
    rule.done(part.partition_index, hidden);
}

fn told(batches: &[Batch]) -> Vec<Told> {
    batches.iter().flat_map(Batch::records).collect()
}
