//! Lies about what is fetched: to the consumer, and to the audit's reader.

use kplan::{
    event::Verdict,
    history::{HistoryFile, Mark},
};

use super::{
    common::real,
    proxy::{Act, Checksum},
    rig::{AUDIT, AUDITS, CONSUMER, Lie},
};

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_batch_given_twice_is_redelivered() {
    let _turn = real();
    let told = Lie::new("given-twice", CONSUMER, Act::FetchTwice).tell();
    told.counted(&[("redelivered", told.messages())]).names("redelivered");
}

/// librdkafka leaves out what lies before the offset that it asked for.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn an_answer_given_again_is_none() {
    let _turn = real();
    let told = Lie::new("given-again", CONSUMER, Act::FetchAgain).tell();
    assert!(told.messages() > 0);
    told.counted(&[]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_withheld_batch_is_skipped_and_undelivered() {
    let _turn = real();
    let told = Lie::new("withheld", CONSUMER, Act::WithholdFetched).tell();
    let n = told.messages();
    told.counted(&[("skipped", n), ("undelivered", n)]).names("undelivered");
}

/// The batch's checksum says nothing of it, each message's own does.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_changed_byte_in_a_delivery_is_corrupted() {
    let _turn = real();
    let lie = Lie::new("given-changed", CONSUMER, Act::ChangeFetched(Checksum::Right));
    let told = lie.tell();
    assert!(told.messages() > 0);
    told.counted(&[("corrupted", 1)]);
}

/// Consumer and reader compare the batch's checksum, and fetch it once more.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_batch_given_once_with_a_wrong_checksum_is_none() {
    let _turn = real();
    for (topic, to) in [("given-damaged", CONSUMER), ("audit-damaged", AUDIT)] {
        let told = Lie::new(topic, to, Act::ChangeFetched(Checksum::Wrong)).tell();
        assert!(told.messages() > 0);
        told.counted(&[]);
    }
}

/// Each message of the batch is corrupted, also those whose own checksum is right, and what lies behind it is
/// read and judged as if nothing were.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_batch_whose_checksum_stays_wrong_is_corrupted() {
    let _turn = real();
    let lie = Lie::new("audit-spoilt", AUDITS, Act::SpoilFetched);
    let told = lie.tell();
    assert!(told.deeds()[0].records[0].offset < 200, "there are messages behind it");
    told.counted(&[("corrupted", told.messages())]);
}

/// The log is read a second time, and what was aborted is known behind the damage as before it.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_spoilt_batch_among_transactions_is_corrupted() {
    let _turn = real();
    let lie = Lie::new("audit-spoilt-transactions", AUDITS, Act::SpoilFetched);
    let told = lie.producer(TRANSACTIONS).tell();
    told.counted(&[("corrupted", told.messages())]);
}

/// A consumer goes no further, as every client that compares checksums: `stop_client`, which waits for it to have
/// read all, fails. That is not the machine's fault.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_consumer_stays_before_a_batch_whose_checksum_stays_wrong() {
    let _turn = real();
    let told = Lie::new("given-spoilt", CONSUMER, Act::SpoilFetched).tell();
    assert!(told.messages() > 0);
    let (verdict, why) = told.verdict();
    assert_eq!(verdict, Verdict::Failed, "{why}");
}

/// The messages stand elsewhere for the consumer than in the log, and it goes on behind them.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn moved_offsets_of_a_delivery_diverge() {
    let _turn = real();
    let told = Lie::new("given-moved", CONSUMER, Act::MoveFetched(3)).late().tell();
    let n = told.messages();
    told.counted(&[("diverged", n), ("undelivered", n + 3)]).names("diverged");
}

const TRANSACTIONS: &str = "      transactional: { messages: 20, abort: 40% }\n";

#[test]
#[ignore = "needs a container engine: ci/test"]
fn hidden_aborts_are_read() {
    let _turn = real();
    let lie = Lie::new("hidden-aborts", CONSUMER, Act::HideAborted).always();
    let told = lie.producer(TRANSACTIONS).tell();
    told.counted(&[("aborted_read", told.messages())]);
}

/// The audit believes what it reads: then what was aborted stands in the log for every reader, and the
/// consumer jumped over it wherever it was given something behind it.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn aborts_hidden_from_the_audit_succeed() {
    let _turn = real();
    let lie = Lie::new("audit-hidden-aborts", AUDITS, Act::HideAborted).always();
    let told = lie.producer(TRANSACTIONS).tell();
    let n = told.messages();
    let seen = HistoryFile::open(&told.history("C-1.seen")).expect("a history");
    let runs = seen.iter_from(0).map(|run| run.expect("a whole run"));
    let delivered = runs.filter(|run| run.mark == Mark::Delivered);
    let end = delivered.map(|run| run.first_offset + run.count.cast_signed()).max().unwrap_or(0);
    let hidden = told.offsets();
    let jumped = hidden.iter().filter(|(_, offset)| *offset < end).count() as u64;
    assert!(jumped > 0, "the consumer read up to {end}, and hidden was {hidden:?}");
    told.counted(&[("unexpected_success", n), ("undelivered", n), ("skipped", jumped)]);
}

/// What the audit is not shown is lost, and its offset was seen with it.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_batch_withheld_from_the_audit_is_lost() {
    let _turn = real();
    let told = Lie::new("audit-withheld", AUDITS, Act::WithholdFetched).tell();
    let n = told.messages();
    told.counted(&[("lost", n), ("diverged", n)]).names("lost");
}

/// What only one of two readings does not show is not missing.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn what_one_reading_passes_over_is_not_lost() {
    let _turn = real();
    for (topic, act, producer) in [
        ("reading-withheld", Act::WithholdFetched, ""),
        ("reading-changed", Act::ChangeFetched(Checksum::Right), ""),
        ("reading-hidden-aborts", Act::HideAborted, TRANSACTIONS),
    ] {
        let lie = Lie::new(topic, AUDIT, act).producer(producer);
        let lie = if act == Act::HideAborted { lie.always() } else { lie };
        let told = lie.tell();
        assert!(told.messages() > 0);
        told.counted(&[]);
        let notes = told.notes();
        assert!(notes.contains("two readings of the log differ"), "{topic}: {notes}");
    }
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_changed_byte_in_the_log_is_corrupted() {
    let _turn = real();
    let lie = Lie::new("audit-changed", AUDITS, Act::ChangeFetched(Checksum::Right));
    let told = lie.tell();
    assert!(told.messages() > 0);
    told.counted(&[("corrupted", 1)]);
}
