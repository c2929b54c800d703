//! What decides of several suites.

use super::*;

#[test]
fn a_failed_suite_decides_over_a_broken_one() {
    use Verdict::{Broken, Failed, Passed, Skipped};
    assert_eq!(decided(&[Failed, Broken, Failed, Broken, Passed]), Failed);
    assert_eq!(decided(&[Passed, Broken]), Broken);
    assert_eq!(decided(&[Skipped, Passed]), Passed);
    assert_eq!(decided(&[]), Skipped);
}
