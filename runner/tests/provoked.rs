//! Anomalies provoked on real brokers on purpose, and counted: ignored unless asked for, with an engine
//! and the image of `ci/kafka-image 4.1.1`. What is lost and diverged stands in `real.rs` and `faults.rs`.

mod common;

use common::{Ran, left_behind, real, run};

fn passes(args: &[&str]) -> Ran {
    let ran = run(args);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
    ran
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn redelivered_undelivered_duplicated_and_aborted_are_counted() {
    let _turn = real();
    passes(&["runner/tests/plans/provoked.yaml"]);
}
