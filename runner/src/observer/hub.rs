//! Merges the pollers' answers and wakes the tasks that wait.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{broadcast, watch};

use super::{
    behind::Behind,
    change::{Memory, Seen, changes},
    merge::{Answer, Authority, Inputs, Via, Znodes, merge, quorum_leader},
    quorum::QuorumAnswer,
    view::ClusterView,
};
use crate::history::now_us;

/// How many changes a slow reader of the timeline may fall behind before the oldest are dropped.
const CHANGES_KEPT: usize = 8192;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// A broker's Metadata.
    Metadata(u32),
    Quorum(Via),
}

pub(super) struct Hub {
    state: Mutex<HubState>,
    view: watch::Sender<Arc<ClusterView>>,
    changes: broadcast::Sender<Seen>,
    rounds: watch::Sender<u64>,
}

struct HubState {
    inputs: Inputs,
    /// When the latest answer was requested.
    asked_us: BTreeMap<Source, i64>,
    /// Up to when each quorum answer, by the node through which it was asked, is certainly true.
    proven_us: BTreeMap<Via, i64>,
    memory: Memory,
    behind: Behind,
}

impl Hub {
    pub(super) fn new(expected: BTreeSet<u32>, authority: Authority) -> Self {
        let inputs = Inputs { expected, answers: BTreeMap::new(), authority };
        let first = Arc::new(merge(&inputs, now_us()));
        Self {
            state: Mutex::new(HubState {
                inputs,
                asked_us: BTreeMap::new(),
                proven_us: BTreeMap::new(),
                memory: Memory::default(),
                behind: Behind::default(),
            }),
            view: watch::channel(first).0,
            changes: broadcast::channel(CHANGES_KEPT).0,
            rounds: watch::channel(0).0,
        }
    }

    pub(super) fn view(&self) -> watch::Receiver<Arc<ClusterView>> {
        self.view.subscribe()
    }

    pub(super) fn changes(&self) -> broadcast::Receiver<Seen> {
        self.changes.subscribe()
    }

    /// A broker answered the request of `asked_us`.
    pub(super) fn answered(&self, broker: u32, asked_us: i64, answer: Answer) {
        self.update(Source::Metadata(broker), asked_us, |inputs| {
            let same = inputs.answers.get(&broker).is_some_and(|known| **known == answer);
            if !same {
                inputs.answers.insert(broker, Arc::new(answer));
            }
            !same
        });
    }

    /// A broker does not answer.
    pub(super) fn silent(&self, broker: u32, asked_us: i64) {
        self.update(Source::Metadata(broker), asked_us, |inputs| {
            inputs.answers.remove(&broker).is_some()
        });
    }

    /// The quorum's answer; none if there was none.
    pub(super) fn quorum(&self, via: Via, asked_us: i64, reported: Option<QuorumAnswer>) {
        let mut state = self.lock();
        if let (Via::Broker(broker), Some(QuorumAnswer { word, .. })) = (via, reported)
            && word.backed.unwrap_or(word.leader != broker)
        {
            state.behind.in_touch(broker);
        }
        match reported {
            Some(reported) => {
                let proven_us = asked_us.saturating_sub(reported.proof_ms.saturating_mul(1000));
                state.proven_us.insert(via, proven_us)
            }
            None => state.proven_us.remove(&via),
        };
        self.update_locked(state, Source::Quorum(via), asked_us, |inputs| {
            let Authority::Quorum(words) = &mut inputs.authority else { return false };
            match reported {
                Some(QuorumAnswer { word, .. }) => words.insert(via, word) != Some(word),
                None => words.remove(&via).is_some(),
            }
        });
    }

    /// The controller, if it is proven that it still was the controller after `since_us`: a controller that has just
    /// been cut off still claims to be it, and its voters' last fetches are not old yet.
    pub(super) fn controller_since(&self, since_us: i64) -> Result<Option<u32>, String> {
        let state = self.lock();
        let Authority::Quorum(words) = &state.inputs.authority else {
            let view = self.view.borrow();
            return view.controller_unknown.clone().map_or(Ok(view.controller), Err);
        };
        let word = quorum_leader(words, &state.inputs)?;
        let proven = |via: &Via| state.proven_us.get(via).is_some_and(|at| *at >= since_us);
        if words.iter().any(|(via, w)| *w == word && proven(via)) {
            return Ok(Some(word.leader));
        }
        Err(format!(
            "{} was the controller before the newest fault; since then no majority of the quorum \
             has been seen to follow it",
            word.leader
        ))
    }

    /// Whether a broker that answers has reached that controller after `since_us`: the brokers' answers are then not
    /// those of a side without a controller.
    pub(super) fn broker_heard_since(&self, since_us: i64) -> bool {
        let state = self.lock();
        let Authority::Quorum(words) = &state.inputs.authority else { return true };
        let Ok(word) = quorum_leader(words, &state.inputs) else { return false };
        let answers =
            |via: &Via| matches!(via, Via::Broker(b) if state.inputs.answers.contains_key(b));
        words.iter().any(|(via, w)| {
            let proven = state.proven_us.get(via).is_some_and(|at| *at >= since_us);
            *w == word && answers(via) && proven
        })
    }

    /// Why the newest view may be older than the cluster's last decision, if it may. ZooKeeper's state is
    /// never outdated.
    pub(super) fn outdated(&self) -> Option<String> {
        let state = self.lock();
        let quorum = matches!(state.inputs.authority, Authority::Quorum(_));
        quorum.then(|| state.behind.outdated(&self.view.borrow())).flatten()
    }

    /// ZooKeeper has a new state.
    pub(super) fn znodes(&self, znodes: Arc<Znodes>) {
        let mut state = self.lock();
        state.inputs.authority = Authority::Zookeeper(Some(znodes));
        self.publish(&mut state);
    }

    fn update(&self, source: Source, asked_us: i64, change: impl FnOnce(&mut Inputs) -> bool) {
        self.update_locked(self.lock(), source, asked_us, change);
    }

    fn update_locked(
        &self,
        mut state: MutexGuard<'_, HubState>,
        source: Source,
        asked_us: i64,
        change: impl FnOnce(&mut Inputs) -> bool,
    ) {
        state.asked_us.insert(source, asked_us);
        if change(&mut state.inputs) {
            self.publish(&mut state);
        }
        drop(state);
        self.rounds.send_modify(|n| *n = n.wrapping_add(1));
    }

    /// Under the lock, so that views and changes come in order.
    fn publish(&self, state: &mut HubState) {
        let now = now_us();
        let mut view = merge(&state.inputs, now);
        let before = self.view.borrow().clone();
        view.at_us = before.at_us;
        if view == *before {
            return;
        }
        view.at_us = now;
        for change in changes(&before, &view, &state.memory) {
            // There may be no receiver.
            let _ = self.changes.send(Seen { at_us: now, change });
        }
        state.memory.keep(&view);
        state.behind.keep(&view);
        self.view.send_replace(Arc::new(view));
    }

    /// Resolves when every living node was asked after `since_us` and has answered; without
    /// `quorum`, which cannot answer while its leader is dying, when the brokers' Metadata has.
    pub(super) async fn asked_since(&self, since_us: i64, quorum: bool) {
        let mut rounds = self.rounds.subscribe();
        while !self.all_asked(since_us, quorum) {
            if rounds.changed().await.is_err() {
                return;
            }
        }
    }

    fn all_asked(&self, since_us: i64, quorum: bool) -> bool {
        let state = self.lock();
        let asked = |source: Source| state.asked_us.get(&source).is_some_and(|at| *at >= since_us);
        let words = match &state.inputs.authority {
            Authority::Quorum(words) if quorum => words.keys().copied().collect(),
            _ => Vec::new(),
        };
        state.inputs.answers.keys().all(|b| asked(Source::Metadata(*b)))
            && words.into_iter().all(|b| asked(Source::Quorum(b)))
    }

    fn lock(&self) -> MutexGuard<'_, HubState> {
        // A panic elsewhere leaves complete inputs: every change of them is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observer::quorum::QuorumWord;

    #[test]
    fn what_was_proven_before_a_fault_proves_nothing_after_it() {
        let hub = Hub::new([1, 2].into(), Authority::Quorum(BTreeMap::new()));
        let reported = |epoch, leader, proof_ms| {
            let word = QuorumWord { epoch, leader, backed: Some(true) };
            Some(QuorumAnswer { word, proof_ms })
        };
        hub.answered(1, 0, Answer::default());
        hub.answered(2, 0, Answer::default());
        let (one, two) = (Via::Broker(1), Via::Controller(2));
        hub.quorum(one, 5_000_000, reported(7, 1, 800));
        assert_eq!(hub.controller_since(4_200_000), Ok(Some(1)));
        // The fault acted after the newest fetch that is certain.
        let doubt = hub.controller_since(4_200_001).expect_err("not proven");
        assert!(doubt.contains("before the newest fault"), "{doubt}");
        assert_eq!(hub.view().borrow().controller, Some(1), "the timeline keeps it");
        // Still answering, its voters' stamps grow old.
        hub.quorum(one, 6_000_000, reported(7, 1, 1800));
        assert!(hub.controller_since(4_200_001).is_err());
        hub.quorum(two, 6_500_000, reported(8, 2, 600));
        assert_eq!(hub.controller_since(4_200_001), Ok(Some(2)));
        assert!(!hub.broker_heard_since(4_200_001), "no broker follows it as far as is known");
        hub.quorum(two, 7_000_000, None);
        hub.quorum(one, 7_000_000, None);
        assert!(hub.controller_since(i64::MIN).is_err(), "nobody can be asked");
    }
}
