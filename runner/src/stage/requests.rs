//! The actions of steps on requests of the plan's clients, and the proxies that carry them out.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    event::{FaultKind, StepRun},
    history::now_us,
    proxy::{
        Proxy,
        disturb::{DisturbCounts, DisturbRule, Disturbances, Disturber, StandingRule},
    },
    stage::{Running, Stage, faults::Struck, outcome::StepError, wants},
};

/// The disturbances of requests.
#[derive(Default)]
pub struct Requests {
    all: Arc<Disturbances>,
    /// One for each client, at this machine's address that the client reaches.
    proxies: Mutex<BTreeMap<(String, IpAddr), Proxy<Disturber>>>,
    in_force: Mutex<BTreeMap<StepRun, Arc<StandingRule>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Requests {
    /// Where a client finds the brokers: its own proxy.
    fn bootstrap(&self, client: &str, at: IpAddr, running: &Running) -> Result<String, StepError> {
        let mut proxies = lock(&self.proxies);
        let place = (client.to_owned(), at);
        if let Some(proxy) = proxies.get(&place) {
            return Ok(proxy.bootstrap().to_owned());
        }
        let cluster = &running.cluster;
        let broker = |id: u32| Some((i32::try_from(id).ok()?, cluster.address(id)));
        let brokers: BTreeMap<_, _> = cluster.brokers().into_iter().filter_map(broker).collect();
        let policy = Disturber { client: client.to_owned(), all: Arc::clone(&self.all) };
        let proxy = Proxy::start(at, &brokers, policy).map_err(|error| {
            StepError::rig(format!("the proxy of {client} cannot listen at {at}: {error}"))
        })?;
        let bootstrap = proxy.bootstrap().to_owned();
        proxies.insert(place, proxy);
        Ok(bootstrap)
    }

    /// A new cluster has other addresses.
    pub fn forget(&self) {
        lock(&self.proxies).clear();
    }

    /// What the proxies could not read or pass on.
    fn troubles(&self) -> Vec<String> {
        let proxies = lock(&self.proxies);
        let of = |((client, _), proxy): (&(String, IpAddr), &Proxy<Disturber>)| {
            let troubles = proxy.troubles().into_iter();
            troubles.map(|what| format!("{client} and {what}")).collect::<Vec<_>>()
        };
        proxies.iter().flat_map(of).collect()
    }
}

impl Stage {
    /// Where a client on this machine finds the brokers; none if it connects to them directly.
    pub fn through_proxy(
        &self,
        client: &str,
        running: &Running,
    ) -> Result<Option<String>, StepError> {
        if !wants::disturbs_requests(&self.plan) {
            return Ok(None);
        }
        self.requests.bootstrap(client, Ipv4Addr::LOCALHOST.into(), running).map(Some)
    }

    /// Where a client in a container finds the brokers: at this machine's address in the cluster's network if the plan
    /// has a proxy.
    pub fn bootstrap_in_network(
        &self,
        client: &str,
        bootstrap: String,
        gateway: Option<Ipv4Addr>,
        running: &Running,
    ) -> Result<String, StepError> {
        if !wants::disturbs_requests(&self.plan) {
            return Ok(bootstrap);
        }
        let at = gateway.ok_or_else(|| {
            StepError::rig(format!(
                "the container engine does not tell this machine's address in the cluster's network, so {client} cannot \
                 connect through the proxy that disturb_requests needs"
            ))
        })?;
        self.requests.bootstrap(client, at.into(), running)
    }

    /// Disturbs requests from now on; `what` says which and how.
    pub fn disturb_requests(&self, step: &StepRun, rule: DisturbRule, what: &str) {
        let struck = match &rule.clients {
            None => vec![Struck::Cluster(BTreeSet::new())],
            Some(names) => {
                let clients = names.iter().filter_map(|name| self.clients.get(name).ok());
                let one =
                    |client: &str, member| Struck::Client { client: client.to_owned(), member };
                clients
                    .flat_map(|c| {
                        c.members.iter().map(|m| one(&c.name, m.number)).collect::<Vec<_>>()
                    })
                    .collect()
            }
        };
        let begun_us = now_us();
        let standing = self.requests.all.add(rule);
        lock(&self.requests.in_force).insert(step.clone(), standing);
        for one in struck {
            self.fault_begins(begun_us.into(), step, FaultKind::Requests, one, what);
        }
    }

    /// Leaves the requests alone that a step disturbed, and returns how many it met and disturbed.
    pub fn leave_requests(&self, step: &StepRun) -> Result<DisturbCounts, StepError> {
        // None, if the step was cut off before it began.
        let rule = lock(&self.requests.in_force).remove(step);
        let counts = rule.map(|rule| self.requests.all.remove(&rule)).unwrap_or_default();
        let at_us = now_us();
        self.faults_end(&self.breaks.step_over(step, at_us), at_us);
        match self.requests.troubles().first() {
            Some(trouble) => Err(StepError::rig(format!(
                "the proxy between {trouble}, so it closed that connection"
            ))),
            None => Ok(counts),
        }
    }
}
