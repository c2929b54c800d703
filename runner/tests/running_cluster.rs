//! Settings, records, quotas and permissions of a running cluster, on real brokers.

mod common;

use common::{left_behind, real, run};
use kplan::event::{SettingsOf, Verdict};
use serde_json::Value;

/// The values that a setting of a broker had in the reports of a run, in their order.
fn reported(events: &str, of: &SettingsOf, name: &str) -> Vec<String> {
    let lines = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let who = serde_json::to_value(of).expect("a name");
    let own = lines.filter(|event| event["who"] == who);
    own.filter_map(|event| Some(event["settings"][name].as_str()?.to_owned())).collect()
}

/// Runs the plan; what the brokers themselves reported must have changed and changed back.
fn passes(args: &[&str]) {
    let ran = run(&[&["runner/tests/plans/running-cluster.yaml"], args].concat());
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    assert!(ran.record.suites.iter().all(|s| s.verdict == Verdict::Passed));
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
    let events = ran.events();
    let most = reported(&events, &SettingsOf::Brokers, "message.max.bytes");
    assert!(most.len() >= 3 && most[0] == "1048588", "{most:?}");
    assert!(most.contains(&"1000".to_owned()), "{most:?}");
    assert_eq!(most.last(), most.first(), "{most:?}");
    let threads = reported(&events, &SettingsOf::Broker(2), "num.io.threads");
    assert!(threads.contains(&"5".to_owned()), "{threads:?}");
    let shared = reported(&events, &SettingsOf::Brokers, "num.io.threads");
    assert_eq!(shared.last().map(String::as_str), Some("8"), "{shared:?}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn each_change_bites_and_is_gone_after_it() {
    let _turn = real();
    passes(&[]);
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn each_change_bites_and_is_gone_after_it_with_zookeeper() {
    let _turn = real();
    passes(&["--param", "version=3.9.1", "--param", "mode=zookeeper"]);
}
