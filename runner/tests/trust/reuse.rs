//! Clusters that go on warm from plan to plan, and those that must not.

use kplan::event::{SettingsOf, Verdict};

use crate::common::{left_behind, real, run};

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_cluster_goes_on_until_a_plan_leaves_a_trace() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/reuse"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let suites = &ran.record.suites;
    assert!(suites.iter().all(|s| s.verdict == Verdict::Passed), "{}", ran.text());
    let reused = suites.iter().map(|s| s.configured[&SettingsOf::Cluster].get("reused"));
    let reused: Vec<_> = reused.map(|from| from.map(String::as_str)).collect();
    let from = |suite: u32| format!("the cluster of suite {suite}");
    let (one, two) = (from(1), from(2));
    // The third one freezes its broker for a moment: the fourth has a cluster of its own.
    assert_eq!(reused, [None, Some(one.as_str()), Some(two.as_str()), None], "{}", ran.text());
    for suite in suites {
        // Each plan has its own part of the broker's output.
        let log = ran.record.dir.join(&suite.info.dir).join("logs/broker-1.log");
        assert!(std::fs::metadata(&log).is_ok_and(|m| m.len() > 0), "{} is empty", log.display());
    }
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
}
