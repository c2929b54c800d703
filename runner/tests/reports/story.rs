//! Runs told by hand: the events that a runner would have written.

use std::{collections::BTreeMap, path::PathBuf};

use indexmap::IndexMap;
use kplan::{
    event::{
        Anomaly, AnomalyPlace, Event, Example, FaultId, FaultKind, FaultPhase, Finding, Holds,
        LaneState, Measurement, RunStarted, Sample, SettingsOf, Stamped, StepEnded, StepInfo,
        Stretch, SuiteStarted, Verdict, Why,
    },
    record::RunRecord,
};

/// The clock starts at 2026-03-01T12:00:00Z, one hour after the machine's boot.
pub const BOOT_US: i64 = 3_600_000_000;
const WALL_US: i64 = 1_772_366_400_000_000;

/// A plan as the quickest reader would write it; the stories quote its lines.
pub const PLAN: &str = "\
plan: v1
name: Unclean election
steps:
  - start_cluster: { brokers: 3 }
  - create_topic: { name: orders, partitions: 3 }
  - start_producer: { name: P, topic: orders, acks: 1 }
  - name: outage
    kill_broker: 2
  - wait:
      until:
        - progressing: [P]
      within: 30s
  - start_broker: 2
  - stop_client: P
  - record: [acked, lost]
  - assert:
      - lost: 0
      - corrupted: 0
finally:
  - stop_cluster
";

const STEPS: [(&str, &str, &str, u32, u32); 10] = [
    ("1", "start a cluster of 3 brokers", "start_cluster", 4, 4),
    ("2", "create topic orders", "create_topic", 5, 5),
    ("3", "start producer P", "start_producer", 6, 6),
    ("4", "outage", "kill_broker", 7, 8),
    ("5", "wait until progressing", "wait", 9, 12),
    ("6", "start broker 2", "start_broker", 13, 13),
    ("7", "stop client P", "stop_client", 14, 14),
    ("8", "record acked, lost", "record", 15, 15),
    ("9", "assert lost, corrupted", "assert", 16, 18),
    ("f1", "stop the cluster", "stop_cluster", 20, 20),
];

/// Events with a clock.
pub struct Story {
    pub events: Vec<Stamped>,
    now_us: i64,
}

impl Story {
    pub fn new(backend: &str, suites: u32) -> Self {
        let mut story = Self { events: Vec::new(), now_us: BOOT_US };
        story.tell(Event::RunStarted(RunStarted {
            attempts: 3,
            run: "20260301-120000-0badcafe".into(),
            kplan: "0.1.0".into(),
            seed: 42,
            backend: backend.into(),
            command: vec!["kplan".into(), "run".into(), "plans/unclean.yaml".into()],
            suites,
        }));
        story
    }

    /// Sets the clock, in seconds since the run began.
    pub fn at(&mut self, seconds: f64) -> &mut Self {
        self.now_us = us(seconds);
        self
    }

    /// An event of the run, or of its first suite.
    pub fn tell(&mut self, event: Event) -> &mut Self {
        let of_run = matches!(event, Event::RunStarted(_) | Event::RunEnded { .. });
        self.push((!of_run).then_some(1), event)
    }

    /// An event of a suite.
    pub fn tell_of(&mut self, suite: u32, event: Event) -> &mut Self {
        self.push(Some(suite), event)
    }

    fn push(&mut self, suite: Option<u32>, event: Event) -> &mut Self {
        let at = jiff::Timestamp::from_microsecond(WALL_US + self.now_us - BOOT_US);
        self.events.push(Stamped { at: at.expect("a time"), mono_us: self.now_us, suite, event });
        self
    }

    pub fn suite(&mut self, change: impl FnOnce(&mut SuiteStarted)) -> &mut Self {
        self.suite_of(1, change)
    }

    pub fn suite_of(&mut self, suite: u32, change: impl FnOnce(&mut SuiteStarted)) -> &mut Self {
        let mut info = SuiteStarted {
            name: "Unclean election".into(),
            cell: "version=4.1.1".into(),
            file: PathBuf::from("plans/unclean.yaml"),
            description: Some("Loses **acknowledged** messages on purpose.".into()),
            tags: vec!["durability".into()],
            params: IndexMap::from([
                ("version".into(), "4.1.1".into()),
                ("password".into(), "***".into()),
            ]),
            simulated: false,
            attempt: 1,
            repetition: 1,
            steps: STEPS.iter().map(|s| step_info(*s)).collect(),
            sources: BTreeMap::from([(PathBuf::from("plans/unclean.yaml"), PLAN.into())]),
            dir: PathBuf::from("suite-1"),
        };
        change(&mut info);
        self.tell_of(suite, Event::SuiteStarted(Box::new(info)))
    }

    pub fn begin(&mut self, suite: u32, step: &str) -> &mut Self {
        self.tell_of(suite, Event::StepStarted { step: step.into() })
    }

    /// A step that ended: `from` and now in seconds are its times.
    pub fn end(&mut self, suite: u32, step: &str, verdict: Verdict) -> &mut Self {
        self.end_with(suite, step, verdict, |_| {})
    }

    pub fn end_with(
        &mut self,
        suite: u32,
        step: &str,
        verdict: Verdict,
        change: impl FnOnce(&mut StepEnded),
    ) -> &mut Self {
        let of_suite = self.events.iter().rev().filter(|s| s.suite == Some(suite));
        let mut began = of_suite.filter_map(|s| match &s.event {
            Event::StepStarted { step: id } if *id == step.into() => Some(s.mono_us),
            _ => None,
        });
        let mut end = StepEnded {
            step: step.into(),
            verdict,
            took_ms: began.next().map_or(0, |b| ((self.now_us - b) / 1000) as u64),
            findings: Vec::new(),
            reason: None,
            optional: false,
            timed_out: false,
            cause: None,
        };
        change(&mut end);
        self.tell_of(suite, Event::StepEnded(Box::new(end)))
    }

    /// A step from one second to another that passed.
    pub fn step(&mut self, suite: u32, step: &str, from: f64, until: f64) -> &mut Self {
        self.at(from).begin(suite, step).at(until).end(suite, step, Verdict::Passed)
    }

    pub fn skip(&mut self, suite: u32, step: &str, why: &str) -> &mut Self {
        self.end_with(suite, step, Verdict::Skipped, |end| end.reason = Some(why.into()))
    }

    pub fn node(&mut self, suite: u32, node: &str, state: LaneState, why: &str) -> &mut Self {
        self.tell_of(suite, Event::Node { node: node.into(), state, why: said(why) })
    }

    pub fn client(&mut self, suite: u32, client: &str, state: LaneState, why: &str) -> &mut Self {
        let why = said(why);
        self.tell_of(suite, Event::Client { client: client.into(), life: 1, state, why })
    }

    pub fn partition(&mut self, suite: u32, number: u32, leader: Option<u32>, in_sync: &[u32]) {
        self.tell_of(
            suite,
            Event::Partition {
                topic: "orders".into(),
                partition: number,
                leader,
                epoch: Some(3),
                in_sync: in_sync.to_vec(),
                replicas: vec![1, 2, 3],
                unclean: None,
            },
        );
    }

    pub fn fault(&mut self, suite: u32, step: &str, phase: FaultPhase, what: &str) -> &mut Self {
        let (id, step, kind) = (FaultId::default(), step.into(), FaultKind::NodeKilled);
        self.tell_of(suite, Event::Fault { id, step, phase, kind, what: what.into() })
    }

    pub fn sample(&mut self, suite: u32, client: &str, sent: u64, done: u64, p99: Option<f64>) {
        self.tell_of(
            suite,
            Event::Sample(Sample {
                client: client.into(),
                sent,
                done,
                failed: 0,
                latency_ms: p99.map(|p| [p / 4.0, p, p * 2.0]),
                partitions: partitions(done),
            }),
        );
    }

    pub fn end_suite(&mut self, suite: u32, verdict: Verdict) -> &mut Self {
        self.tell_of(suite, Event::SuiteEnded { verdict, reasons: Vec::new() })
    }

    pub fn end_run(&mut self, exit: u8) -> &mut Self {
        self.tell(Event::RunEnded { exit, signal: None })
    }

    pub fn record(&self) -> RunRecord {
        RunRecord::fold(self.events.clone()).expect("the story begins with the run")
    }
}

/// Why a process is what it is: `killed by step 4`.
fn said(why: &str) -> Why {
    match why.split_once(" by step ") {
        Some((done, step)) => Why::step(done, &step.into()),
        None => why.into(),
    }
}

pub fn us(seconds: f64) -> i64 {
    BOOT_US + (seconds * 1e6) as i64
}

pub fn step_info((id, title, verb, line, end_line): (&str, &str, &str, u32, u32)) -> StepInfo {
    StepInfo {
        id: id.into(),
        title: title.into(),
        verb: verb.into(),
        file: PathBuf::from("plans/unclean.yaml"),
        line,
        end_line,
        finally: id.starts_with('f'),
        fault: verb == "kill_broker",
    }
}

pub fn finding(condition: &str, line: u32, holds: Holds, expected: &str, found: &str) -> Finding {
    Finding {
        condition: condition.into(),
        line,
        holds,
        expected: expected.into(),
        found: found.into(),
        evidence: Vec::new(),
        after_ms: None,
    }
}

/// The story up to the assert: cluster, traffic, a kill at second 10, its end at 25.
fn until_assert(story: &mut Story) {
    use LaneState::{Dead, Starting, Up};
    story.at(0.1).suite(|_| {});
    story.tell(Event::Configured {
        who: SettingsOf::Cluster,
        settings: IndexMap::from([
            ("version".into(), "4.1.1".into()),
            ("mode".into(), "kraft".into()),
        ]),
    });
    story.at(0.2).begin(1, "1");
    for broker in 1..=3 {
        story.node(1, &format!("broker {broker}"), Starting, "step 1");
        story.at(5.0).node(1, &format!("broker {broker}"), Up, "step 1").at(0.3);
    }
    story.at(5.0).end(1, "1", Verdict::Passed);
    story.step(1, "2", 5.0, 6.0);
    (0..3).for_each(|p| story.partition(1, p, Some(p + 1), &[1, 2, 3]));
    story.at(6.0).begin(1, "3").client(1, "P", Up, "step 3").at(6.5).end(1, "3", Verdict::Passed);
    for second in 7..30 {
        let quiet = (10..14).contains(&second);
        story.at(f64::from(second));
        story.sample(1, "P", 100, if quiet { 40 } else { 100 }, (!quiet).then_some(8.0));
    }
    story.at(10.0).begin(1, "4").fault(1, "4", FaultPhase::Begins, "broker 2 killed");
    story.node(1, "broker 2", Dead, "killed by step 4");
    story.tell(Event::TargetResolved {
        step: "4".into(),
        target: "2".into(),
        nodes: vec!["broker 2".into()],
    });
    story.at(10.2).end(1, "4", Verdict::Passed);
    story.at(12.0).partition(1, 1, None, &[2]);
    story.at(14.0).partition(1, 1, Some(3), &[3]);
    story.at(10.2).begin(1, "5").at(14.5).end_with(1, "5", Verdict::Passed, |end| {
        let mut held = finding("progressing: [P]", 11, Holds::Yes, "progress", "on 3 partitions");
        held.after_ms = Some(4_300);
        end.findings.push(held);
    });
    story.at(25.0).begin(1, "6").node(1, "broker 2", Up, "started by step 6");
    story.fault(1, "4", FaultPhase::Ends, "broker 2 killed").at(27.0).end(1, "6", Verdict::Passed);
    story.step(1, "7", 30.0, 31.0);
    story.at(31.0).client(1, "P", LaneState::Stopped, "step 7");
}

fn audited(story: &mut Story, lost: u64) {
    story.at(31.0).begin(1, "8").at(32.0);
    story.tell(Event::Audited { messages: 2_060, took_ms: 800, topics: vec!["orders".into()] });
    story.tell(Event::Recorded {
        step: "8".into(),
        values: IndexMap::from([
            ("acked".into(), serde_json::json!({ "P": 2_060 })),
            ("lost".into(), lost.into()),
        ]),
    });
    story.tell(Event::Span(Box::new(Measurement {
        step: "8".into(),
        kind: Stretch::Recovered,
        client: "P".into(),
        place: Some("orders/1".into()),
        from_us: us(10.0),
        until_us: Some(us(14.3)),
        away_us: 0,
    })));
    story.end(1, "8", Verdict::Passed);
}

fn lost(count: u64) -> Anomaly {
    let example = |n: u64| Example {
        topic: "orders".into(),
        partition: 1,
        offset: Some(210 + n as i64),
        client: Some("P".into()),
        life: Some(1),
        sequence: Some(200 + n),
        count: 1,
        mono_us: Some(us(9.9) + n as i64 * 1_000),
        text: format!("P's message {} was acknowledged and is not in the log", 200 + n),
    };
    Anomaly {
        step: "9".into(),
        kind: "lost".into(),
        count,
        by: vec![AnomalyPlace { topic: "orders".into(), partition: 1, client: "P".into(), count }],
        examples: (0..count.min(5)).map(example).collect(),
        on_disk: None,
    }
}

pub fn passing() -> Story {
    let mut story = Story::new("docker", 1);
    until_assert(&mut story);
    audited(&mut story, 0);
    story.at(32.0).begin(1, "9").at(32.1).end_with(1, "9", Verdict::Passed, |end| {
        end.findings.push(finding("lost: 0", 17, Holds::Yes, "lost is 0", "0"));
        end.findings.push(finding("corrupted: 0", 18, Holds::Yes, "corrupted is 0", "0"));
    });
    story.step(1, "f1", 32.1, 33.0).at(33.0).end_suite(1, Verdict::Passed).end_run(0);
    story
}

pub fn failing() -> Story {
    let mut story = Story::new("docker", 1);
    until_assert(&mut story);
    audited(&mut story, 36);
    story.at(32.0).begin(1, "9").tell(Event::Anomaly(Box::new(lost(36))));
    story.at(32.1).end_with(1, "9", Verdict::Failed, |end| {
        let mut miss = finding("lost: 0", 17, Holds::No, "lost is 0", "36 of 2060 acknowledged");
        miss.evidence.push("orders/1: 36 of P, offsets 210 to 245".into());
        miss.evidence.push("acknowledged between 12:00:09.900 and 12:00:09.936".into());
        end.findings.push(miss);
        end.findings.push(finding("corrupted: 0", 18, Holds::Yes, "corrupted is 0", "0"));
    });
    story.step(1, "f1", 32.1, 33.0).at(33.0).end_suite(1, Verdict::Failed).end_run(1);
    story
}

pub fn broken() -> Story {
    let mut story = Story::new("docker", 1);
    story.at(0.1).suite(|_| {}).at(0.2).begin(1, "1").at(3.0);
    story.end_with(1, "1", Verdict::Broken, |end| {
        end.reason = Some("broker 3 exited by itself (137); out of memory".into());
    });
    for step in ["2", "3", "4", "5", "6", "7", "8", "9"] {
        story.skip(1, step, "an earlier step could not be done");
    }
    story.step(1, "f1", 3.0, 3.5).at(3.5).end_suite(1, Verdict::Broken).end_run(3);
    story
}

/// The runner was killed while it waited.
pub fn killed() -> Story {
    let mut story = Story::new("docker", 2);
    until_assert(&mut story);
    story.events.retain(|e| e.mono_us <= us(12.5));
    story
}

/// The messages of a second on three partitions, one of which has none.
fn partitions(done: u64) -> IndexMap<String, u64> {
    let shares = [done - done / 3, done / 3, 0];
    (0..).zip(shares).map(|(partition, done)| (format!("orders/{partition}"), done)).collect()
}
