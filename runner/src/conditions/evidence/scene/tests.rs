use super::*;
use crate::{
    conditions::evidence::{JudgedTime, Needs, lack},
    event::{FaultId, FaultKind},
    history::{
        Message,
        fixture::{header, history, message},
    },
    stage::faults::{Break, Struck},
};

const S: i64 = 1_000_000;

/// A producer that sends ten messages a second from 10 s to 30 s, in a transaction or not.
fn producer(dir: &std::path::Path, epoch: u32, downs: &[(i64, Option<i64>)]) -> Scene {
    let one = |i: i64| Message {
        epoch,
        ..message(Mark::Sent, 0, i.unsigned_abs(), -1, 10 * S + i * S / 10)
    };
    let sent: Vec<_> = (0..200).map(one).collect();
    let party = Party {
        name: "P".into(),
        sends: vec!["orders".into()],
        downs: downs.to_vec(),
        files: vec![history(dir, &header(Writer::ProducerSent, "P", 1, 1), &sent)],
        ..Party::default()
    };
    Scene { parties: vec![party] }
}

fn fault(from: i64, to: i64) -> Break {
    Break {
        id: FaultId(1),
        kind: FaultKind::NodeKilled,
        at_us: from * S,
        by_us: from * S,
        over_us: Some(to * S),
        step: "4".into(),
        around: Vec::new(),
        struck: Struck::Cluster([].into()),
        what: "broker 2 killed".into(),
    }
}

fn missing(scene: &Scene, traffic: Traffic, subject: Subject, faults: &[Break]) -> Option<String> {
    let needs = Needs { traffic, subject, faults: true, back: false };
    let span = JudgedTime { from_us: i64::MIN, since: None, faults: faults.to_vec() };
    lack(&needs, &span, scene).map(|lack| lack.why)
}

#[test]
fn each_fault_after_the_first_message_must_meet_traffic() {
    let dir = tempfile::tempdir().expect("a directory");
    let scene = producer(dir.path(), 0, &[]);
    let sent = |faults: &[Break]| missing(&scene, Traffic::Sent, Subject::default(), faults);
    assert_eq!(sent(&[]), None);
    assert_eq!(sent(&[fault(0, 5), fault(15, 20)]), None, "the first was over before");
    let why = sent(&[fault(15, 20), fault(60, 70)]).expect("the second met none");
    assert!(why.contains("nothing was sent") && why.contains("broker 2 killed"), "{why}");
    assert_eq!(sent(&[fault(9, 10)]), None, "the first message came at its end");
    let subject = |topic: &str, partition| Subject {
        topic: Some(topic.into()),
        partition,
        ..Subject::default()
    };
    let of = |subject| missing(&scene, Traffic::Sent, subject, &[fault(15, 20)]);
    assert_eq!(of(subject("orders", Some(0))), None);
    assert!(of(subject("orders", Some(1))).is_some(), "nothing went to that partition");
}

#[test]
fn what_a_frozen_producer_meant_to_send_is_no_traffic() {
    let dir = tempfile::tempdir().expect("a directory");
    let frozen = producer(dir.path(), 0, &[(14 * S, Some(22 * S))]);
    let sent = |faults: &[Break]| missing(&frozen, Traffic::Sent, Subject::default(), faults);
    assert!(sent(&[fault(15, 20)]).is_some(), "it was frozen all the time");
    assert_eq!(sent(&[fault(15, 23)]), None, "it was let go while the fault was in effect");
    assert_eq!(sent(&[fault(12, 20)]), None, "it was frozen later");
}

/// A client with a message each millisecond from 10 s to 10.2 s.
fn steady(writer: Writer, mark: Mark, dir: &std::path::Path) -> Party {
    let one = |i: i64| message(mark, 0, i.unsigned_abs(), i, 10 * S + i * 1000);
    let all: Vec<_> = (0..200).map(one).collect();
    Party { files: vec![history(dir, &header(writer, "P", 1, 1), &all)], ..Party::default() }
}

#[test]
fn a_run_that_goes_on_over_an_absence_is_no_traffic_in_it() {
    for (writer, mark) in [
        (Writer::ProducerSent, Mark::Sent),
        (Writer::ProducerHeard, Mark::Acked),
        (Writer::ProducerHeard, Mark::Failed),
        (Writer::Consumer, Mark::Delivered),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let mut party = steady(writer, mark, dir.path());
        let mut went_on = |downs: &[(i64, i64)], from: i64, to: i64| {
            let at = |ms: i64| 10 * S + ms * 1000 + 500;
            party.downs = downs.iter().map(|(from, to)| (at(*from), Some(at(*to)))).collect();
            let times = Times::of(at(from), at(to));
            party.sent(&Subject::default(), times, false) || party.took(&Subject::default(), times)
        };
        // Runs are of 10 ms: the absences lie within one, at the edge of two, and over several.
        for down in [(102, 107), (107, 113), (98, 102), (102, 150), (55, 145)] {
            let (begin, end) = down;
            assert!(!went_on(&[down], begin + 1, end - 1), "{mark:?} {down:?}");
            assert!(!went_on(&[(1, 2), (190, 192), down], begin + 1, end - 1), "{mark:?} {down:?}");
            assert!(went_on(&[down], begin - 3, end - 1), "{mark:?} {down:?}: before it");
            assert!(went_on(&[down], begin + 1, end + 3), "{mark:?} {down:?}: after it");
            assert!(
                went_on(&[(begin + 3, end)], begin, end),
                "{mark:?} {down:?}: at its beginning"
            );
        }
    }
}

#[test]
fn a_short_fault_is_noticed_for_a_second_by_those_who_were_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let short = Break { over_us: Some(15 * S + 20_000), at_us: 15 * S + 10_000, ..fault(15, 15) };
    let mut scene = producer(dir.path(), 0, &[]);
    let sent = |scene: &Scene| {
        missing(scene, Traffic::Sent, Subject::default(), std::slice::from_ref(&short))
    };
    assert_eq!(sent(&scene), None, "the next message came 80 ms later");
    for (from, to, there) in [(14, 16, false), (14, 30, false), (16, 17, true)] {
        scene.parties[0].downs = vec![(from * S, Some(to * S - 500_000))];
        assert_eq!(sent(&scene).is_none(), there, "away from {from} s to {to} s");
    }
}

/// A producer whose second message of two, sent at 11 s, was answered at 25 s.
fn waiting(dir: &std::path::Path, epoch: u32, downs: &[(i64, Option<i64>)]) -> Party {
    let one = |mark, seq, at: i64| Message { epoch, ..message(mark, 0, seq, -1, at * S) };
    let sent = [one(Mark::Sent, 0, 10), one(Mark::Sent, 1, 11)];
    let heard = [one(Mark::Acked, 0, 10), one(Mark::Acked, 1, 25)];
    Party {
        name: "P".into(),
        sends: vec!["orders".into()],
        downs: downs.to_vec(),
        files: vec![
            history(dir, &header(Writer::ProducerSent, "P", 1, 1), &sent),
            history(dir, &header(Writer::ProducerHeard, "P", 1, 1), &heard),
        ],
        ..Party::default()
    }
}

#[test]
fn what_was_on_its_way_over_the_whole_fault_is_traffic() {
    let dirs: Vec<_> = (0..4).map(|_| tempfile::tempdir().expect("one")).collect();
    let sent = |party: &Party, from: i64, to: i64, transactions| {
        party.sent(&Subject::default(), Times::of(from * S, to * S), transactions)
    };
    let party = waiting(dirs[0].path(), 0, &[]);
    assert!(sent(&party, 15, 20, false), "sent before it, answered after it");
    assert!(!sent(&party, 15, 20, true), "in no transaction");
    assert!(!sent(&party, 26, 30, false), "all was answered");
    let other = Subject { partition: Some(1), ..Subject::default() };
    assert!(!party.sent(&other, Times::of(15 * S, 20 * S), false), "nothing to that partition");
    assert!(sent(&waiting(dirs[1].path(), 1, &[]), 15, 20, true));
    let frozen = |from, to| [(from * S, Some(to * S))];
    let party = Party { downs: frozen(14, 21).to_vec(), ..party };
    assert!(!sent(&party, 15, 20, false), "frozen over the whole fault");
    let party = Party { downs: frozen(14, 18).to_vec(), ..party };
    assert!(sent(&party, 15, 20, false), "let go while the fault was in effect");
    // A life that was over before the fault waits for nothing, even if the next one does.
    let mut killed = waiting(dirs[2].path(), 0, &frozen(12, 13));
    let first = [message(Mark::Acked, 0, 0, -1, 10 * S)];
    killed.files[1] = history(dirs[3].path(), &header(Writer::ProducerHeard, "P", 1, 1), &first);
    let next = [message(Mark::Sent, 0, 0, -1, 25 * S)];
    killed.files.push(history(dirs[3].path(), &header(Writer::ProducerSent, "P", 1, 2), &next));
    assert!(!sent(&killed, 15, 20, false), "the first life was killed at 12 s");
}

#[test]
fn transactions_are_asked_for_where_they_are_meant() {
    let (dir, other) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    let of = |scene: &Scene, faults: &[Break]| {
        missing(scene, Traffic::Transactions, Subject::default(), faults)
    };
    let plain = producer(dir.path(), 0, &[]);
    let why = of(&plain, &[]).expect("there was none");
    assert_eq!(why, "nothing was sent in a transaction");
    assert_eq!(of(&producer(other.path(), 1, &[]), &[fault(15, 20)]), None);
}

/// A producer that sends to `orders` from 10 s to 30 s, and a service that reads it and was away for a time.
fn served(dir: &std::path::Path, started: i64, downs: &[(i64, Option<i64>)]) -> Scene {
    let mut scene = producer(dir, 0, &[]);
    let serves = Some(("orders".to_owned(), started * S));
    let (name, downs) = ("S".to_owned(), downs.to_vec());
    scene.parties.push(Party { name, serves, downs, ..Party::default() });
    scene
}

#[test]
fn what_is_sent_for_a_service_is_its_traffic_and_it_works_on_it_only_while_it_runs() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().expect("a directory"));
    let [first, second, third] = dirs.each_ref().map(tempfile::TempDir::path);
    let of = |scene: &Scene, traffic, subject: Subject, faults: &[Break]| {
        missing(scene, traffic, subject, faults)
    };
    let service = |name: &str| Subject { service: Some(name.into()), ..Subject::default() };
    let (asked, outage) = (service("S"), [fault(15, 20)]);
    let running = served(first, 5, &[]);
    for traffic in [Traffic::ToProcess, Traffic::Processed] {
        assert_eq!(of(&running, traffic, asked.clone(), &outage), None);
        let why = of(&running, traffic, asked.clone(), &[fault(40, 50)]).expect("none was sent");
        assert!(why.starts_with("nothing was sent that S"), "{why}");
        assert!(of(&running, traffic, service("T"), &outage).is_some(), "T is no service");
        for client in ["P", "Q"] {
            let one = Subject { client: Some(client.into()), ..asked.clone() };
            assert_eq!(of(&running, traffic, one, &outage).is_none(), client == "P", "{client}");
        }
    }
    for scene in [served(second, 5, &[(14 * S, Some(22 * S))]), served(third, 25, &[])] {
        assert_eq!(of(&scene, Traffic::ToProcess, asked.clone(), &outage), None, "it is owed");
        assert!(of(&scene, Traffic::Processed, asked.clone(), &outage).is_some(), "it was away");
    }
}

#[test]
fn a_copier_is_a_service_and_no_other_copiers_traffic_counts() {
    let dirs: Vec<_> = (0..2).map(|_| tempfile::tempdir().expect("one")).collect();
    let mut scene = producer(dirs[0].path(), 0, &[]);
    let taken = [message(Mark::Delivered, 0, 0, 0, 11 * S)];
    let files = vec![history(dirs[1].path(), &header(Writer::Consumer, "X", 3, 1), &taken)];
    let (reads, sends) = (vec!["orders".to_owned()], vec!["copies".to_owned()]);
    let name = "X".to_owned();
    scene.parties.push(Party { name, reads, sends, files, ..Party::default() });
    let of = |name: &str, traffic| {
        let subject = Subject { service: Some(name.into()), ..Subject::default() };
        missing(&scene, traffic, subject, &[fault(15, 20)]).is_none()
    };
    for (own, same) in
        [(Traffic::ToProcess, Traffic::ToCopy), (Traffic::Processed, Traffic::Copied)]
    {
        assert_eq!(missing(&scene, same, Subject::default(), &[fault(15, 20)]), None);
        assert!(of("X", own) && !of("Y", own), "{own:?}");
    }
}
