//! Lies about what was produced.

use super::{
    common::real,
    proxy::{Act, Checksum},
    rig::{Lie, PRODUCER},
};

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_swallowed_batch_is_lost() {
    let _turn = real();
    let told = Lie::new("swallowed", PRODUCER, Act::SwallowProduced).tell();
    let n = told.messages();
    // At the offsets of its acknowledgement stands what came next.
    told.counted(&[("lost", n), ("diverged", n)]).names("lost").names("diverged");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_batch_sent_twice_is_duplicated() {
    let _turn = real();
    let told = Lie::new("twice", PRODUCER, Act::ProduceTwice).tell();
    told.counted(&[("duplicated", told.messages())]).names("duplicated");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_batch_sent_twice_by_an_idempotent_producer_is_none() {
    let _turn = real();
    let lie = Lie::new("twice-idempotent", PRODUCER, Act::ProduceTwice);
    let told = lie.producer("      idempotent: true\n").tell();
    assert!(told.messages() > 0);
    told.counted(&[]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_batch_that_is_held_back_is_reordered() {
    let _turn = real();
    let told = Lie::new("held-back", PRODUCER, Act::HoldProduced).tell();
    told.counted(&[("reordered", told.messages())]).names("reordered");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_changed_byte_under_a_right_checksum_is_corrupted() {
    let _turn = real();
    let told = Lie::new("changed", PRODUCER, Act::ChangeProduced(Checksum::Right)).tell();
    assert!(told.messages() > 0);
    told.counted(&[("corrupted", 1)]);
}

/// The broker refuses the batch, and librdkafka sends it again; in its place, as it is idempotent.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_changed_byte_under_a_wrong_checksum_never_arrives() {
    let _turn = real();
    let lie = Lie::new("refused", PRODUCER, Act::ChangeProduced(Checksum::Wrong));
    let told = lie.producer("      idempotent: true\n").tell();
    assert!(told.messages() > 0);
    told.counted(&[]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_moved_offset_of_an_acknowledgement_diverges() {
    let _turn = real();
    for (topic, by) in [("moved-forward", 3), ("moved-far", 1_000_000)] {
        let told = Lie::new(topic, PRODUCER, Act::MoveProduced(by)).tell();
        told.counted(&[("diverged", told.messages())]).names("diverged");
    }
}
