//! When a fault is said to begin, against an observer of the test's own: ignored unless asked for
//! (`--ignored`), with an engine and the image of `ci/kafka-image 4.1.1`.

mod common;

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use common::{alone, start};
use serde_json::Value;

/// How far the told moment may lie from the last answer that came out.
const NEAR_US: i64 = 50_000;
const LIMIT: Duration = Duration::from_secs(180);
/// A broker that says nothing for longer is struck.
const SILENCE_US: i64 = 1_000_000;

fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("before the year 294,000")
}

/// Asks which requests the broker knows (ApiVersions, version 0) and reads the answer.
fn ask(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255])?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)
}

/// Asks a broker without a pause; the times of its answers.
fn observe(address: String, done: Arc<AtomicBool>) -> JoinHandle<Vec<i64>> {
    std::thread::spawn(move || {
        let mut answers = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let Ok(mut stream) = TcpStream::connect(&address) else {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            };
            let limit = Duration::from_micros(SILENCE_US.unsigned_abs());
            stream.set_read_timeout(Some(limit)).expect("a limit");
            while !done.load(Ordering::Relaxed) && ask(&mut stream).is_ok() {
                answers.push(wall_us());
                std::thread::sleep(Duration::from_millis(2));
            }
            // A port that the engine holds for a broker that is not there takes every connection.
            std::thread::sleep(Duration::from_millis(5));
        }
        answers
    })
}

fn events(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("events.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Each broker's address for clients, once the cluster is up: nobody asks while it starts.
fn addresses(out: &Path) -> BTreeMap<String, String> {
    let end = Instant::now() + LIMIT;
    while Instant::now() < end {
        let all = events(out);
        let up = all.iter().any(|e| e["event"] == "step_ended" && e["step"] == "1");
        let told = all.into_iter().filter(|e| up && e["event"] == "configured");
        let address = |e: Value| {
            let listeners = e["settings"]["advertised.listeners"].as_str()?;
            let own = listeners
                .split(',')
                .find_map(|l| l.split("://").nth(1).filter(|a| a.starts_with("127.")))?;
            Some((e["who"].as_str()?.to_owned(), own.to_owned()))
        };
        let all: BTreeMap<_, _> = told.filter_map(address).collect();
        if all.len() == 3 {
            return all;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("three brokers tell their addresses")
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_fault_begins_when_an_observer_outside_gets_no_answer_any_more() {
    let _turn = alone();
    let dir = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("run");
    let mut run = start(&["runner/tests/plans/moments.yaml"], &out);
    let done = Arc::new(AtomicBool::new(false));
    let watched: Vec<_> = addresses(&out)
        .into_iter()
        .map(|(who, address)| (who, observe(address, done.clone())))
        .collect();
    let status = run.wait().expect("it ends");
    done.store(true, Ordering::Relaxed);
    let answers: BTreeMap<_, _> =
        watched.into_iter().map(|(who, seen)| (who, seen.join().expect("no panic"))).collect();
    let told = events(&out);
    assert!(status.success(), "{told:?}");
    let begins = told.iter().filter(|e| e["event"] == "fault" && e["phase"] == "begins");
    let mut compared = 0;
    for fault in begins {
        let what = fault["what"].as_str().expect("words");
        let at: jiff::Timestamp = fault["at"].as_str().expect("a time").parse().expect("a time");
        let at_us = at.as_microsecond();
        let seen = &answers[what.get(..8).expect("broker N")];
        // The last answer before the silence that this moment lies in or beside.
        let silences = seen.windows(2).filter(|two| two[1] - two[0] > SILENCE_US);
        let last = silences.map(|two| two[0]).min_by_key(|last| (last - at_us).abs());
        let off = last.map(|last| at_us - last).expect("it fell silent");
        eprintln!("{what}: told {off} us after the last answer outside");
        assert!(off.abs() <= NEAR_US, "{what}: told {off} us after the last answer outside");
        compared += 1;
    }
    assert_eq!(compared, 3, "a kill, a freeze and a cut");
    let found: Vec<&str> = told
        .iter()
        .filter(|e| e["event"] == "step_ended")
        .flat_map(|e| e["findings"].as_array().into_iter().flatten())
        .filter_map(|f| f["found"].as_str())
        .filter(|f| f.contains("came back within"))
        .collect();
    assert!(found.iter().any(|f| f.contains(" UTC (broker 2 killed)")), "{found:?}");
}
