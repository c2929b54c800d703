//! Completes the evidence: when the message was sent or answered, and at which offset it was seen.

use super::book::{Books, Case};
use super::digest::Digest;
use super::placement::SentStream;
use super::sends::stream_of;
use crate::history::{Mark, MessageRun, Writer};
use std::collections::HashMap;

type Wanted<'b> = HashMap<(u16, SentStream), Vec<&'b mut Case>>;

/// Reads the producers' files once more if some instance has no time yet.
pub(super) fn fill(digest: &Digest<'_>, books: &mut Books) {
    let mut wanted = Wanted::new();
    for (spot, case) in books.by.values_mut().flat_map(|book| &mut book.cases) {
        if let (Some((stream, _)), None) = (case.identity, case.time_us) {
            wanted.entry((spot.part.0, stream)).or_default().push(case);
        }
    }
    if wanted.is_empty() {
        return;
    }
    for writer in [Writer::ProducerHeard, Writer::ProducerSent] {
        for file in digest.files.iter().filter(|f| f.header().writer == writer) {
            for (part, run) in file.runs() {
                let stream = stream_of(file.header(), &run);
                for case in wanted.get_mut(&(part.0, stream)).into_iter().flatten() {
                    tell(case, &run);
                }
            }
        }
    }
}

fn tell(case: &mut Case, run: &MessageRun) {
    let Some((_, seq)) = case.identity else { return };
    let reported = matches!(run.mark, Mark::Sent | Mark::Acked | Mark::Failed);
    if !reported || !(run.first_seq..run.first_seq + run.count).contains(&seq) {
        return;
    }
    case.time_us.get_or_insert(run.last_us);
    if let (Mark::Acked, Ok(first)) = (run.mark, u64::try_from(run.first_offset)) {
        case.offset.get_or_insert(first + (seq - run.first_seq));
    }
}
