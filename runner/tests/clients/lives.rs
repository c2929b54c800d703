//! Clients that die, freeze, find nobody, or lose their runner.
#![allow(clippy::unwrap_used)]

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use kplan::{
    client::spec::{ClientSpec, ClientStart},
    history::{Mark, Writer},
};
use nix::sys::signal::Signal;

use super::rig::{LIMIT, Rig, count, ends, messages, runs, until};

#[tokio::test]
async fn a_killed_producers_history_is_whole() {
    let rig = Rig::new();
    let mut acked = Vec::new();
    for life in 1..=8_u16 {
        let mut spec = rig.producer(life);
        // Fast enough that every kill falls into the middle of something.
        spec.rate = Some(5_000.0);
        let producing = ClientSpec::Producer(spec);
        let producer = rig.start(producing.clone()).await;
        let wanted = u64::from(life) * 37;
        until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) > wanted).await;
        producer.kill().await.unwrap();
        let exit = producer.state().borrow().exit.clone().unwrap();
        assert!(!exit.clean && exit.text.contains('9'), "{exit:?}");
        let sent = messages(&runs(&producing, Writer::ProducerSent), Mark::Sent);
        let heard = messages(&runs(&producing, Writer::ProducerHeard), Mark::Acked);
        assert!(heard.len() as u64 > wanted);
        assert!(
            heard.iter().all(|m| sent.binary_search(&(m.0, m.1, m.2, -1)).is_ok()),
            "nothing is heard of that was not recorded as sent"
        );
        acked.extend(heard);
    }
    acked.sort_unstable();
    let found = messages(&rig.audit(&ends(&acked)).await, Mark::Found);
    let missing: Vec<_> = acked.iter().filter(|m| found.binary_search(m).is_err()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn a_frozen_producer_catches_up_without_leaving_anything_out() {
    let rig = Rig::new();
    let producing = ClientSpec::Producer(rig.producer(1));
    let producer = rig.start(producing.clone()).await;
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) > 50).await;
    producer.signal(Signal::SIGSTOP).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let frozen = count(&runs(&producing, Writer::ProducerSent), Mark::Sent);
    producer.signal(Signal::SIGCONT).await.unwrap();
    // 500/s over two seconds, at once.
    until(&producing, Writer::ProducerHeard, |r| count(r, Mark::Acked) > frozen + 900).await;
    producer.stop(LIMIT, vec![]).await.unwrap();
    let sent = runs(&producing, Writer::ProducerSent);
    let first = sent.iter().map(|run| run.first_us).min().unwrap();
    let last = sent.iter().map(|run| run.last_us).max().unwrap();
    let due = (last - first) / 2_000;
    let total = count(&sent, Mark::Sent).cast_signed();
    assert!((total - due).abs() <= 2, "{total} sent, {due} due: intended times are kept");
}

#[tokio::test]
async fn nobody_there_is_reported_with_its_cause() {
    let rig = Rig::new();
    let mut spec = rig.producer(1);
    spec.common.bootstrap = "127.0.0.1:1".into();
    let producer = rig.spawn(ClientSpec::Producer(spec)).await;
    producer.reach("told", LIMIT, |s| s.errors.len() >= 2).await.unwrap();
    let error = producer.ready(Duration::from_millis(10)).await.unwrap_err().to_string();
    // Either code is librdkafka's for it: the one for the broker, or the one for all of them.
    assert!(error.contains("_TRANSPORT") || error.contains("_ALL_BROKERS_DOWN"), "{error}");
    assert!(error.contains("127.0.0.1:1") && error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_setting_that_librdkafka_does_not_know_ends_the_client() {
    let rig = Rig::new();
    let mut spec = rig.consumer(1, 1);
    spec.common.config.insert("fetch.min.bytess".into(), "1".into());
    let consumer = rig.spawn(ClientSpec::Consumer(spec)).await;
    let error = consumer.ready(LIMIT).await.unwrap_err().to_string();
    assert!(error.contains("fetch.min.bytess"), "{error}");
    assert!(!consumer.state().borrow().exit.clone().unwrap().clean);
}

#[tokio::test]
async fn a_dropped_handle_takes_its_process_along() {
    let rig = Rig::new();
    let producer = rig.start(ClientSpec::Producer(rig.producer(1))).await;
    let (pid, state) = (producer.pid(), producer.state());
    drop(producer);
    let mut state = state;
    tokio::time::timeout(LIMIT, state.wait_for(|s| s.exit.is_some())).await.unwrap().unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn a_client_ends_with_its_runner_even_while_it_finds_nobody() {
    let rig = Rig::new();
    for brokers in [rig.bootstrap.clone(), "127.0.0.1:1".to_owned()] {
        let mut spec = rig.producer(1);
        spec.common.bootstrap = brokers;
        spec.common.dir = rig.dir.path().join(spec.common.bootstrap.len().to_string());
        std::fs::create_dir_all(spec.common.dir.join("history")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_kplan"))
            .args(["client", "--run", "R"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let line = serde_json::to_string(&ClientStart {
            spec: ClientSpec::Producer(spec),
            secrets: vec![],
        })
        .unwrap();
        writeln!(stdin, "{line}").unwrap();
        std::thread::sleep(Duration::from_millis(300));
        assert!(child.try_wait().unwrap().is_none(), "it runs as long as its stdin is open");
        drop(stdin);
        let since = Instant::now();
        assert_eq!(child.wait().unwrap().code(), Some(3));
        assert!(since.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_first_line_that_says_nothing_is_refused() {
    for line in ["", "{}", "{\"producer\": 1}", "\u{0}"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kplan"))
            .args(["client", "--run", "R"])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(2), "{line:?}");
    }
}
