//! When a fault is said to begin, and a client to have come back, against an observer of the test's own: ignored
//! unless asked for (`--ignored`), with an engine and the image of `ci/kafka-image 4.1.1`.

mod common;

use std::{
    collections::BTreeMap,
    io::{Error, Read, Write},
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

/// How far a reported moment may lie from the last answer that came out before a silence, and outside of the two
/// moments between which the observer knows that messages came through.
const NEAR_US: i64 = 50_000;
/// A partition gets every third of 200 messages a second. No more than this are sent to it before a fault acts for
/// sure (0.75 s): those that come through behind them were sent while it acted.
const ON_THEIR_WAY: i64 = 50;
const LIMIT: Duration = Duration::from_secs(180);
/// A broker that says nothing for longer is struck.
const SILENCE_US: i64 = 1_000_000;
const TOPIC: &[u8] = b"orders";
const PARTITIONS: usize = 3;

/// A question to a broker, and what it answered.
#[derive(Clone)]
struct Asked {
    at_us: i64,
    answer: Option<Answer>,
}

/// When an answer came, and the high watermark of each partition that this broker leads.
#[derive(Clone)]
struct Answer {
    at_us: i64,
    marks: Vec<Option<i64>>,
}

/// Two moments between which something happened. What lies between them is the observer's own error: its pause, the
/// time of an answer, and the time for which it did not get a processor.
#[derive(Clone, Copy, Debug)]
struct Between {
    from_us: i64,
    to_us: i64,
}

impl Between {
    /// How far a moment lies before (negative) or behind both.
    fn off(self, at_us: i64) -> i64 {
        (at_us - self.from_us).min(0) + (at_us - self.to_us).max(0)
    }
}

fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_micros()).expect("before the year 294,000")
}

/// Asks for the newest offset of each partition (ListOffsets, version 1).
fn ask(stream: &mut TcpStream) -> std::io::Result<Vec<Option<i64>>> {
    let mut body = vec![0, 2, 0, 1, 0, 0, 0, 7, 255, 255];
    body.extend((-1_i32).to_be_bytes());
    body.extend(1_i32.to_be_bytes());
    body.extend((TOPIC.len() as i16).to_be_bytes());
    body.extend(TOPIC);
    body.extend((PARTITIONS as i32).to_be_bytes());
    for partition in 0..PARTITIONS as i32 {
        body.extend(partition.to_be_bytes());
        body.extend((-1_i64).to_be_bytes());
    }
    let mut request = (body.len() as i32).to_be_bytes().to_vec();
    request.extend(body);
    stream.write_all(&request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    marks(&answer).ok_or_else(|| Error::other("no answer to ListOffsets"))
}

/// The number of the answer, one topic with its name, and its partitions: number, error, time, offset.
fn marks(answer: &[u8]) -> Option<Vec<Option<i64>>> {
    let mut rest = answer.get(4 + 4 + 2 + TOPIC.len() + 4..)?;
    let mut marks = vec![None; PARTITIONS];
    while let Some((each, others)) = rest.split_at_checked(4 + 2 + 8 + 8) {
        let partition = u32::from_be_bytes(each[..4].try_into().ok()?) as usize;
        let offset = i64::from_be_bytes(each[14..].try_into().ok()?);
        *marks.get_mut(partition)? = (each[4..6] == [0, 0]).then_some(offset);
        rest = others;
    }
    Some(marks)
}

/// Asks a broker without a pause to speak of.
fn observe(address: String, done: Arc<AtomicBool>) -> JoinHandle<Vec<Asked>> {
    std::thread::spawn(move || {
        let (mut seen, mut open) = (Vec::new(), None);
        while !done.load(Ordering::Relaxed) {
            let at_us = wall_us();
            let answer =
                open.take().map_or_else(|| connect(&address), Ok).and_then(|mut stream| {
                    let marks = ask(&mut stream)?;
                    open = Some(stream);
                    Ok(Answer { at_us: wall_us(), marks })
                });
            seen.push(Asked { at_us, answer: answer.ok() });
            // A port that the engine holds for a broker that is not there takes every connection.
            std::thread::sleep(Duration::from_millis(2));
        }
        seen
    })
}

fn connect(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_micros(SILENCE_US.unsigned_abs())))?;
    Ok(stream)
}

/// The last answer of a broker before it fell silent: before the silence that lies next to a moment.
fn fell_silent(seen: &[Asked], at_us: i64) -> Option<i64> {
    let answers: Vec<i64> = seen.iter().filter_map(|a| Some(a.answer.as_ref()?.at_us)).collect();
    let silences = answers.windows(2).filter(|two| two[1] - two[0] > SILENCE_US);
    silences.map(|two| two[0]).min_by_key(|last| (last - at_us).abs())
}

/// What came through on a partition, again and again: between the question before, to any of the brokers, and the
/// answer that showed a higher watermark.
fn grown(seen: &BTreeMap<String, Vec<Asked>>, partition: usize) -> Vec<(Between, i64)> {
    let mut answers: Vec<(Between, i64)> = Vec::new();
    for broker in seen.values() {
        for two in broker.windows(2) {
            let Some(answer) = &two[1].answer else { continue };
            let Some(mark) = answer.marks[partition] else { continue };
            answers.push((Between { from_us: two[0].at_us, to_us: answer.at_us }, mark));
        }
    }
    answers.sort_by_key(|(between, _)| between.to_us);
    let mut highest = i64::MIN;
    answers.retain(|(_, mark)| {
        let before = highest;
        highest = before.max(*mark);
        before < *mark
    });
    answers
}

/// When what was sent after the fault began came through, on the partition where that took longest. It is not
/// before anything came through again, later than a second after the fault began (which lasts for four), and not
/// after more came through than was on its way.
fn came_back(seen: &BTreeMap<String, Vec<Asked>>, from_us: i64) -> Option<Between> {
    let of = |partition| {
        let grown = grown(seen, partition);
        let before = grown.iter().rfind(|(each, _)| each.to_us <= from_us)?.1;
        let later = || grown.iter().filter(|(each, _)| each.to_us > from_us + SILENCE_US);
        let (first, _) = later().next()?;
        let (sure, _) = later().find(|(_, mark)| *mark > before + ON_THEIR_WAY)?;
        Some(Between { from_us: first.from_us, to_us: sure.to_us })
    };
    let ends: Option<Vec<Between>> = (0..PARTITIONS).map(of).collect();
    ends?.into_iter().reduce(|one, other| Between {
        from_us: one.from_us.max(other.from_us),
        to_us: one.to_us.max(other.to_us),
    })
}

fn events(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("events.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// When an event happened, by the wall clock.
fn at_us(event: &Value) -> i64 {
    let at: jiff::Timestamp = event["at"].as_str().expect("a time").parse().expect("a time");
    at.as_microsecond()
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

/// The plan's events, and what each broker answered meanwhile.
fn observed() -> (Vec<Value>, BTreeMap<String, Vec<Asked>>) {
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
    let seen = watched.into_iter().map(|(who, seen)| (who, seen.join().expect("no panic")));
    let (told, seen) = (events(&out), seen.collect());
    assert!(status.success(), "{told:?}");
    (told, seen)
}

/// A moment that kplan tells is the observer's, who knows it no better than he looks.
fn near(what: &str, told_us: i64, seen: Between) {
    let off = seen.off(told_us);
    let own = seen.to_us - seen.from_us;
    let words =
        format!("{what}: told {off} us beside what the observer saw, who knows it to {own} us");
    println!("{words}");
    assert!(off.abs() <= NEAR_US, "{words}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn a_fault_begins_and_a_client_is_back_when_an_observer_outside_sees_it() {
    let _turn = alone();
    let (told, seen) = observed();
    let begins: Vec<_> =
        told.iter().filter(|e| e["event"] == "fault" && e["phase"] == "begins").collect();
    assert_eq!(begins.len(), 3, "a kill, a freeze and a cut");
    for fault in begins {
        let what = fault["what"].as_str().expect("words");
        let last = fell_silent(&seen[what.get(..8).expect("broker N")], at_us(fault));
        let last = last.expect("it fell silent");
        near(what, at_us(fault), Between { from_us: last, to_us: last });
    }
    let recovered: Vec<_> =
        told.iter().filter(|e| e["event"] == "span" && e["kind"] == "recovered").collect();
    assert_eq!(recovered.len(), 2, "after the kill and after the freeze: {recovered:?}");
    for span in recovered {
        let wall = at_us(span) - span["mono_us"].as_i64().expect("a time");
        let moment = |key: &str| span[key].as_i64().expect("a time") + wall;
        let (from, until) = (moment("from_us"), moment("until_us"));
        let back = came_back(&seen, from).expect("it came back");
        let what = format!("recovered after {} ms", (until - from) / 1_000);
        near(&what, until, back);
    }
    let found: Vec<&str> = told
        .iter()
        .filter(|e| e["event"] == "step_ended")
        .flat_map(|e| e["findings"].as_array().into_iter().flatten())
        .filter_map(|f| f["found"].as_str())
        .filter(|f| f.contains("recovered within"))
        .collect();
    assert!(found.iter().any(|f| f.contains(" UTC (broker 2 killed)")), "{found:?}");
}
