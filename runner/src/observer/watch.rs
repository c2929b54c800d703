//! The background watch: keeps the view of the cluster current and wakes the tasks that wait for it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::{broadcast, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    ask::Asker,
    change::Seen,
    hub::Hub,
    merge::{Authority, Via},
    poll::{Pace, Poller, Question, SILENCE},
    view::ClusterView,
    zookeeper,
};
use crate::{
    cluster::{Cluster, Node, Quorum},
    history::now_us,
    wire::Credentials,
};

/// A wait begins to judge after this time, even if a broker has not answered yet.
const HESITATION: Duration = Duration::from_millis(500);

/// Watches a cluster until it is dropped.
pub struct Observer {
    watch: Arc<Watch>,
    asker: Asker,
    /// Aborted on drop.
    _tasks: JoinSet<()>,
}

/// What the observer shares with its handles.
pub(super) struct Watch {
    hub: Arc<Hub>,
    pace: watch::Sender<Pace>,
}

/// While this value exists, brokers are polled every 40 ms.
#[derive(Debug)]
pub struct Hurry {
    pace: watch::Sender<Pace>,
}

impl Drop for Hurry {
    fn drop(&mut self) {
        self.pace.send_modify(|pace| pace.waiting = pace.waiting.saturating_sub(1));
    }
}

impl Observer {
    /// Starts watching `cluster`; must be called inside a tokio runtime.
    pub fn spawn(cluster: Arc<dyn Cluster>) -> Self {
        let authority = match cluster.spec().mode {
            _ if cluster.simulated() => Authority::Metadata,
            Quorum::Zookeeper => Authority::Zookeeper(None),
            Quorum::KraftCombined | Quorum::KraftSeparate(_) => Authority::Quorum(BTreeMap::new()),
        };
        let brokers: Vec<u32> = cluster.nodes().into_iter().filter_map(broker_number).collect();
        let quorum = matches!(authority, Authority::Quorum(_));
        let named = authority == Authority::Metadata;
        let credentials = Credentials::from_client_config(&cluster.client_config());
        let hub = Arc::new(Hub::new(brokers.iter().copied().collect(), authority));
        let (pace, paced) = watch::channel(Pace::default());
        let mut tasks = JoinSet::new();
        for broker in brokers {
            let poller = |question| Poller {
                broker,
                address: cluster.address(broker),
                credentials: vec![credentials.clone()],
                hub: hub.clone(),
                pace: paced.clone(),
                kicks: 0,
                question,
            };
            tasks.spawn(poller(Question::Metadata { controller: named }).run());
            if quorum {
                tasks.spawn(poller(Question::Quorum(Via::Broker(broker))).run());
            }
        }
        let known: Vec<Credentials> =
            cluster.controller_configs().iter().map(Credentials::from_client_config).collect();
        for (node, address) in cluster.controller_addresses() {
            let poller = Poller {
                broker: node,
                address,
                credentials: known.clone(),
                hub: hub.clone(),
                pace: paced.clone(),
                kicks: 0,
                question: Question::Quorum(Via::Controller(node)),
            };
            tasks.spawn(poller.run());
        }
        if let (Some(address), Quorum::Zookeeper) =
            (cluster.zookeeper_address(), cluster.spec().mode)
        {
            let hub = hub.clone();
            tasks.spawn(zookeeper::follow(address, move |znodes| hub.znodes(znodes)));
        }
        let watch = Arc::new(Watch { hub, pace });
        let asker = Asker::new(cluster, credentials, watch.clone());
        Self { watch, asker, _tasks: tasks }
    }

    /// The newest view: at most 40 ms old while a [`Hurry`] exists, else 750 ms.
    pub fn view(&self) -> Arc<ClusterView> {
        self.watch.view()
    }

    /// Views as they change.
    pub fn subscribe(&self) -> watch::Receiver<Arc<ClusterView>> {
        self.watch.hub.view()
    }

    /// Every change from now on, in order. A reader that falls 8192 changes behind gets an error.
    pub fn changes(&self) -> broadcast::Receiver<Seen> {
        self.watch.hub.changes()
    }

    /// For single requests.
    pub fn ask(&self) -> &Asker {
        &self.asker
    }

    /// Polls fast until the result is dropped.
    #[must_use]
    pub fn hurry(&self) -> Hurry {
        self.watch.hurry()
    }

    /// A view with answers that every living broker gave after this call began; waits at most two silence limits
    /// (3 s) for a broker that has just stopped answering.
    pub async fn fresh(&self) -> Arc<ClusterView> {
        self.watch.fresh().await
    }

    /// The last known controller, if it is proven that it still was the controller after `since_us`; none if
    /// it is known that there is none.
    pub fn controller_since(&self, since_us: i64) -> Result<Option<u32>, String> {
        self.watch.hub.controller_since(since_us)
    }

    /// Whether a broker that answers has reached the controller after `since_us`; true if there is
    /// no quorum.
    pub fn broker_heard_since(&self, since_us: i64) -> bool {
        self.watch.hub.broker_heard_since(since_us)
    }

    /// Why all brokers that answer may have missed the cluster's last decision, if they may.
    pub fn outdated(&self) -> Option<String> {
        self.watch.hub.outdated()
    }

    /// Waits until `judge` finds what it wants in a view that is not older than this call (except for
    /// brokers that do not answer within half a second), polling fast meanwhile.
    pub async fn until<T>(
        &self,
        limit: Duration,
        judge: impl FnMut(&ClusterView) -> Option<T>,
    ) -> Result<T, Arc<ClusterView>> {
        self.watch.until(limit, judge).await
    }

    /// Waits until every broker that answers lists all of `brokers`, and these answer too: the
    /// cluster, or a broker that was started, has joined.
    pub async fn all_listed(
        &self,
        brokers: &[u32],
        limit: Duration,
    ) -> Result<(), Arc<ClusterView>> {
        self.until(limit, |view| view.all_list(brokers).then_some(())).await
    }
}

impl Watch {
    pub(super) fn view(&self) -> Arc<ClusterView> {
        self.hub.view().borrow().clone()
    }

    pub(super) fn hurry(&self) -> Hurry {
        self.pace.send_modify(|pace| pace.waiting += 1);
        Hurry { pace: self.pace.clone() }
    }

    pub(super) async fn fresh(&self) -> Arc<ClusterView> {
        self.refresh(SILENCE * 2, true).await;
        self.view()
    }

    async fn refresh(&self, limit: Duration, quorum: bool) {
        let since = now_us();
        self.pace.send_modify(|pace| pace.kicks = pace.kicks.wrapping_add(1));
        // A missing answer is as good as one: a broker that does not answer drops out of the view.
        let _ = timeout(limit, self.hub.asked_since(since, quorum)).await;
    }

    async fn until<T>(
        &self,
        limit: Duration,
        mut judge: impl FnMut(&ClusterView) -> Option<T>,
    ) -> Result<T, Arc<ClusterView>> {
        let _hurry = self.hurry();
        let mut views = self.hub.view();
        let waiting = async {
            // An answer from before the wait began proves nothing; a broker that is slow now may be dying,
            // and the others' answers must not wait for it.
            self.refresh(HESITATION, false).await;
            loop {
                let view = views.borrow_and_update().clone();
                if let Some(found) = judge(&view) {
                    return Ok(found);
                }
                if views.changed().await.is_err() {
                    return Err(view);
                }
            }
        };
        timeout(limit, waiting).await.unwrap_or_else(|_| Err(self.view()))
    }
}

fn broker_number(node: Node) -> Option<u32> {
    match node {
        Node::Broker(n) => Some(n),
        Node::Controller(_) | Node::Zookeeper(_) => None,
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
