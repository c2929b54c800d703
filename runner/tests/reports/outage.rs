//! The post-mortem's outage, told as long as one likes: every three minutes all brokers are killed
//! for ten seconds.

use std::{collections::BTreeMap, fs, path::Path};

use indexmap::IndexMap;
use kplan::event::{
    Anomaly, AnomalyPlace, Event, Example, FaultPhase, Holds, LaneState, Measurement, SettingsOf,
    StepInfo, Stretch, Verdict,
};

use crate::story::{Story, finding, us};

const PLAN: &str = include_str!("../../../plans/outage.yaml");
const FILE: &str = "plans/outage.yaml";

/// One outage in a suite's time: killed and started again, in seconds.
struct Outage {
    killed: f64,
    started: f64,
    /// All in sync again.
    healed: f64,
}

/// Two suites (the old stack, which loses 36, and a current one, which loses none) of `minutes` each.
pub fn outage(minutes: u32) -> Story {
    let mut story = Story::new("docker", 2);
    let length = f64::from(minutes) * 60.0;
    suite(&mut story, 1, 0.5, length, 36);
    suite(&mut story, 2, length + 10.0, length, 0);
    story.at(2.0 * length + 12.0).end_run(1);
    story
}

fn steps() -> Vec<StepInfo> {
    [
        ("1", "start a cluster of 3 brokers", "start_cluster", 14, 17),
        ("2", "create topic orders", "create_topic", 18, 18),
        ("3", "start producer P on orders at 500/s", "start_producer", 19, 19),
        ("4", "start consumer C of orders", "start_consumer", 20, 20),
        ("5", "wait until P and C progress", "wait", 21, 24),
        ("6", "wait 5s", "wait", 25, 25),
        ("7", "outage", "kill_broker", 26, 27),
        ("8", "wait 10s", "wait", 28, 28),
        ("9", "recovery", "start_broker", 29, 30),
        ("10", "wait until P and C progress and orders is in sync", "wait", 31, 35),
        ("11", "wait 5s", "wait", 36, 36),
        ("12", "stop clients P and C", "stop_client", 37, 37),
        ("13", "record acked, lost, duplicated, reordered and 3 more", "record", 38, 38),
        ("14", "assert recovered P, C, corrupted, phantom", "assert", 39, 43),
        ("15", "nothing acknowledged is lost", "assert", 44, 49),
    ]
    .map(|(id, title, verb, line, end_line)| StepInfo {
        id: id.into(),
        title: title.into(),
        verb: verb.into(),
        file: FILE.into(),
        line,
        end_line,
        finally: false,
        fault: verb == "kill_broker",
    })
    .into()
}

fn suite(story: &mut Story, number: u32, from: f64, length: f64, lost: u64) {
    let old = lost > 0;
    story.at(from).suite_of(number, |info| {
        info.name = "Kill every broker, restart all within 30 s".into();
        let (version, mode, acks) =
            if old { ("0.10.1.1", "zookeeper", "1") } else { ("4.1.1", "kraft", "all") };
        info.cell = format!("version={version}, mode={mode}, acks={acks}");
        info.file = FILE.into();
        info.description = Some("Case 1 of the post-mortem: *counts* what is lost.".into());
        info.tags = vec!["post-mortem".into(), "outage".into()];
        info.params = [("version", version), ("mode", mode), ("acks", acks)]
            .map(|(k, v)| (k.into(), v.into()))
            .into();
        info.steps = steps();
        info.sources = BTreeMap::from([(FILE.into(), PLAN.into())]);
        info.dir = format!("suite-{number}").into();
    });
    let version = if old { "0.10.1.1" } else { "4.1.1" };
    story.tell_of(
        number,
        Event::Configured {
            who: SettingsOf::Cluster,
            settings: IndexMap::from([
                ("version".into(), version.into()),
                ("brokers".into(), "3".into()),
            ]),
        },
    );
    begin(story, number, from);
    let outages = outages(from, length);
    traffic(story, number, from, length, &outages);
    outages.iter().for_each(|outage| cluster(story, number, outage));
    main_steps(story, number, &outages[0]);
    verdicts(story, number, from + length, &outages, lost);
}

fn outages(from: f64, length: f64) -> Vec<Outage> {
    let count = ((length - 20.0) / 180.0).ceil().max(1.0) as u32;
    let at = |n: u32| from + 20.0 + f64::from(n) * 180.0;
    (0..count)
        .map(|n| Outage { killed: at(n), started: at(n) + 10.0, healed: at(n) + 18.4 })
        .filter(|o| o.healed + 5.0 < from + length)
        .collect()
}

fn begin(story: &mut Story, number: u32, from: f64) {
    story.at(from).begin(number, "1");
    for broker in 1..=3 {
        let name = format!("broker {broker}");
        story.at(from + 0.2).node(number, &name, LaneState::Starting, "step 1");
        story.at(from + 6.0).node(number, &name, LaneState::Up, "step 1");
    }
    story.at(from + 6.0).end(number, "1", Verdict::Passed);
    story.step(number, "2", from + 6.0, from + 7.0);
    (0..3).for_each(|p| story.partition(number, p, Some(p % 3 + 1), &[1, 2, 3]));
    story.step(number, "3", from + 7.0, from + 8.0).client(number, "P", LaneState::Up, "step 3");
    story.step(number, "4", from + 8.0, from + 9.0).client(number, "C", LaneState::Up, "step 4");
    story.step(number, "5", from + 9.0, from + 10.0).step(number, "6", from + 10.0, from + 20.0);
}

fn traffic(story: &mut Story, number: u32, from: f64, length: f64, outages: &[Outage]) {
    let mut second = from + 8.0;
    while second < from + length - 3.0 {
        let down = outages.iter().any(|o| second > o.killed && second < o.healed - 4.0);
        let back = outages.iter().any(|o| (o.healed - 4.0..o.healed).contains(&second));
        let wobble = ((second * 7.3).sin() * 12.0) as i64;
        let rate = |base: i64| u64::try_from(base + wobble).unwrap_or(0);
        let (acked, delivered, p99) = match (down, back) {
            (true, _) => (0, 0, None),
            (_, true) => (rate(1_650), rate(1_580), Some(4_200.0)),
            _ => (rate(450), rate(449), Some(6.0 + wobble.unsigned_abs() as f64 / 4.0)),
        };
        story.at(second).sample(number, "P", 450, acked, p99);
        story.sample(number, "C", 0, delivered, p99.map(|p| p * 1.3));
        second += 1.0;
    }
}

fn cluster(story: &mut Story, number: u32, outage: &Outage) {
    let what = "brokers 1, 2, 3 killed";
    story.at(outage.killed).fault(number, "7", FaultPhase::Begins, what);
    for broker in 1..=3 {
        let name = format!("broker {broker}");
        story.at(outage.killed + 0.05).node(number, &name, LaneState::Dead, "killed by step 7");
        story.at(outage.started + 0.3).node(number, &name, LaneState::Starting, "step 9");
        story.at(outage.started + 3.1).node(number, &name, LaneState::Up, "started by step 9");
    }
    story.at(outage.started + 3.1).fault(number, "7", FaultPhase::Ends, what);
    for partition in 0..3 {
        story.at(outage.killed + 0.2).partition(number, partition, None, &[partition + 1]);
        let leader = Some((partition + 1) % 3 + 1);
        story.at(outage.started + 4.0 + f64::from(partition) / 3.0);
        story.partition(number, partition, leader, &[(partition + 1) % 3 + 1]);
        story.at(outage.healed - 1.0).partition(number, partition, leader, &[1, 3]);
        story.at(outage.healed).partition(number, partition, leader, &[1, 2, 3]);
    }
    story.at(outage.killed + 0.4).tell_of(
        number,
        Event::Report {
            who: "P".into(),
            text: "all brokers are down: 3/3 brokers refused the connection".into(),
        },
    );
}

fn main_steps(story: &mut Story, number: u32, first: &Outage) {
    story.at(first.killed).begin(number, "7").tell_of(
        number,
        Event::TargetResolved {
            step: "7".into(),
            target: "all".into(),
            nodes: (1..=3).map(|b| format!("broker {b}")).collect(),
        },
    );
    story.at(first.killed + 0.1).end(number, "7", Verdict::Passed);
    story.step(number, "8", first.killed + 0.1, first.started);
    story.step(number, "9", first.started, first.started + 3.1);
    story.step(number, "10", first.started + 3.1, first.healed);
}

fn verdicts(story: &mut Story, number: u32, end: f64, outages: &[Outage], lost: u64) {
    story.step(number, "11", end - 8.0, end - 3.0).step(number, "12", end - 3.0, end - 2.0);
    for client in ["P", "C"] {
        story.client(number, client, LaneState::Stopped, "step 12");
    }
    story.at(end - 2.0).begin(number, "13").at(end - 0.6);
    let acked = if lost > 0 { 25_312 } else { 25_990 };
    story.tell_of(
        number,
        Event::Audited { messages: acked - lost, took_ms: 1_200, topics: vec!["orders".into()] },
    );
    let values = [("acked", acked), ("lost", lost), ("duplicated", 3), ("reordered", 0)];
    let values = values.map(|(k, v)| (k.to_owned(), v.into())).into();
    story.tell_of(number, Event::Recorded { step: "13".into(), values });
    if lost > 0 {
        story.tell_of(number, Event::Anomaly(Box::new(lost_messages(lost, outages))));
    }
    story.tell_of(
        number,
        Event::Described {
            step: "13".into(),
            title: "Topic orders".into(),
            text: "| partition | leader | replicas | in sync |\n|---|---|---|---|\n\
            | 0 | 2 | 1,2,3 | 1,2,3 |\n| 1 | **none** | 2,3,1 | 3 |\n"
                .into(),
        },
    );
    for (client, after) in [("P", 14.4), ("C", 15.1)] {
        story.tell_of(
            number,
            Event::Span(Box::new(Measurement {
                step: "14".into(),
                kind: Stretch::Recovered,
                client: client.into(),
                place: Some("orders/1".into()),
                from_us: us(outages[0].killed),
                until_us: Some(us(outages[0].killed + after)),
                away_us: 0,
            })),
        );
    }
    story.at(end - 0.5).end(number, "13", Verdict::Passed).begin(number, "14").at(end - 0.3);
    story.end_with(number, "14", Verdict::Passed, |step| {
        let found = "14.4 s after the kill, worst on orders/1";
        step.findings.push(finding("recovered: P", 40, Holds::Yes, "at most 90 s", found));
        step.findings.push(finding("corrupted: 0", 42, Holds::Yes, "0", "0"));
    });
    story.begin(number, "15").at(end - 0.1);
    let verdict = if lost > 0 { Verdict::Failed } else { Verdict::Passed };
    story.end_with(number, "15", verdict, |step| {
        let holds = if lost > 0 { Holds::No } else { Holds::Yes };
        let found = format!("{lost} of {acked} acknowledged");
        let mut one = finding("lost: 0", 47, holds, "0", &found);
        if lost > 0 {
            one.evidence.push("orders/0: 20, offsets 3310 to 3329".into());
            one.evidence.push("orders/2: 16, offsets 3298 to 3313".into());
        }
        step.findings.push(one);
    });
    story.at(end).end_suite(number, verdict);
}

fn lost_messages(lost: u64, outages: &[Outage]) -> Anomaly {
    let at = us(outages[0].killed - 0.04);
    let example = |n: u64| {
        let partition = if n < 20 { 0 } else { 2 };
        Example {
            topic: "orders".into(),
            partition,
            offset: Some(3_310 + (n as i64) - if n < 20 { 0 } else { 32 }),
            client: Some("P".into()),
            life: Some(1),
            sequence: Some(3_310 + n),
            count: 1,
            mono_us: Some(at + n as i64 * 1_000),
            text: "acknowledged by the leader alone, which was killed before it was copied".into(),
        }
    };
    let place = |partition, count| AnomalyPlace {
        topic: "orders".into(),
        partition,
        client: "P".into(),
        count,
    };
    Anomaly {
        step: "13".into(),
        kind: "lost".into(),
        count: lost,
        by: vec![place(0, 20), place(2, lost - 20)],
        examples: (0..lost.min(24)).map(example).collect(),
        on_disk: None,
    }
}

/// Broker logs of a story of so many minutes, as Kafka writes them.
pub fn write_logs(dir: &Path, minutes: u32) {
    for suite in 1..=2u32 {
        let logs = dir.join(format!("suite-{suite}/logs"));
        fs::create_dir_all(&logs).expect("made");
        let first = f64::from(suite - 1) * (f64::from(minutes) * 60.0 + 10.0);
        for broker in 1..=3 {
            let mut text = String::new();
            for n in 0..minutes * 60 * 3 {
                let at = first + f64::from(n) / 3.0;
                let stamp =
                    jiff::Timestamp::from_microsecond(1_772_366_400_000_000 + (at * 1e6) as i64)
                        .expect("a time")
                        .strftime("%Y-%m-%d %H:%M:%S,%3f");
                let line = match n % 40 {
                    7 => {
                        "WARN [Partition orders-1] Shrinking ISR from 1,2,3 to 1 (kafka.cluster.Partition)"
                    }
                    19 => {
                        "ERROR <script>document.title='owned'</script> & \"quoted\" (kafka.server)"
                    }
                    _ => "INFO [GroupCoordinator]: Stabilized group readers (kafka.coordinator)",
                };
                text.push_str(&format!("[{stamp}] {line} #{n}\n"));
            }
            fs::write(logs.join(format!("broker-{broker}.log")), text).expect("written");
        }
    }
}
