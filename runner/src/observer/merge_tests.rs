use super::*;

fn partition(number: u32, leader: Option<u32>, epoch: i32, in_sync: &[u32]) -> PartitionView {
    PartitionView {
        partition: number,
        leader,
        leader_epoch: Some(epoch),
        replicas: vec![1, 2, 3],
        in_sync: in_sync.to_vec(),
        offline: vec![],
        eligible: vec![],
    }
}

fn topic(id: &str, partitions: Vec<PartitionView>) -> TopicView {
    TopicView { internal: false, id: Some(id.to_owned()), partitions }
}

fn answer(lists: &[u32], topics: Vec<(&str, TopicView)>) -> Arc<Answer> {
    Arc::new(Answer {
        brokers: lists.iter().map(|b| (*b, (format!("127.0.0.1:{b}"), None))).collect(),
        controller: None,
        topics: topics.into_iter().map(|(name, t)| (name.to_owned(), t)).collect(),
    })
}

/// Broker, epoch and leader of each word.
fn quorum(words: &[(u32, i32, u32)]) -> Authority {
    Authority::Quorum(
        words
            .iter()
            .map(|(b, epoch, leader)| (Via::Broker(*b), word(*epoch, *leader, Some(true))))
            .collect(),
    )
}

fn word(epoch: i32, leader: u32, backed: Option<bool>) -> QuorumWord {
    QuorumWord { epoch, leader, backed }
}

fn kraft(answers: Vec<(u32, Arc<Answer>)>) -> ClusterView {
    let inputs = Inputs {
        expected: [1, 2, 3].into(),
        answers: answers.into_iter().collect(),
        authority: quorum(&[(1, 3, 2)]),
    };
    merge(&inputs, 7)
}

#[test]
fn an_isolated_leader_with_an_old_epoch_is_not_believed() {
    let old = || vec![("t", topic("a", vec![partition(0, Some(1), 4, &[1, 2, 3])]))];
    let new = || vec![("t", topic("a", vec![partition(0, Some(2), 5, &[2, 3])]))];
    // Broker 1 is cut off and still lists all brokers; before the others fence it, only epochs show that.
    for lists in [&[2, 3][..], &[1, 2, 3]] {
        let view = kraft(vec![
            (1, answer(&[1, 2, 3], old())),
            (2, answer(lists, new())),
            (3, answer(lists, new())),
        ]);
        let p = view.partition("t", 0).expect("seen by all");
        assert_eq!((p.leader, &p.in_sync[..]), (Some(2), &[2, 3][..]));
        assert_eq!(view.brokers_alive().contains(&1), lists.contains(&1));
    }
}

#[test]
fn within_an_epoch_the_living_leader_knows_the_in_sync_set() {
    let seen = |in_sync: &[u32]| vec![("t", topic("a", vec![partition(0, Some(2), 5, in_sync)]))];
    let all = &[1, 2, 3];
    let view = kraft(vec![
        (1, answer(all, seen(&[1, 2, 3]))),
        (2, answer(all, seen(&[2]))),
        (3, answer(all, seen(&[1, 2, 3]))),
    ]);
    assert_eq!(view.partition("t", 0).expect("seen by all").in_sync, [2]);
}

#[test]
fn an_isolated_broker_alone_is_still_heard() {
    let seen = vec![("t", topic("a", vec![partition(0, Some(1), 4, &[1])]))];
    let view = kraft(vec![(1, answer(&[2, 3], seen))]);
    assert_eq!(view.leader("t", 0), Some(1));
    assert_eq!(view.brokers_alive(), BTreeSet::new());
}

#[test]
fn a_deleted_topic_does_not_live_on_in_a_stale_broker() {
    let stale = || vec![("t", topic("a", vec![partition(0, Some(1), 9, &[1])]))];
    let gone = || answer(&[1, 2, 3], vec![]);
    let view = kraft(vec![(1, answer(&[1, 2, 3], stale())), (2, gone()), (3, gone())]);
    assert!(view.topics.is_empty());
    // Nor does its old incarnation win by its higher epoch.
    let fresh = || vec![("t", topic("b", vec![partition(0, Some(3), 0, &[3])]))];
    let seen = || answer(&[1, 2, 3], fresh());
    let view = kraft(vec![(1, answer(&[1, 2, 3], stale())), (2, seen()), (3, seen())]);
    assert_eq!(view.leader("t", 0), Some(3));
}

#[test]
fn the_controller_is_the_quorums_word_not_metadatas() {
    let mut seen = Answer { controller: Some(3), ..Answer::default() };
    seen.brokers.insert(1, (String::new(), None));
    let mut inputs = Inputs {
        expected: [1].into(),
        answers: [(1, Arc::new(seen))].into(),
        authority: quorum(&[(1, 8, 101), (2, 7, 102)]),
    };
    assert_eq!(merge(&inputs, 0).controller, Some(101));
    inputs.authority = quorum(&[(1, 8, 1)]);
    assert_eq!(merge(&inputs, 0).controller, Some(1));
    inputs.expected.insert(2);
    inputs.authority = quorum(&[(1, 8, 2)]);
    assert_eq!(merge(&inputs, 0).controller, None, "2 is a broker, and dead");
    inputs.authority = quorum(&[]);
    assert_eq!(merge(&inputs, 0).controller, None);
    inputs.authority = Authority::Zookeeper(None);
    assert_eq!(merge(&inputs, 0).controller, None);
    inputs.authority = Authority::Metadata;
    assert_eq!(merge(&inputs, 0).controller, None, "3 is dead");
    inputs.answers.insert(3, Arc::default());
    assert_eq!(merge(&inputs, 0).controller, Some(3));
}

const BACKED: Option<bool> = Some(true);
const ALONE: Option<bool> = Some(false);
/// Before Kafka 3.3.
const ABSENT: Option<bool> = None;

/// Which controller is known, from the nodes that answer and the quorum's answers through each of them.
fn controller(answering: &[u32], words: &[(u32, QuorumWord)]) -> Option<u32> {
    let inputs = Inputs {
        expected: [1, 2, 3].into(),
        answers: answering.iter().map(|b| (*b, answer(&[1, 2, 3], vec![]))).collect(),
        authority: Authority::Quorum(words.iter().map(|(b, w)| (Via::Broker(*b), *w)).collect()),
    };
    let view = merge(&inputs, 0);
    assert_ne!(view.controller.is_some(), view.controller_unknown.is_some(), "{view:?}");
    view.controller
}

#[test]
fn the_controller_is_who_leads_the_newest_epoch_with_a_majority() {
    let all = &[1, 2, 3][..];
    for (answering, words, known, what) in [
        (all, vec![(1, word(7, 1, BACKED))], Some(1), "the others' requests hang, it is backed"),
        (all, vec![(1, word(7, 1, ALONE))], None, "an isolated one, and nobody else can be asked"),
        (
            all,
            vec![(1, word(7, 1, ALONE)), (2, word(8, 2, BACKED))],
            Some(2),
            "the others' new one",
        ),
        (all, vec![(1, word(7, 1, BACKED)), (2, word(8, 2, BACKED))], Some(2), "just deposed"),
        (all, vec![(1, word(7, 1, BACKED)), (2, word(8, 2, ALONE))], None, "nobody follows it yet"),
        (all, vec![(1, word(7, 1, ALONE)), (2, word(7, 1, ALONE))], None, "however many say it"),
        (all, vec![], None, "every request hangs"),
        (&[2, 3], vec![(2, word(7, 1, BACKED))], None, "it does not answer any more"),
        (all, vec![(1, word(7, 101, BACKED))], Some(101), "a controller of its own"),
        (all, vec![(1, word(7, 101, ALONE)), (2, word(8, 102, BACKED))], Some(102), "a newer one"),
        (all, vec![(1, word(7, 101, ALONE))], None, "an old one's side"),
        (all, vec![(1, word(7, 1, ABSENT))], None, "without stamps one broker is no majority"),
        (all, vec![(1, word(7, 1, ABSENT)), (2, word(7, 1, ABSENT))], Some(1), "two of three are"),
        (all, vec![(1, word(7, 1, ABSENT)), (2, word(8, 2, ABSENT))], None, "one against one"),
        (&[1], vec![(1, word(7, 1, ABSENT))], Some(1), "nobody else answers: `whole` judges that"),
    ] {
        assert_eq!(controller(answering, &words), known, "{what}");
    }
}

#[test]
fn a_controller_that_is_hidden_from_clients_speaks_for_itself() {
    let mut inputs = Inputs {
        expected: [1, 2, 3].into(),
        answers: [(1, answer(&[1, 2, 3], vec![]))].into(),
        authority: Authority::Quorum([(Via::Controller(2), word(8, 2, BACKED))].into()),
    };
    assert_eq!(merge(&inputs, 0).controller, Some(2));
    inputs.authority = Authority::Quorum([(Via::Controller(3), word(8, 2, BACKED))].into());
    assert_eq!(merge(&inputs, 0).controller, None, "another's word may outlive it");
}

#[test]
fn zookeepers_word_counts_once_it_was_reached() {
    let mut inputs = Inputs {
        expected: [1].into(),
        answers: [(1, answer(&[1], vec![]))].into(),
        authority: Authority::Zookeeper(None),
    };
    let view = merge(&inputs, 0);
    assert!(view.controller.is_none() && view.controller_unknown.is_some(), "not reached yet");
    for controller in [Some(1), None] {
        let nodes = Znodes { controller, ..Znodes::default() };
        inputs.authority = Authority::Zookeeper(Some(Arc::new(nodes)));
        let view = merge(&inputs, 0);
        assert_eq!((view.controller, view.controller_unknown), (controller, None));
    }
}

fn znodes(ids: &[u32], leader: Option<u32>, in_sync: &[u32]) -> Znodes {
    let state = ZnodeState { leader, epoch: 3, in_sync: in_sync.to_vec() };
    Znodes {
        ids: ids.iter().copied().collect(),
        controller: Some(1),
        topics: [("t".to_owned(), [(0, vec![2, 1])].into())].into(),
        states: [(("t".to_owned(), 0), state)].into(),
    }
}

fn zookeeper(znodes: Znodes, answers: Vec<(u32, Arc<Answer>)>) -> ClusterView {
    let inputs = Inputs {
        expected: [1, 2].into(),
        answers: answers.into_iter().collect(),
        authority: Authority::Zookeeper(Some(Arc::new(znodes))),
    };
    merge(&inputs, 7)
}

#[test]
fn a_dead_leader_in_the_znode_leads_nothing() {
    let view = zookeeper(znodes(&[1], Some(2), &[2]), vec![]);
    let p = view.partition("t", 0).expect("in ZooKeeper");
    assert_eq!((p.leader, p.leader_epoch), (None, Some(3)));
    assert_eq!((&p.in_sync[..], &p.offline[..]), (&[2][..], &[2][..]));
    assert_eq!(view.offline(Some("t")).count(), 1);
    let view = zookeeper(znodes(&[1, 2], Some(2), &[2]), vec![]);
    assert_eq!(view.leader("t", 0), Some(2));
    assert_eq!(view.offline(None).count(), 0);
}

#[test]
fn znodes_win_over_late_metadata() {
    let late = vec![("t", topic("a", vec![partition(0, Some(1), 99, &[1, 2, 3])]))];
    let view = zookeeper(znodes(&[1, 2], Some(2), &[2]), vec![(1, answer(&[1, 2], late))]);
    assert_eq!(view.partition("t", 0).expect("in ZooKeeper").in_sync, [2]);
    assert_eq!(view.under_replicated(None).count(), 1);
    assert_eq!(view.controller, Some(1));
}

#[test]
fn a_partition_without_a_state_znode_has_no_leader_yet() {
    let mut fresh = znodes(&[1, 2], None, &[]);
    fresh.states.clear();
    let p = zookeeper(fresh, vec![]).partition("t", 0).cloned().expect("in ZooKeeper");
    assert_eq!((p.leader, p.leader_epoch, p.in_sync.len()), (None, None, 0));
}

#[test]
fn a_broker_is_alive_if_it_answers_and_is_listed() {
    let view = kraft(vec![(1, answer(&[1, 2], vec![])), (3, answer(&[1, 2, 3], vec![]))]);
    // 2 is listed and silent, 3 answers and is not listed by 1 (it is only joining).
    assert_eq!(view.brokers_alive(), [1].into());
    assert_eq!(view.brokers.len(), 3);
}

#[test]
fn min_isr_counts_by_topic() {
    let seen = vec![
        ("a", topic("a", vec![partition(0, Some(1), 1, &[1])])),
        ("b", topic("b", vec![partition(0, Some(1), 1, &[1])])),
    ];
    let view = kraft(vec![(1, answer(&[1], seen))]);
    let least = |name: &str| if name == "a" { 2 } else { 1 };
    let under: Vec<_> = view.below_min_isr(None, least).map(|(t, _)| t).collect();
    assert_eq!(under, ["a"]);
    assert_eq!(view.below_min_isr(Some("b"), least).count(), 0);
    assert_eq!(view.not_led_by_preferred(None).count(), 0);
}

#[test]
fn internal_topics_count_only_when_named() {
    let mut internal = topic("a", vec![partition(0, None, 1, &[])]);
    internal.internal = true;
    let view = kraft(vec![(1, answer(&[1], vec![("__consumer_offsets", internal)]))]);
    assert_eq!(view.offline(None).count(), 0);
    assert_eq!(view.offline(Some("__consumer_offsets")).count(), 1);
}

#[test]
fn joined_means_that_all_who_answer_list_it() {
    let view = kraft(vec![(1, answer(&[1, 2, 3], vec![])), (2, answer(&[1, 2], vec![]))]);
    assert!(view.all_list(&[1, 2]) && view.all_list(&[2]));
    assert!(!view.all_list(&[3]), "2 does not list it, and it does not answer");
    let view = kraft(vec![(1, answer(&[1, 3], vec![])), (3, answer(&[1, 3], vec![]))]);
    assert!(view.all_list(&[1, 3]), "a dead broker need not list anybody");
    assert!(!view.all_list(&[1, 2, 3]));
    assert!(!ClusterView::default().all_list(&[1]));
}
