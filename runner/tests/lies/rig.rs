//! One cluster for all lies, the proxy before it, and plans that meet one lie each.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock},
};

use kplan::{
    cluster::{Cluster, Quorum},
    event::{Holds, Verdict},
    identity::payload::{Decoded, decode, run_hash},
};

use super::{
    common::{
        Ran,
        cluster::{brokers, joined, launch, spec},
        run,
    },
    proxy::{Act, Deed, Proxy, Rule, Selector, Standing},
};

pub const VERSION: &str = "4.1.1";
/// What every plan asks for; each is 0 unless the lie is about it.
const WORDS: &[&str] = &[
    "lost",
    "expired",
    "duplicated",
    "reordered",
    "diverged",
    "corrupted",
    "undelivered",
    "redelivered",
    "skipped",
    "phantom",
    "unexpected_success",
    "unresolved",
];

/// The cluster and its proxy: made by the first test that needs them.
static RIG: LazyLock<Rig> = LazyLock::new(Rig::new);

struct Rig {
    proxy: Proxy,
    backend: PathBuf,
    _dir: tempfile::TempDir,
    addresses: BTreeMap<i32, String>,
    _cluster: Arc<dyn Cluster>,
    /// Serves the proxies.
    runtime: tokio::runtime::Runtime,
    /// Removes the cluster when this process has ended: a static is never dropped.
    _guardian: Child,
}

impl Rig {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let dir = tempfile::tempdir().expect("a directory");
        let mut spec = spec(VERSION, Quorum::KraftCombined, dir.path());
        spec.brokers = 2;
        let guardian = Command::new(env!("CARGO_BIN_EXE_kplan"))
            .args(["guardian", "--backend", "docker", "--run", &spec.run])
            .stdin(Stdio::piped())
            .spawn()
            .expect("the guardian starts");
        let (proxy, addresses, cluster) = runtime.block_on(async {
            let cluster = launch("docker", spec).await.expect("a cluster");
            joined(cluster.as_ref(), 2).await.expect("two brokers");
            let broker =
                |id: u32| (i32::try_from(id).expect("a small number"), cluster.address(id));
            let addresses: BTreeMap<_, _> =
                brokers(cluster.as_ref()).into_iter().map(broker).collect();
            (Proxy::start(&addresses).expect("a proxy"), addresses, cluster)
        });
        let backend = dir.path().join("backend.yaml");
        let text = format!("backend: v1\nbootstrap: [{}]\nversion: {VERSION}\n", proxy.bootstrap());
        std::fs::write(&backend, text).expect("a file");
        Self {
            proxy,
            backend,
            _dir: dir,
            addresses,
            _cluster: cluster,
            runtime,
            _guardian: guardian,
        }
    }
}

/// A proxy of one's own before the same cluster, and the `HOST:PORT` of each broker in it.
pub fn own_proxy() -> (Proxy, Vec<String>) {
    let proxy = RIG.runtime.block_on(async { Proxy::start(&RIG.addresses) }).expect("a proxy");
    let addresses = proxy.bootstrap().split(',').map(str::to_owned).collect();
    (proxy, addresses)
}

/// Who is lied to.
pub const PRODUCER: &str = "kplan-P-1";
pub const CONSUMER: &str = "kplan-C-1";
pub const AUDIT: &str = "kplan-audit-1";
/// Each life of the audit's reader.
pub const AUDITS: &str = "kplan-audit";

/// A lie, the plan that meets it, and what came of it.
pub struct Lie {
    topic: &'static str,
    to: &'static str,
    act: Act,
    after: u32,
    times: u32,
    producer: &'static str,
    linger: &'static str,
    /// Messages a second.
    rate: &'static str,
    late: bool,
}

impl Lie {
    /// To one client about a topic of the lie's own: about the fifth batch.
    pub fn new(topic: &'static str, to: &'static str, act: Act) -> Self {
        Self {
            topic,
            to,
            act,
            after: 4,
            times: 1,
            producer: "",
            linger: "20",
            rate: "500",
            late: false,
        }
    }

    /// About every batch.
    pub fn always(self) -> Self {
        Self { after: 0, times: u32::MAX, ..self }
    }

    /// What else the plan says of its producer.
    pub fn producer(self, producer: &'static str) -> Self {
        Self { producer, ..self }
    }

    /// With a producer that sends each message for itself, and has nothing to do but to wait for its
    /// answer.
    pub fn one_by_one(self) -> Self {
        Self { linger: "0", rate: "40", ..self }
    }

    /// With a consumer that starts when everything is in the log.
    pub fn late(self) -> Self {
        Self { late: true, ..self }
    }

    /// Runs the plan under the lie.
    pub fn tell(self) -> Told {
        let rig = &*RIG;
        let on = Selector { client: Some(self.to.into()), topic: Some(self.topic.into()) };
        let rule = Rule { on, act: self.act, after: self.after, times: self.times };
        let standing = rig.proxy.add(rule);
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lie.yaml");
        std::fs::write(&path, self.plan()).expect("a file");
        let backend = format!("external={}", rig.backend.display());
        let ran = run(&[path.to_str().expect("plain"), "--backend", &backend]);
        rig.proxy.remove(&standing);
        assert_eq!(rig.proxy.troubles(), Vec::<String>::new(), "the proxy understood everything");
        Told { ran, standing }
    }

    fn plan(&self) -> String {
        let Self { topic, producer, linger, rate, .. } = self;
        let mut words: Vec<&str> = WORDS.to_vec();
        let (mut count, mut sent) = (300, "  - wait: { until: [acked: { client: P, is: 300 }] }\n");
        if producer.contains("transactional") {
            words.push("aborted_read");
            (count, sent) = (5_000, SOME_ABORTED);
        }
        let words: Vec<String> = words.iter().map(|word| format!("      - {word}: 0\n")).collect();
        let consumer = format!("  - start_consumer: {{ name: C, topics: [{topic}] }}\n");
        let (before, after) = if self.late { ("", &consumer[..]) } else { (&consumer[..], "") };
        format!(
            "plan: v1
name: {topic}
timeout: 2m
steps:
  - start_cluster: {{ brokers: 2, version: {VERSION} }}
  - create_topic: {{ name: {topic}, partitions: 1, replicas: 2 }}
{before}  - start_producer:
      name: P
      topic: {topic}
      rate: {rate}/s
      count: {count}
      config: {{ batch.num.messages: 10, linger.ms: {linger} }}
{producer}{sent}{after}  - stop_client: [P, C]
  - assert:
{}",
            words.concat()
        )
    }
}

/// Some messages were aborted, and others were committed behind them.
const SOME_ABORTED: &str = "  - wait: { until: [aborted: { client: P, at_least: 40 }] }
  - record: [acked: { client: P }]
    capture: before
  - wait: { until: [acked: { client: P, at_least: '{{ before.acked.P + 60 }}' }] }
";

/// What kplan found, and what was done.
pub struct Told {
    ran: Ran,
    standing: Arc<Standing>,
}

impl Told {
    /// What was done.
    pub fn deeds(&self) -> Vec<Deed> {
        self.standing.deeds()
    }

    /// The offsets of the messages that it was done to, however often; at least one.
    pub fn offsets(&self) -> BTreeSet<(i32, i64)> {
        let deeds = self.deeds();
        let of = |deed: &Deed| {
            let partition = deed.partition;
            deed.records.iter().map(move |r| (partition, r.offset)).collect::<Vec<_>>()
        };
        let offsets: BTreeSet<_> = deeds.iter().flat_map(of).collect();
        assert!(!offsets.is_empty(), "no message was changed: {}", self.ran.why());
        offsets
    }

    /// How many messages it was done to; at least one.
    pub fn messages(&self) -> u64 {
        self.offsets().len() as u64
    }

    /// What stands beside the counts.
    pub fn notes(&self) -> String {
        let steps = self.ran.record.suites[0].steps.iter();
        let evidence = steps.flat_map(|s| &s.findings).flat_map(|f| &f.evidence);
        evidence.map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// Where a history of the plan's clients lies.
    pub fn history(&self, name: &str) -> PathBuf {
        let record = &self.ran.record;
        record.dir.join(&record.suites[0].info.dir).join("history").join(name)
    }

    /// The suite's verdict, and all that explains it.
    pub fn verdict(&self) -> (Verdict, String) {
        (self.ran.record.suites[0].verdict, self.ran.why())
    }

    /// kplan names the messages that it was done to, by the producer's sequence numbers.
    pub fn names(&self, kind: &str) -> &Self {
        let suite = &self.ran.record.suites[0];
        let found = suite.anomalies.iter().filter(|a| a.kind == kind);
        let examples = found.flat_map(|a| &a.examples);
        let ranges = examples.filter_map(|e| Some(e.sequence?..e.sequence? + e.count));
        let named: BTreeSet<u64> = ranges.flatten().collect();
        let deeds = self.deeds();
        let values = deeds.iter().flat_map(|deed| &deed.records).filter_map(|r| r.value.as_ref());
        let run = run_hash(&self.ran.record.info.run);
        let meant: BTreeSet<u64> = values
            .map(|value| match decode(Some(value), run) {
                Decoded::Identity(identity) => identity.seq,
                other => panic!("{other:?} is no message of the plan"),
            })
            .collect();
        assert_eq!(named, meant, "{kind}: {}", self.ran.why());
        self
    }

    /// kplan counted this, exactly, and nothing else; it was sure of each.
    pub fn counted(&self, expected: &[(&str, u64)]) -> &Self {
        let suite = &self.ran.record.suites[0];
        let found: BTreeMap<&str, u64> =
            suite.anomalies.iter().map(|a| (a.kind.as_str(), a.count)).collect();
        let findings: Vec<_> = suite.steps.iter().flat_map(|step| &step.findings).collect();
        let told = || format!("{:#?}\n{}", self.deeds(), self.ran.why());
        let asked = |word: &&&str| findings.iter().any(|f| f.condition == format!("{word}: 0"));
        assert_eq!(WORDS.iter().filter(asked).count(), WORDS.len(), "each is judged: {}", told());
        let unsure: Vec<_> = findings.iter().filter(|f| f.holds == Holds::Inconclusive).collect();
        assert!(unsure.is_empty(), "{unsure:#?}\n{}", told());
        let expected: BTreeMap<&str, u64> = expected.iter().copied().collect();
        assert_eq!(found, expected, "{}", told());
        let verdict = if expected.is_empty() { Verdict::Passed } else { Verdict::Failed };
        assert_eq!(suite.verdict, verdict, "{}", told());
        self
    }
}
