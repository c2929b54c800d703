//! Acknowledgements of a client of another program that contradict its own: it printed that a message is at an offset
//! at which it had printed another one before, the log still holds that other one there, and the message has no copy
//! anywhere. A log that was truncated after the acknowledgement holds a message there that was acknowledged later, so
//! this is no loss by Kafka: the client acknowledged what Kafka did not acknowledge, or reported a wrong place. The
//! message does not count as lost, and `lost` is inconclusive.

use super::book::{Book, Spot};
use super::digest::Digest;
use super::placement::SentStream;
use super::sends::{client_facts, span_of, stream_of};
use super::set::Set;
use crate::history::{Mark, MessageRun, Writer};

/// Takes such messages out of the missing ones of a stream; returns how many they are.
pub(super) fn explain(
    digest: &Digest<'_>,
    (topic, stream): (u16, SentStream),
    missing: &mut Set,
    lost: &mut Book,
) -> u64 {
    let name = digest.names.client(stream.client);
    if missing.is_empty() || !client_facts(digest.facts, &name).numbers_itself {
        return 0;
    }
    let part = (topic, stream.source);
    let Some(log) = digest.logs.get(&part).filter(|_| digest.is_read(part)) else { return 0 };
    let printed = acknowledged(digest, topic, stream);
    let mut wrong = Set::default();
    for run in &printed {
        let Some(span) = span_of(stream, run) else { continue };
        for seq in missing.within(span.seqs()) {
            let offset = span.offset + (seq - span.seq);
            let there = log.place.at(offset).filter(|(held, other)| {
                (held.client, held.life) == (stream.client, stream.life) && *other != seq
            });
            if there.is_some_and(|(_, other)| earlier(&printed, run, other, offset)) {
                wrong.add(seq..seq + 1);
            }
        }
    }
    if wrong.is_empty() {
        return 0;
    }
    missing.remove(&wrong);
    let place = format!("{}/{}", digest.names.topic(topic), stream.source);
    let count = wrong.len();
    let reason = format!(
        "{name} contradicts itself: it printed {count} messages at offsets of {place} at which it had printed other \
         messages, which are still there; that is a fault of this client"
    );
    lost.doubt(&digest.names, Spot::of(part, Some(stream.client)), reason);
    count
}

/// What the life printed as acknowledged in its partition.
fn acknowledged(digest: &Digest<'_>, topic: u16, stream: SentStream) -> Vec<MessageRun> {
    let heard = digest.files.iter().filter(|f| {
        let header = f.header();
        header.writer == Writer::ProducerHeard
            && (header.client_id, header.life) == (stream.client, stream.life)
    });
    heard
        .flat_map(|file| {
            let own = move |(part, run): &((u16, u32), MessageRun)| {
                part.0 == topic
                    && run.mark == Mark::Acked
                    && stream_of(file.header(), run) == stream
            };
            file.runs().filter(own).map(|(_, run)| run)
        })
        .collect()
}

/// Whether a number was printed at an offset before a run.
fn earlier(printed: &[MessageRun], run: &MessageRun, number: u64, offset: u64) -> bool {
    printed.iter().any(|other| {
        let at = number.checked_sub(other.first_seq).filter(|at| *at < other.count);
        let lies = at.and_then(|at| other.first_offset.checked_add_unsigned(at));
        lies.and_then(|lies| u64::try_from(lies).ok()) == Some(offset)
            && other.last_us <= run.first_us
            && other != run
    })
}

#[cfg(test)]
mod tests {
    use crate::audit::testing::{World, run};
    use crate::audit::{CountVerdict, Measure, Scope};
    use crate::history::Mark;

    const WHO: (u16, u16) = (1, 1);

    fn world() -> World {
        let mut w = World::new(1);
        w.client("P1").numbers_itself = true;
        w
    }

    fn printed(w: &mut World, seq: u64, offset: i64) {
        let sent = w.stamp(run(Mark::Sent, 0, WHO, seq, -1));
        w.sent.entry(WHO).or_default().push(sent);
        let heard = w.stamp(run(Mark::Acked, 0, WHO, seq, offset));
        w.heard.entry(WHO).or_default().push(heard);
    }

    fn written(w: &mut World, seq: u64) {
        let offset = w.append(run(Mark::Found, 0, WHO, seq, -1));
        printed(w, seq, offset);
    }

    #[test]
    fn an_offset_that_it_had_printed_for_a_message_that_is_still_there() {
        let mut w = world();
        (0..5).for_each(|seq| written(&mut w, seq));
        printed(&mut w, 5, 4);
        printed(&mut w, 6, 3);
        let (reason, at_least) = w.doubt(Measure::Lost);
        assert!(reason.starts_with("P1 contradicts itself: it printed 2 messages"), "{reason}");
        assert_eq!(at_least, 0);
        let acked = w.audit(9).verdict(Measure::Acked, &Scope::default());
        assert!(matches!(acked, CountVerdict::Counted(found) if found.count == 7));
    }

    /// As in an unclean election: the log was truncated, and later messages have the same offsets.
    #[test]
    fn what_lies_where_a_lost_message_was_came_later() {
        let mut w = world();
        (0..5).for_each(|seq| written(&mut w, seq));
        w.truncate(0, 2);
        (5..9).for_each(|seq| written(&mut w, seq));
        assert_eq!(w.count(Measure::Lost), 3);
    }

    #[test]
    fn a_loss_beside_a_contradiction_still_counts() {
        let mut w = world();
        (0..5).for_each(|seq| written(&mut w, seq));
        w.truncate(0, 4);
        printed(&mut w, 5, 1);
        assert_eq!(w.doubt(Measure::Lost).1, 1);
    }

    #[test]
    fn kplans_own_client_is_not_suspected() {
        let mut w = world();
        w.client("P1").numbers_itself = false;
        (0..5).for_each(|seq| written(&mut w, seq));
        printed(&mut w, 5, 4);
        assert_eq!(w.count(Measure::Lost), 1);
    }
}
