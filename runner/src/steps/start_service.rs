//! `start_service`: all other steps treat a service as any other client.

use std::{
    collections::BTreeMap,
    env,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use indexmap::IndexMap;
use kplan_dsl::{
    Spanned,
    steps::StartService,
    value::{GroupState, ServiceSlot, ServiceText, SlotPart, TopicName},
};

use crate::{
    client::{
        program::{ContainerSpec, Origin, ProgramKind, ProgramSpec, PublishedPort},
        spec::{ClientSpec, Common, ReadyWhen, ServiceSpec, ServiceTraffic},
    },
    cluster::Membership,
    stage::{
        Running,
        clients::READY_LIMIT,
        outcome::{Done, ServiceCause, StepError},
    },
    steps::{Act, Cx, new_client},
};

/// Where a container has the certificate that clients trust.
const AUTHORITY: &str = "/kplan-ca.pem";
/// Time between two looks at the group.
const LOOK: Duration = Duration::from_millis(200);

#[async_trait]
impl Act for StartService {
    async fn act(&self, cx: &Cx<'_>) -> Result<Done, StepError> {
        let running = cx.stage.running()?;
        let instances = u16::try_from(*self.instances).unwrap_or(u16::MAX);
        let common = new_client::common(&self.name, None, &Default::default(), &running, cx)?;
        let (origin, seen) = origin(self, &common, instances, &running, cx).await?;
        let texts = self.env.iter().map(|(key, text)| Ok((key.to_owned(), seen.fill(text)?)));
        let env = texts.collect::<Result<IndexMap<_, _>, StepError>>()?;
        let program = ProgramSpec { origin, env, stdin: false };
        let spec = ServiceSpec { common, program, ready: when(self), traffic: traffic(self) };
        if let Some(group) = &self.group {
            running.cluster.topics().expect_group(group);
        }
        new_client::begin(&self.name, ClientSpec::Service(spec), instances, cx).await?;
        match (&self.group, self.ready.as_ref().and_then(|ready| ready.group.as_ref())) {
            (Some(group), Some(state)) => group_is(self, group, state.value, &running).await,
            _ => Ok(Done::default()),
        }
    }

    fn limit(&self) -> Option<Duration> {
        Some(READY_LIMIT * 2)
    }
}

fn traffic(args: &StartService) -> ServiceTraffic {
    let topic = |topic: &Option<Spanned<TopicName>>| topic.as_ref().map(ToString::to_string);
    ServiceTraffic {
        from: topic(&args.from),
        to: topic(&args.to),
        group: args.group.as_ref().map(ToString::to_string),
        outputs: u64::from(*args.outputs),
    }
}

/// The cluster as a service sees it.
struct ClusterValues<'a> {
    bootstrap: String,
    /// The path of the certificate that clients trust.
    authority: Option<String>,
    running: &'a Running,
}

impl ClusterValues<'_> {
    /// A text with the cluster's values in its slots.
    fn fill(&self, text: &ServiceText) -> Result<String, StepError> {
        let mut filled = String::new();
        for part in text.parts() {
            match part {
                SlotPart::Constant(bytes) => filled.push_str(&String::from_utf8_lossy(bytes)),
                SlotPart::Slot(slot) => filled.push_str(&self.value(slot)?),
            }
        }
        Ok(filled)
    }

    fn value(&self, slot: &ServiceSlot) -> Result<String, StepError> {
        match slot {
            ServiceSlot::Bootstrap => Ok(self.bootstrap.clone()),
            ServiceSlot::Authority => self.authority.clone().ok_or_else(|| {
                StepError::not_so("the cluster is not encrypted: it has no `cluster.ca_file`")
            }),
            ServiceSlot::Password(user) => {
                let known = self.running.cluster.access();
                let found = known.and_then(|access| access.users().find(|(name, _)| name == user));
                let password = found.map(|(_, password)| password.to_owned());
                password.ok_or_else(|| StepError::not_so(format!("the cluster has no user {user}")))
            }
        }
    }
}

/// Where the program comes from, and how it sees the cluster.
async fn origin<'r>(
    args: &StartService,
    common: &Common,
    instances: u16,
    running: &'r Running,
    cx: &Cx<'_>,
) -> Result<(Origin, ClusterValues<'r>), StepError> {
    let here = running.cluster.access().and_then(|access| access.authority.clone());
    let Some(image) = &args.image else {
        let authority = here.map(|path| path.display().to_string());
        let seen = ClusterValues { bootstrap: common.bootstrap.clone(), authority, running };
        let words = words(args, &seen)?.unwrap_or_default();
        let dir = env::current_dir().map_err(StepError::rig)?;
        return Ok((Origin::Command { words, dir }, seen));
    };
    let containers = running.cluster.containers()?;
    containers.has_image(image).await?;
    let Membership { network, labels, bootstrap, memory, gateway } = containers.membership()?;
    let bootstrap = cx.stage.bootstrap_in_network(&args.name, bootstrap, gateway, running)?;
    let authority = here.as_ref().map(|_| AUTHORITY.to_owned());
    let seen = ClusterValues { bootstrap, authority, running };
    let files = here.map(|path| (AUTHORITY.to_owned(), path));
    let container = ContainerSpec {
        image: image.value.clone(),
        command: words(args, &seen)?,
        network,
        labels,
        ports: ports(args, instances, running)?,
        files: files.into_iter().collect::<BTreeMap<_, _>>(),
        memory,
    };
    Ok((Origin::Container(container), seen))
}

fn words(args: &StartService, seen: &ClusterValues<'_>) -> Result<Option<Vec<String>>, StepError> {
    let words = args.command.as_ref().map(|command| command.value.iter());
    words.map(|all| all.map(|word| seen.fill(word)).collect()).transpose()
}

/// A port of this machine for each published port of each instance.
fn ports(
    args: &StartService,
    instances: u16,
    running: &Running,
) -> Result<Vec<PublishedPort>, StepError> {
    let inside = args.published();
    let mut all = Vec::new();
    for member in 1..=instances {
        for inside in inside.iter().filter_map(|port| u16::try_from(*port).ok()) {
            let host = running.cluster.containers()?.reserve_port()?;
            all.push(PublishedPort { member, inside, host });
        }
    }
    Ok(all)
}

/// When an instance is ready by what it does itself.
fn when(args: &StartService) -> ReadyWhen {
    let ready = args.ready.as_ref().map(|ready| &ready.value);
    match ready.map(|ready| (&ready.log, &ready.http)) {
        Some((Some(pattern), _)) => ReadyWhen::Log(pattern.value.clone()),
        Some((None, Some(http))) => ReadyWhen::Http {
            port: u16::try_from(*http.port).unwrap_or_default(),
            path: http.path.value.clone(),
            status: u16::try_from(http.status).unwrap_or_default(),
        },
        _ => ReadyWhen::Runs,
    }
}

/// Waits until the observer sees the group in a state.
async fn group_is(
    args: &StartService,
    group: &str,
    state: GroupState,
    running: &Running,
) -> Result<Done, StepError> {
    let begun = Instant::now();
    loop {
        let reported = running.observer.ask().group(group).await;
        if reported.is_ok_and(|group| group.state == state.to_string()) {
            return Ok(Done::default());
        }
        if begun.elapsed() > READY_LIMIT {
            return Err(StepError::Service(ServiceCause::NotInTime {
                kind: ProgramKind::Service,
                name: args.name.to_string(),
                what: "in its group",
                limit: READY_LIMIT,
            }));
        }
        tokio::time::sleep(LOOK).await;
    }
}
