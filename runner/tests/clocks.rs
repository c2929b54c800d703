//! Wrong clocks on real brokers: ignored unless asked for (`--ignored`), with an engine and the image of
//! `ci/kafka-image 4.1.1`.

mod common;

use std::time::{SystemTime, UNIX_EPOCH};

use common::{left_behind, real, run};

/// By how much the brokers' times of messages differ from ours, in seconds.
fn off(events: &str, value: &str) -> i64 {
    let end = format!("\\t{value}");
    let found = events.split("LogAppendTime:").find_map(|part| {
        let (time, rest) = part.split_once("\\t")?;
        let own = rest.starts_with(value) || part.contains(&end);
        own.then(|| time.parse::<i64>().ok()).flatten()
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let now = i64::try_from(now.as_millis()).expect("before the year 294,000");
    (found.unwrap_or_else(|| panic!("{value}: {events}")) - now) / 1000
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn the_times_of_a_broker_follow_its_clock_and_no_other() {
    let _turn = real();
    let ran = run(&["runner/tests/plans/clocks.yaml", "--allow-run"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let events = ran.events();
    // The plan took a few minutes at most.
    for (value, hours) in [
        ("before", 0),
        ("ahead", 1),
        ("restarted", 1),
        ("between", 0),
        ("behind", -1),
        ("after", 0),
    ] {
        let off = off(&events, value);
        assert!((off - hours * 3600).abs() < 600, "{value}: {off} s");
    }
    let faults = &ran.record.suites[0].faults;
    let whats: Vec<&str> = faults.iter().map(|fault| fault.what.as_str()).collect();
    assert!(
        whats.iter().filter(|what| what.contains("clock of broker 2")).count() == 2,
        "{whats:?}"
    );
    assert!(faults.iter().all(|fault| fault.until_us.is_some()), "each was set right: {faults:?}");
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
}
