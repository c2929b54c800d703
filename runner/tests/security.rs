//! Clusters with users and certificates, on real brokers.

mod common;

use std::collections::BTreeMap;

use common::{Ran, left_behind, real, run};
use kplan::event::{SettingsOf, Verdict};

fn passes(args: &[&str]) -> Ran {
    let ran = run(args);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    assert!(ran.record.suites.iter().all(|s| s.verdict == Verdict::Passed));
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
    ran
}

/// The settings that a report shows of somebody.
fn settings(ran: &Ran, who: &str) -> BTreeMap<String, String> {
    let all = &ran.record.suites[0].configured;
    let found = all.get(&SettingsOf::from(who.to_owned()));
    let found = found.unwrap_or_else(|| panic!("no {who} in {:?}", all.keys()));
    found.clone().into_iter().collect()
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn users_of_the_oldest_kafka_log_in_and_a_wrong_password_does_not() {
    let _turn = real();
    let oldest = ["plans/users.yaml", "--param", "version=0.10.1.1", "--param", "mode=zookeeper"];
    let ran = passes(&oldest);
    let broker = settings(&ran, "broker 1");
    assert!(broker["listeners"].contains("SASL_PLAINTEXT://:9094"), "{broker:?}");
    let alice = settings(&ran, "client P");
    assert_eq!(
        (alice["sasl.username"].as_str(), alice["sasl.password"].as_str()),
        ("alice", "***")
    );
}

#[cfg(feature = "tls")]
#[test]
#[ignore = "needs a container engine: ci/test"]
fn encrypted_scram_survives_the_death_of_a_broker_with_exact_counts() {
    let _turn = real();
    let ran = passes(&["runner/tests/plans/secured-scram.yaml"]);
    let own = settings(&ran, "client Own");
    assert_eq!(
        (own["sasl.username"].as_str(), own["sasl.mechanism"].as_str()),
        ("kplan", "SCRAM-SHA-512")
    );
    let broker = settings(&ran, "broker 1");
    assert_eq!(
        broker["listener.security.protocol.map"].split(',').nth(1),
        Some("EXTERNAL:SASL_SSL")
    );
}

#[cfg(feature = "tls")]
#[test]
#[ignore = "needs a container engine: ci/test"]
fn encryption_without_users_and_a_certificate_that_is_not_trusted() {
    let _turn = real();
    passes(&["runner/tests/plans/secured-tls.yaml"]);
}

#[cfg(not(feature = "tls"))]
#[test]
fn what_this_build_cannot_do_is_refused_before_anything_starts() {
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("run");
    let args =
        ["run", "runner/tests/plans/secured-scram.yaml", "--out", out.to_str().expect("plain")];
    let output = common::kplan(&args).output().expect("kplan starts");
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("--features tls"), "{text}");
    assert!(!out.exists(), "nothing was begun");
}
