//! One suite of checks over `trait Cluster` for every backend of the roster: each says what it can do, and must do it. The
//! simulation runs always; the others are ignored unless asked for: they need an engine with images, or Java and Maven.

mod common;
#[path = "conformance/compose.rs"]
mod compose_plugin;
#[path = "conformance/table.rs"]
mod table;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{
    cluster::{Any, backend, brokers, counts, joined, messages, produce, spec},
    existing::backend_file,
    gone_within, java, kubernetes, left_behind, real, run, run_id, start,
};
use kplan::{
    cluster::{
        AdminError, Cluster, ClusterSpec, Node, NodeState, Quorum,
        backend::{Backend, ROSTER, Setup, Sweep},
        external::ExternalBackend,
    },
    processes::{kill_processes, processes_of},
    record::RunRecord,
};
use kplan_dsl::{Capability, EnvNames, Memory, read_backend_with, value::DataFate};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// Loses a broker, with limits for a busy machine.
const PLAN: &str = "runner/tests/plans/one-broker.yaml";

/// What a backend says that it can do.
type Can = BTreeSet<Capability>;

/// An ability is there where the backend says so, and nowhere else.
fn abilities_are_as_told(c: &dyn Cluster, can: &Can) {
    let there = [
        (Capability::Upgrade, c.upgrades().err()),
        (Capability::NetworkPartition, c.network().err()),
        (Capability::NetworkDegradation, c.network().err()),
        (Capability::FullDisk, c.disks().err()),
        (Capability::Disks, c.disks().err()),
        (Capability::PowerLoss, c.power().err()),
        (Capability::SkewClock, c.clocks().err()),
        (Capability::DamageFiles, c.files().err()),
        (Capability::DiskCalls, c.disk_calls().err()),
        (Capability::Listeners, c.hosts().err()),
        (Capability::BrokerLogs, c.logs().err()),
    ];
    for (capability, refusal) in there {
        assert_eq!(refusal.is_none(), can.contains(&capability), "{capability:?}: {refusal:?}");
    }
}

/// What must hold on every backend, in every version and mode.
async fn the_whole_life(c: &dyn Cluster, can: &Can) -> Result<(), Any> {
    abilities_are_as_told(c, can);
    topics_are_created_or_refused(c, can).await?;
    produce(c, "orders", "before").await?;
    if can.contains(&Capability::Listeners) {
        sockets_are_seen(c).await?;
    }
    a_kill_keeps_data_and_addresses(c, can).await?;
    produce(c, "orders", "after").await?;
    assert_eq!(messages(c, "orders")?, 2, "what was written before the kill must be kept");
    let two = [Node::Broker(2)];
    if can.contains(&Capability::Pause) {
        c.pause(&two).await?;
        assert_eq!(c.state(two[0]).await?, NodeState::Paused);
        c.resume(&two).await?;
        assert_eq!(c.state(two[0]).await?, NodeState::Running);
        joined(c, 3).await?;
    } else {
        assert!(c.pause(&two).await.is_err(), "what cannot be done is refused");
    }
    if can.contains(&Capability::WipeDisk) && can.contains(&Capability::Stop) {
        a_lost_disk_is_filled_again(c).await?;
    }
    if can.contains(&Capability::ChangeTopics) {
        c.topics().delete_topic("orders").await?;
    }
    if can.contains(&Capability::BrokerLogs) {
        for node in c.nodes() {
            let log = c.logs()?.log_file(node).ok_or("no log")?;
            let lines = std::fs::read_to_string(log)?.lines().count();
            assert!(lines > 20, "{node} logged {lines} lines");
            assert!(c.effective_config(node).is_some_and(|text| text.contains("dat")));
        }
    }
    Ok(())
}

async fn topics_are_created_or_refused(c: &dyn Cluster, can: &Can) -> Result<(), Any> {
    let topic = |name, replicas| {
        let mut topic = counts(name, replicas);
        if !can.contains(&Capability::TopicSettings) {
            topic.config.clear();
        }
        topic
    };
    c.topics().create_topic(&topic("orders", 3)).await?;
    let refused = c.topics().create_topic(&topic("orders", 3)).await;
    assert!(matches!(&refused, Err(AdminError::Kafka(e)) if e.code == "TOPIC_ALREADY_EXISTS"));
    let refused = c.topics().create_topic(&topic("too-many", 4)).await;
    assert!(
        matches!(&refused, Err(AdminError::Kafka(e)) if e.code == "INVALID_REPLICATION_FACTOR"),
        "{refused:?}"
    );
    Ok(())
}

async fn sockets_are_seen(c: &dyn Cluster) -> Result<(), Any> {
    for broker in brokers(c) {
        let ports: Vec<u16> = c.hosts()?.sockets(broker).await?.iter().map(|s| s.port).collect();
        for port in c.hosts()?.listener_ports(broker) {
            assert!(ports.contains(&port), "broker {broker} does not listen on {port}: {ports:?}");
        }
    }
    Ok(())
}

/// All brokers at once: started one by one, combined KRaft nodes would wait for their quorum.
async fn a_kill_keeps_data_and_addresses(c: &dyn Cluster, can: &Can) -> Result<(), Any> {
    let addresses = || brokers(c).into_iter().map(|n| c.address(n)).collect::<Vec<_>>();
    let before = addresses();
    let all: Vec<Node> = brokers(c).into_iter().map(Node::Broker).collect();
    c.kill(&all).await?;
    c.kill(&all).await?;
    for node in &all {
        assert_eq!(c.state(*node).await?, NodeState::Dead);
    }
    let death = c.obituary(all[0]).await?.expect("it is dead");
    if can.contains(&Capability::BrokerLogs) {
        assert_eq!(death.exit, "killed by SIGKILL");
    }
    assert!(!death.exit.is_empty());
    c.check().await?;
    let began = Instant::now();
    c.start(&all, DataFate::Kept).await?;
    eprintln!("started again in {:?}", began.elapsed());
    joined(c, 3).await?;
    eprintln!("joined again after {:?}", began.elapsed());
    assert_eq!(before, addresses());
    Ok(())
}

async fn a_lost_disk_is_filled_again(c: &dyn Cluster) -> Result<(), Any> {
    let two = [Node::Broker(2)];
    c.stop(&two, Duration::from_secs(60)).await?;
    c.stop(&two, Duration::from_secs(60)).await?;
    assert_eq!(
        c.obituary(two[0]).await?.map(|death| death.exit).as_deref(),
        Some("ended by SIGTERM")
    );
    c.start(&two, DataFate::Wiped).await?;
    joined(c, 3).await?;
    produce(c, "orders", "last").await?;
    assert_eq!(messages(c, "orders")?, 3);
    // Frozen processes do not shut down.
    c.pause(&two).await?;
    assert!(c.stop(&two, Duration::from_secs(1)).await.is_err());
    c.kill(&two).await?;
    assert_eq!(c.state(two[0]).await?, NodeState::Dead);
    c.start(&two, DataFate::Kept).await?;
    joined(c, 3).await
}

/// Launches, works, and destroys whatever the work's end; then nothing of the run may be left.
async fn with_cluster(
    backend: &dyn Backend,
    spec: ClusterSpec,
    work: impl AsyncFnOnce(&dyn Cluster) -> Result<(), Any>,
) -> Result<(), Any> {
    let (began, run) = (Instant::now(), spec.run.clone());
    let cluster: Arc<dyn Cluster> = backend.launch(spec).await?;
    eprintln!("{run}: launched after {:?}", began.elapsed());
    let worked = match joined(cluster.as_ref(), 3).await {
        Ok(()) => {
            eprintln!("three brokers after {:?}", began.elapsed());
            work(cluster.as_ref()).await
        }
        Err(error) => Err(error),
    };
    let destroyed = cluster.destroy().await;
    let processes = processes_of(&run);
    kill_processes(&run);
    let mut left = backend.sweep(&run, Sweep::All).await?;
    // In Kubernetes the owner of a run's objects is there until the run ends, which sweeps.
    left.things.remove("jobs");
    worked?;
    destroyed?;
    assert!(left.is_empty() && processes.is_empty(), "left behind: {left:?}, {processes:?}");
    assert!(!backend.runs().await?.contains_key(&run));
    Ok(())
}

/// The whole life of a cluster of one line of the roster.
async fn life(name: &str, version: &str, mode: Quorum) -> Result<(), Any> {
    let dir = tempfile::tempdir()?;
    let spec = spec(version, mode, dir.path());
    let (backend, run) = (backend(name), spec.run.clone());
    backend.reach().await?;
    backend.prepare(&[version.to_owned()].into(), &run).await?;
    let can = backend.abilities().can;
    with_cluster(backend.as_ref(), spec, async |c| {
        if name == "local" {
            assert_eq!(processes_of(&run).len(), c.nodes().len(), "each shows the run's id");
        }
        the_whole_life(c, &can).await
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn docker_kraft_combined_4() -> Result<(), Any> {
    let _turn = real();
    life("docker", "4.4.0", Quorum::KraftCombined).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn docker_kraft_combined_3() -> Result<(), Any> {
    let _turn = real();
    life("docker", "3.9.1", Quorum::KraftCombined).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn docker_zookeeper_2() -> Result<(), Any> {
    let _turn = real();
    life("docker", "2.8.2", Quorum::Zookeeper).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a container engine: ci/test"]
async fn docker_zookeeper_0_10() -> Result<(), Any> {
    let _turn = real();
    life("docker", "0.10.1.1", Quorum::Zookeeper).await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Java and Maven: ci/test"]
async fn local_kraft_4() -> Result<(), Any> {
    let _turn = java();
    life("local", "4.1.1", Quorum::KraftCombined).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulation() -> Result<(), Any> {
    life("embedded", "4.1.1", Quorum::KraftCombined).await
}

/// No line of the roster is left out here.
#[test]
fn every_backend_of_the_roster_is_tried() {
    let own = include_str!("conformance.rs");
    for kind in ROSTER {
        // One with a file is tried on a cluster that was there: its file names that cluster.
        let tried = match kind.takes_file() {
            true => own.contains(&format!("{}={{}}", kind.name)),
            false => own.contains(&format!("life({:?}", kind.name)),
        };
        assert!(tried, "no test here has a cluster of {}", kind.name);
    }
}

/// What a backend cannot do comes with what the user can do about it.
#[test]
fn what_cannot_be_done_is_refused_with_advice() {
    for kind in ROSTER {
        let can = (kind.choose)(Setup::default()).backend.abilities();
        for lacking in Capability::ALL.iter().filter(|c| !can.can.contains(c)) {
            assert!(!(can.advice)(*lacking).is_empty(), "{}: {lacking:?}", kind.name);
        }
    }
}

async fn borrowed(c: &dyn Cluster) -> Result<(), Any> {
    let dir = tempfile::tempdir()?;
    let text = backend_file(c, dir.path())?;
    let files = Memory(BTreeMap::from([("b.yaml".into(), text.clone().into_bytes())]));
    let read = read_backend_with(Path::new("b.yaml"), &EnvNames::default(), Box::new(files));
    let file = Arc::new(read.file.ok_or(format!("{:?}", read.diagnostics))?);
    let exists = ExternalBackend::of(file);
    let can = exists.abilities().can;
    let attach = |spec| exists.launch(spec);

    // Another cluster than the plan's is refused with what differs.
    let wanted = spec("4.1.1", Quorum::KraftCombined, dir.path());
    for (other, words) in [
        (ClusterSpec { brokers: 2, ..wanted.clone() }, "has 3: 1, 2, 3"),
        (ClusterSpec { version: "3.9.1".parse()?, ..wanted.clone() }, "4.1"),
        (ClusterSpec { mode: Quorum::Zookeeper, ..wanted.clone() }, "`mode: kraft`"),
    ] {
        let error = attach(other).await.err().ok_or("refused")?.to_string();
        assert!(error.contains(words), "{error}");
    }

    let external = attach(wanted).await?;
    let e = external.as_ref();
    the_whole_life(e, &can).await?;
    // What was there before stays; what the plan made and broke is undone.
    c.topics().create_topic(&counts("of-others", 3)).await?;
    assert!(e.topics().delete_topic("of-others").await.is_err());
    e.topics().create_topic(&counts("of-the-plan", 3)).await?;
    e.kill(&[Node::Broker(1)]).await?;
    let told = e.give_back().await?.join("; ");
    assert!(told.contains("broker 1 started again") && told.contains("of-the-plan"), "{told}");
    assert_eq!(e.state(Node::Broker(1)).await?, NodeState::Running);
    joined(e, 3).await?;
    assert!(e.give_back().await?.is_empty(), "done once");
    let again = c.topics().create_topic(&counts("of-others", 3)).await;
    assert!(matches!(&again, Err(AdminError::Kafka(e)) if e.code == "TOPIC_ALREADY_EXISTS"));

    // And once more through the whole of kplan.
    let path = dir.path().join("cluster.yaml");
    std::fs::write(&path, &text)?;
    let backend = format!("external={}", path.display());
    let through = async |plan: &'static str| {
        let backend = backend.clone();
        tokio::task::spawn_blocking(move || run(&[plan, "--backend", &backend])).await
    };
    let ran = through(PLAN).await?;
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    assert_eq!(ran.record.info.backend, "external");
    let events = ran.events();
    assert!(events.contains("topic orders, created by this plan, deleted"), "{events}");
    // The second time the brokers have again what they had before the first.
    for _ in 0..2 {
        let ran = through("runner/tests/plans/left-altered.yaml").await?;
        assert_eq!(ran.status(), Some(0), "{}", ran.why());
        let events = ran.events();
        for told in ["settings of brokers", "quotas"] {
            let told = format!("{told}, changed by this plan, set back");
            assert!(events.contains(&told), "{events}");
        }
        assert!(events.contains(r#""num.io.threads":"8""#), "{events}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Java and Maven: ci/test"]
async fn a_cluster_that_exists() -> Result<(), Any> {
    let _turn = java();
    let dir = tempfile::tempdir()?;
    let spec = spec("4.1.1", Quorum::KraftCombined, dir.path());
    let run = spec.run.clone();
    let done = with_cluster(backend("local").as_ref(), spec, async |c| {
        let done = borrowed(c).await;
        // Those that the commands started belong to nobody.
        while kill_processes(&c.spec().run) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        done
    })
    .await;
    let left = gone_within(&run, Duration::from_secs(20));
    backend("local").sweep(&run, Sweep::All).await?;
    done?;
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

#[test]
#[ignore = "needs Java and Maven: ci/test"]
fn a_plan_runs_without_an_engine() {
    let _turn = java();
    let ran = run(&[PLAN, "--backend", "local"]);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    assert_eq!(ran.record.info.backend, "local");
    let left = left_behind(&ran.record.info.run);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
#[ignore = "needs Java and Maven: ci/test"]
fn a_killed_runner_leaves_no_process_and_no_directory() {
    let _turn = java();
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("run");
    let mut child = start(&["runner/tests/plans/patient.yaml", "--backend", "local"], &out);
    let id = run_id(&out, Duration::from_secs(120)).expect("the run began");
    let end = Instant::now() + Duration::from_secs(120);
    // A frozen process must go too.
    let broker = loop {
        let brokers = processes_of(&id);
        let line = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let is_broker =
            |pid: &u32| String::from_utf8_lossy(&line(pid)).contains("kplan.node=broker-1");
        if let Some(pid) = brokers.into_iter().find(is_broker) {
            break pid;
        }
        assert!(Instant::now() < end, "a broker starts");
        std::thread::sleep(Duration::from_millis(50));
    };
    kill(Pid::from_raw(broker.cast_signed()), Signal::SIGSTOP).expect("signalled");
    child.kill().expect("SIGKILL");
    child.wait().expect("reaped");
    let left = gone_within(&id, Duration::from_secs(30));
    assert!(left.is_empty(), "{left:?}");
    assert!(RunRecord::read(&out).is_ok(), "what was known is kept");
}

/// What takes too long for `ci/test`.
mod nightly {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs a Kubernetes: ci/nightly"]
    async fn kubernetes_kraft_combined() -> Result<(), Any> {
        let _turn = kubernetes();
        life("kubernetes", "4.1.1", Quorum::KraftCombined).await
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs a Kubernetes: ci/nightly"]
    async fn kubernetes_zookeeper() -> Result<(), Any> {
        let _turn = kubernetes();
        life("kubernetes", "0.10.1.1", Quorum::Zookeeper).await
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs a container engine: ci/nightly"]
    async fn docker_kraft_separate_4() -> Result<(), Any> {
        let _turn = real();
        life("docker", "4.1.1", Quorum::KraftSeparate(1)).await
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs Java and Maven: ci/nightly"]
    async fn local_zookeeper_0_10() -> Result<(), Any> {
        let _turn = java();
        life("local", "0.10.1.1", Quorum::Zookeeper).await
    }
}
