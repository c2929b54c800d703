//! What a service is: a program of the plan's author.

use std::{rc::Rc, sync::mpsc::Receiver};

use serde::{Deserialize, Serialize};

use super::{ClientBody, Common};
use crate::{
    audit::{Naming, ServiceWork},
    client::{
        ClientError,
        program::{Origin, ProgramKind, ProgramOwner, ProgramSpec},
        protocol::{ClientReport, Order},
        service,
        voice::Voice,
    },
    history::Writer,
};

/// What an instance of a service does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceSpec {
    pub common: Common,
    pub program: ProgramSpec,
    pub ready: ReadyWhen,
    /// What the plan says of its traffic.
    pub traffic: ServiceTraffic,
}

/// What a plan says of the traffic of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceTraffic {
    /// The topic that it reads.
    pub from: Option<String>,
    /// The topic that it writes.
    pub to: Option<String>,
    /// The group in which it reads.
    pub group: Option<String>,
    /// How many messages of `to` it makes of each message of `from`.
    pub outputs: u64,
}

/// When an instance of a service is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadyWhen {
    /// When it was started and has not ended at once.
    Runs,
    /// When it has written a line that matches.
    Log(String),
    /// When a GET request gets this status. The port is the one inside a container.
    Http { port: u16, path: String, status: u16 },
}

/// What stands for the topic that a service writes, if it writes elsewhere. No topic has such a name.
pub fn collected_from(service: &str) -> String {
    format!("output of {service}")
}

impl ServiceSpec {
    fn work_into(&self, to: String) -> Option<ServiceWork> {
        let ServiceTraffic { from, group, outputs, .. } = &self.traffic;
        let (group, from, naming) = (group.clone(), from.clone()?, Naming::Derived);
        Some(ServiceWork { group, from, to, outputs: *outputs, naming })
    }

    /// Whose program it is.
    pub(crate) fn owner(&self) -> ProgramOwner {
        let Common { run, name, member, life, .. } = &self.common;
        let (run, service) = (run.clone(), name.clone());
        ProgramOwner { run, service, member: *member, life: *life }
    }
}

impl ClientBody for ServiceSpec {
    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn writers(&self) -> &'static [Writer] {
        &[]
    }

    fn work(&self) -> Option<ServiceWork> {
        self.work_into(self.traffic.to.clone()?)
    }

    fn elsewhere(&self) -> Option<ServiceWork> {
        let into = self.traffic.to.is_none().then(|| collected_from(&self.common.name))?;
        self.work_into(into)
    }

    fn reads_unseen(&self) -> Option<(&str, &str)> {
        Some((self.traffic.group.as_deref()?, self.traffic.from.as_deref()?))
    }

    fn program(&self) -> Option<ProgramKind> {
        Some(ProgramKind::Service)
    }

    fn container(&self) -> Option<String> {
        match &self.program.origin {
            Origin::Container(container) => Some(container.name(&self.owner())),
            Origin::Command { .. } => None,
        }
    }

    fn run(
        &self,
        voice: &Rc<Voice>,
        orders: &Receiver<Order>,
    ) -> Result<ClientReport, ClientError> {
        service::run(self, voice, orders)
    }
}
