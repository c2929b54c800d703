//! Answers that come late: nothing that is measured may be shorter than the delay.

use std::{collections::HashMap, time::Duration};

use kplan::{
    history::{HistoryFile, Mark},
    identity::payload::intended_us,
};

use super::{
    common::real,
    proxy::Act,
    rig::{Lie, PRODUCER},
};

const DELAY: Duration = Duration::from_millis(15);

/// The proxy saw each message, and with it the time at which it was to be sent; the history has the
/// time of the answer. Of a run of messages it has that of the first and of the last one.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn no_latency_is_below_what_the_answer_took() {
    let _turn = real();
    let told =
        Lie::new("late-answers", PRODUCER, Act::DelayProduced(DELAY)).always().one_by_one().tell();
    told.counted(&[]);
    let deeds = told.deeds();
    let values = deeds.iter().flat_map(|deed| &deed.records).filter_map(|r| r.value.as_ref());
    let sent: HashMap<u64, i64> =
        values.map(|value| (sequence(value), intended_us(value))).collect();
    assert_eq!(sent.len(), 300);
    let heard = HistoryFile::open(&told.history("P-1.heard")).expect("a history");
    let runs: Vec<_> = heard.iter_from(0).map(|run| run.expect("a whole run")).collect();
    let answers = runs.iter().filter(|run| run.mark == Mark::Acked).flat_map(|run| {
        [(run.first_seq, run.first_us), (run.first_seq + run.count - 1, run.last_us)]
    });
    let took: Vec<_> = answers.map(|(seq, at)| (seq, at - sent[&seq])).collect();
    assert!(!took.is_empty());
    let early: Vec<_> = took
        .iter()
        .filter(|(_, us)| u128::from(us.unsigned_abs()) < DELAY.as_micros() || *us < 0)
        .collect();
    assert!(
        early.is_empty(),
        "of {} answers these came too early (message, us): {early:?}",
        took.len()
    );
}

fn sequence(value: &[u8]) -> u64 {
    u64::from_le_bytes(value[24..32].try_into().expect("eight bytes"))
}
