//! What services do, seen and counted.

use super::{copied_by_c10, copy, for_s, served, serving};
use crate::audit::testing::{Fate, World, run};
use crate::audit::{At, CountVerdict, GroupCommits, Measure, Scope, ServiceWork, Window};
use crate::history::{Mark, MessageRun};

#[test]
fn what_a_service_left_out_or_did_again_is_counted_and_shown() {
    let mut w = for_s();
    [0, 1, 2, 3, 4, 5, 6, 2, 3, 3].iter().for_each(|seq| _ = w.derive((1, 1), &[*seq]));
    assert_eq!(served(&w), (3, 3));
    let none = &w.evidence(Measure::Unprocessed)[0];
    assert_eq!((none.sequence, none.offset), (Some(7), Some(7)), "where it is in the input");
    assert_eq!(none.place.service.as_deref(), Some("S"));
    assert!(none.text.contains("no visible message of the output"), "{}", none.text);
    let again = &w.evidence(Measure::Overprocessed)[1];
    assert_eq!((again.sequence, again.offset), (Some(3), Some(9)), "where it is in the output");
    assert!(again.text.contains("3 messages of the output"), "{}", again.text);
    let none = w.audit(64).verdict(Measure::Uncopied, &Scope::default());
    assert!(matches!(none, CountVerdict::Inconclusive { .. }), "it is no copier: {none:?}");
}

#[test]
fn what_a_service_wrote_and_aborted_does_not_count() {
    let mut w = for_s();
    (0..10).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    w.second.push(MessageRun { count: 2, ..run(Mark::FoundAborted, 0, (0, 0), 0, 8) });
    assert_eq!(served(&w), (2, 0));
    (8..10).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    assert_eq!(served(&w), (0, 0), "written again after the abort");
}

#[test]
fn a_message_that_is_twice_in_the_input_is_processed_twice() {
    let mut w = for_s();
    w.append(run(Mark::Found, 0, (1, 1), 1, -1));
    (0..10).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    assert_eq!(served(&w), (1, 0));
    w.derive((1, 1), &[1]);
    assert_eq!(served(&w), (0, 0));
    w.derive((1, 1), &[1]);
    assert_eq!(served(&w), (0, 1));
}

#[test]
fn what_a_service_makes_of_messages_that_it_cannot_name_is_not_known() {
    let mut w = for_s();
    (0..9).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    w.append(run(Mark::Foreign, 0, (0, 0), 5, -1));
    for (measure, least) in [(Measure::Unprocessed, 1), (Measure::Overprocessed, 0)] {
        let (reason, found) = w.doubt(measure);
        assert!(reason.contains("t/0 holds messages without an identity of kplan (1)"), "{reason}");
        assert_eq!(found, least, "{measure:?}");
    }
    let mut w = for_s();
    w.client("P1").own_form = true;
    for measure in [Measure::Unprocessed, Measure::Overprocessed] {
        let (reason, found) = w.doubt(measure);
        assert!(reason.contains("the messages of P1 carry no identity that S can"), "{reason}");
        assert_eq!(found, 0);
    }
}

#[test]
fn a_service_that_began_at_the_end_left_out_what_was_there_before() {
    let mut w = for_s();
    (6..10).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    assert_eq!(served(&w), (6, 0));
}

#[test]
fn a_service_that_runs_may_still_process_what_is_missing() {
    let mut w = for_s();
    (0..10).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    w.client("S").running = true;
    assert_eq!(served(&w), (0, 0), "nothing is missing");
    w.second.retain(|r| r.first_offset < 8);
    let (reason, found) = w.doubt(Measure::Unprocessed);
    assert!(
        reason.contains("S is still running and may still process what is missing in t/0 (2)"),
        "{reason}"
    );
    assert_eq!(found, 0);
    w.client("S").running = false;
    assert_eq!(served(&w), (2, 0));
}

/// With the group that has committed 4, 7 and 9 messages were processed.
#[test]
fn what_a_group_has_committed_is_certain_and_the_rest_is_not() {
    let mut w = for_s();
    w.client("S").work = Some(ServiceWork { group: Some("services".into()), ..serving() });
    [0, 1, 3, 7, 9].iter().for_each(|seq| _ = w.derive((1, 1), &[*seq]));
    let (reason, found) = w.doubt(Measure::Unprocessed);
    assert!(reason.ends_with("committed offsets are not known: no broker was asked"), "{reason}");
    assert_eq!(found, 0);
    let commits = |w: &mut World, all: Vec<At>| {
        w.facts.groups.entry("services".into()).or_default().committed = GroupCommits::Known(all);
    };
    let at = |offset| vec![At { topic: "t".into(), partition: 0, offset }];
    commits(&mut w, vec![]);
    let (reason, found) = w.doubt(Measure::Unprocessed);
    assert_eq!(reason, "group services of S has not caught up: it has committed nothing in t/0");
    assert_eq!(found, 0);
    commits(&mut w, at(5));
    let (reason, found) = w.doubt(Measure::Unprocessed);
    assert_eq!(
        reason,
        "group services of S has not caught up: its committed offset in t/0 is 5 of 10"
    );
    assert_eq!(found, 2, "2 and 4");
    commits(&mut w, at(10));
    assert_eq!(served(&w), (5, 0));
    w.client("S").running = true;
    assert_eq!(w.doubt(Measure::Unprocessed).1, 0, "it may have committed before it writes");
}

#[test]
fn a_group_is_behind_only_where_something_is_missing() {
    let mut w = World::new(2);
    w.client("S").work = Some(ServiceWork { group: Some("services".into()), ..serving() });
    let at = |partition, offset| At { topic: "t".into(), partition, offset };
    w.facts.groups.entry("services".into()).or_default().committed =
        GroupCommits::Known(vec![at(0, 3)]);
    w.send((1, 1), 0, 5, Fate::Acked);
    (0..5).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    assert_eq!(served(&w), (0, 0));
    w.send((1, 1), 1, 5, Fate::Acked);
    let scope = |partition| Scope { partition: Some(partition), ..Scope::default() };
    let audit = w.audit(64);
    let verdict = |partition| audit.verdict(Measure::Unprocessed, &scope(partition));
    assert!(matches!(verdict(0), CountVerdict::Counted(f) if (f.count, f.judged) == (0, 5)));
    assert!(matches!(verdict(1), CountVerdict::Inconclusive { at_least, .. }
        if at_least.count == 0));
}

#[test]
fn several_outputs_of_each() {
    let mut w = World::new(1);
    w.send((1, 1), 0, 4, Fate::Acked);
    w.client("S").work = Some(ServiceWork { outputs: 3, ..serving() });
    [3, 2, 1, 4].iter().zip(0..).for_each(|(count, seq)| {
        (0..*count).for_each(|_| _ = w.derive((1, 1), &[seq]));
    });
    assert_eq!(served(&w), (2, 1));
    let evidence = w.evidence(Measure::Unprocessed);
    assert_eq!(evidence[0].sequence, Some(1));
    assert!(evidence[0].text.starts_with("2 visible messages"), "{}", evidence[0].text);
    assert!(evidence[0].text.ends_with("not 3"), "{}", evidence[0].text);
}

#[test]
fn a_message_made_of_several_is_derived_from_each() {
    let mut w = for_s();
    w.derive((1, 1), &[0, 1, 2, 3, 4]);
    w.derive((1, 1), &[4, 5, 6, 7]);
    assert_eq!(served(&w), (2, 1));
}

#[test]
fn a_surplus_stays_unless_the_input_may_grow() {
    let mut w = for_s();
    (0..10).chain([3]).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    w.client("S").running = true;
    assert_eq!(served(&w), (0, 1));
    w.client("P1").running = true;
    let (reason, found) = w.doubt(Measure::Overprocessed);
    assert!(reason.contains("and so is what writes to t"), "{reason}");
    assert_eq!(found, 0);
    w.client("S").running = false;
    assert_eq!(w.count(Measure::Overprocessed), 1, "it has written all that it will write");
}

/// In a chain the second service reads what the first one wrote.
#[test]
fn a_service_that_reads_from_another_one_is_judged_by_the_identities_that_came_along() {
    let mut w = for_s();
    w.client("S2").work = Some(ServiceWork { from: "u".into(), to: "t".into(), ..serving() });
    (0..6).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    // What S2 makes of them is in partition 0 of the first topic.
    for seq in [0, 1, 1] {
        w.append(run(Mark::Foreign, 0, (0, 0), 99, -1));
        let at = w.ends[&0] - 1;
        w.append_mark(run(Mark::Derived, 0, (1, 1), seq, at));
    }
    let scope = Scope { service: Some("S2".into()), ..Scope::default() };
    let audit = w.audit(64);
    let of = |measure| match audit.verdict(measure, &scope) {
        CountVerdict::Counted(finding) => (finding.count, finding.judged),
        CountVerdict::Inconclusive { reason, .. } => panic!("{reason}"),
    };
    assert_eq!((of(Measure::Unprocessed), of(Measure::Overprocessed)), ((4, 6), (1, 3)));
}

#[test]
fn services_of_other_topics_may_write_to_the_same_one() {
    let mut w = for_s();
    (0..10).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    // Of messages of a client that sends to another topic.
    (0..3).for_each(|_| _ = w.derive((7, 1), &[0]));
    assert_eq!(served(&w), (0, 0));
    w.client("S2").work = Some(serving());
    let (reason, _) = w.doubt(Measure::Overprocessed);
    assert!(reason.contains("S and S2 both write to u what they make of t"), "{reason}");
}

#[test]
fn a_scope_narrows_to_a_service_or_to_a_copiers_group() {
    let mut w = for_s();
    copied_by_c10(&mut w);
    copy(&mut w, 0..9);
    (0..4).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    let audit = w.audit(64);
    let of = |service: Option<&str>, client: Option<&str>| {
        let (service, client) = (service.map(Into::into), client.map(Into::into));
        let scope = Scope { service, client, ..Scope::default() };
        match audit.verdict(Measure::Unprocessed, &scope) {
            CountVerdict::Counted(finding) => Some(finding.count),
            CountVerdict::Inconclusive { .. } => None,
        }
    };
    assert_eq!(of(None, None), Some(7));
    assert_eq!((of(Some("S"), None), of(Some("C10"), None)), (Some(6), Some(1)));
    assert_eq!((of(Some("S"), Some("P1")), of(Some("S"), Some("P2"))), (Some(6), None));
    assert_eq!((of(None, Some("S")), of(Some("nobody"), None)), (Some(6), None));
}

#[test]
fn what_a_service_wrote_is_no_phantom_and_what_it_made_up_is_one() {
    let mut w = for_s();
    w.derive((1, 1), &[0]);
    w.second.push(run(Mark::Foreign, 0, (0, 0), 5, w.u_end));
    w.u_end += 1;
    assert_eq!(w.count(Measure::Phantom), 1);
    w.client("S").work = None;
    assert_eq!(w.count(Measure::Phantom), 2, "nothing of the plan writes there");
}

#[test]
fn what_was_made_of_later_messages_was_written_later() {
    let mut w = for_s();
    (0..10).chain([0]).for_each(|seq| _ = w.derive((1, 1), &[seq]));
    w.facts.window = Window::Since(w.tick());
    w.send((1, 1), 0, 4, Fate::Acked);
    assert!(w.doubt(Measure::Overprocessed).0.contains("before the moment of `since` or after it"));
    w.derive((1, 1), &[11]);
    (0..2).for_each(|_| _ = w.derive((1, 1), &[1]));
    assert_eq!(w.count(Measure::Unprocessed), 3, "of those that were sent since");
    // The second message derived from 0 may be from before or after the moment, those from 1 are from after it.
    let (_, certain) = w.doubt(Measure::Overprocessed);
    assert_eq!(certain, 2);
}
