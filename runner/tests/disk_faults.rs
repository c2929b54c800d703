//! Faults of disks on real brokers: ignored unless asked for (`--ignored`), with an engine and the image of
//! `ci/kafka-image 4.4.0`.

mod common;

use common::{Ran, left_behind, real, run};

fn ran(plan: &str) -> Ran {
    let ran = run(&[&format!("runner/tests/plans/{plan}.yaml")]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
    ran
}

/// What a node logged.
fn log(ran: &Ran, node: &str) -> String {
    let path = ran.record.dir.join(&ran.record.suites[0].info.dir).join("logs").join(node);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The plan itself judges what comes of the damage.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn damage_is_found_in_replicas_and_in_messages() {
    let _turn = real();
    let ran = ran("damaged-files");
    let events = ran.events();
    for said in [
        "broker 2, copied/0: 00000000000000000000.log: a bit of byte ",
        "broker 3, alone/0: 00000000000000000000.log: 16 bytes, ",
        "broker 3, alone/0: 00000000000000000000.index: a bit in each of 64 bytes, 0 to 63, is flipped",
        "broker 3, alone/0: 00000000000000000000.timeindex: a bit in each of 64 bytes, 0 to 63, is flipped",
        "broker 3, alone/0: 00000000000000000000.log: 100 bytes, ",
    ] {
        assert!(events.contains(said), "{said}: {events}");
    }
    let log = log(&ran, "broker-3.log");
    assert!(log.contains("alone-0"), "{log}");
}

/// The numbers of notes such as `broker 1: 12 syncs took longer`.
fn noted(ran: &Ran, before: &str, after: &str) -> u64 {
    let events = ran.events();
    let number = |part: &str| part.split_once(after)?.0.parse::<u64>().ok();
    let found = events.split(before).skip(1).find_map(number);
    found.unwrap_or_else(|| panic!("{before}: {events}"))
}

/// The plan itself judges the latency, and that the cluster goes on without the broker.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_slow_disk_delays_messages_and_one_that_fails_ends_its_broker() {
    let _turn = real();
    let ran = ran("disk-calls");
    let slowed = noted(&ran, "broker 1: ", " syncs took longer");
    assert!(slowed >= 3, "in 8 s several syncs of 2 s each: {slowed}");
    assert!(noted(&ran, "broker 3: ", " sync") >= 1);
    let faults = &ran.record.suites[0].faults;
    assert!(faults.iter().all(|fault| fault.until_us.is_some()), "each is over: {faults:?}");
    let log = log(&ran, "broker-3.log");
    assert!(log.contains("Input/output error"), "{log}");
}
