use crate::stage::sight::*;

fn brokers(ids: &[u32]) -> BTreeSet<Node> {
    ids.iter().map(|n| Node::Broker(*n)).collect()
}

fn controllers(ids: &[u32]) -> BTreeSet<Node> {
    ids.iter().map(|n| Node::Controller(*n)).collect()
}

/// Whether these answers are taken for one side only, no backed controller being known.
fn doubted(
    answering: &[u32],
    living: &BTreeSet<Node>,
    voters: &BTreeSet<Node>,
    cuts: &Network,
) -> bool {
    let answering = answering.iter().copied().collect();
    one_side(&Side { answering: &answering, living, voters, network: cuts }).is_some()
}

#[test]
fn combined_nodes_seen_from_one_side() {
    let (all, whole) = (brokers(&[1, 2, 3]), Network::default());
    let parted = Network::parted(&[brokers(&[1]), brokers(&[2, 3])]);
    for (answering, living, cuts, doubt, what) in [
        (&[1][..], &all, &parted, true, "an isolated one alone, the others hidden"),
        (&[1], &all, &whole, true, "somebody else parted the network"),
        (&[], &all, &whole, true, "nobody answers"),
        (&[2, 3], &all, &parted, false, "the majority, and an election is going on"),
        (&[1, 2, 3], &all, &parted, false, "both sides: the newer leader epoch wins"),
        (&[1], &brokers(&[1]), &whole, false, "the plan killed the others"),
        (&[1], &brokers(&[1]), &parted, false, "the same: nobody is left on the other side"),
        (&[], &brokers(&[]), &whole, false, "the plan killed all"),
    ] {
        assert_eq!(doubted(answering, living, &all, cuts), doubt, "{what}");
    }
    let each = Network::parted(&[brokers(&[1]), brokers(&[2]), brokers(&[3])]);
    assert!(doubted(&[1, 2, 3], &all, &all, &each), "no side has a majority");
    let (five, living) = (brokers(&[1, 2, 3, 4, 5]), brokers(&[1, 2]));
    assert!(!doubted(&[1, 2], &living, &five, &each), "two of five vote for nobody");
    let (four, halves) = (brokers(&[1, 2, 3, 4]), &[brokers(&[1, 2]), brokers(&[3, 4])]);
    assert!(doubted(&[1, 2], &four, &four, &Network::parted(halves)), "half is no majority");
}

#[test]
fn nobody_decides_only_where_it_is_known_who_votes() {
    let (three, two, one) = (brokers(&[1, 2, 3]), brokers(&[1, 2]), brokers(&[1]));
    assert!(!nobody_decides(&three, &three) && !nobody_decides(&two, &three));
    assert!(nobody_decides(&one, &three) && nobody_decides(&brokers(&[]), &three));
    let unknown = controllers(&[]);
    assert!(!nobody_decides(&one, &unknown), "somebody else's controllers are not seen");
}

#[test]
fn a_line_that_loses_all_is_a_cut_one() {
    use crate::cluster::Link;
    let (one, two) = (Node::Broker(1), Node::Broker(2));
    let lossy = |loss| {
        let link = Link { loss: Some(loss), ..Link::default() };
        Network { links: [(two, link)].into(), ..Network::default() }
    };
    assert!(reaches(&Network::default(), one, two) && reaches(&lossy(0.99), one, two));
    assert!(!reaches(&lossy(1.0), one, two) && !reaches(&lossy(1.0), two, one));
    for cuts in [[(one, two)].into(), [(two, one)].into()] {
        assert!(!reaches(&Network { cuts, ..Network::default() }, one, two));
    }
}

#[test]
fn brokers_cut_off_from_controllers_of_their_own() {
    let (nodes, voters) = (brokers(&[1, 2, 3]), controllers(&[101, 102, 103]));
    let all: BTreeSet<Node> = nodes.union(&voters).copied().collect();
    let parted = Network::parted(&[nodes.clone(), voters.clone()]);
    assert!(doubted(&[1, 2, 3], &all, &voters, &parted), "no broker hears of what they decide");
    assert!(!doubted(&[1, 2, 3], &all, &voters, &Network::default()), "they elect one");
    let minority: BTreeSet<Node> = [Node::Broker(1), Node::Controller(101)].into();
    let rest: BTreeSet<Node> = all.difference(&minority).copied().collect();
    let parted = Network::parted(&[minority, rest]);
    assert!(!doubted(&[1, 2, 3], &all, &voters, &parted), "2 and 3 hear of it");
    assert!(doubted(&[1], &all, &voters, &parted));
    let only_101: BTreeSet<Node> = nodes.union(&controllers(&[101])).copied().collect();
    assert!(!doubted(&[1, 2, 3], &only_101, &voters, &parted), "the plan left no majority");
    let one_way = Network {
        cuts: voters.iter().flat_map(|v| nodes.iter().map(move |b| (*v, *b))).collect(),
        ..Network::default()
    };
    assert!(doubted(&[1, 2, 3], &all, &voters, &one_way), "one way is enough to break a line");
}
