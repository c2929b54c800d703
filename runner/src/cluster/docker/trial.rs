//! What plans need of the engine and of its machine's kernel, tried in temporary containers for `kplan doctor`.

mod lines;

use std::{collections::BTreeMap, time::Duration};

use bollard::{
    Docker,
    errors::Error,
    models::{ContainerCreateBody, HostConfig, NetworkCreateRequest, PortBinding},
    query_parameters::KillContainerOptionsBuilder,
};
use tokio::time::{Instant, sleep, timeout};

pub use self::lines::lines;
use super::{
    super::{RigError, ports},
    addresses::LOOPBACK,
    cleanup::{self, OWNER_LABEL, RUN_LABEL},
    disks,
    engine::failed,
    exec::{self, BY, FROM},
    reach,
};
use crate::{
    engine::{self, ContainerIs},
    history::RunClock,
    new_container::start_new,
    processes,
};

/// What was tried, each with why it does not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// A process ends after SIGTERM, with its own exit status, and a second signal does no harm: `stop_broker`.
    pub stop: Result<(), String>,
    /// Processes stand still and go on.
    pub pause: Result<(), String>,
    /// A disk of a limited size can be filled and freed.
    pub disk: Result<(), String>,
    /// Network faults.
    pub kernel: KernelCan,
    /// How far the containers' clock is from this machine's, if farther than can be told.
    pub clock: Result<(), String>,
    /// A port that the engine publishes answers from here: every plan. None if the image cannot listen.
    pub port: Option<Result<(), String>>,
}

/// What network faults need.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelCan {
    /// Packets can be dropped: `partition_network`.
    pub drop: bool,
    /// A share of packets can be lost: `degrade_network: {loss}`.
    pub loss: bool,
    /// Bandwidth can be limited (qdisc tbf): `degrade_network: {bandwidth}`.
    pub bandwidth: bool,
    /// Packets can be delayed (qdisc netem): `degrade_network: {latency, jitter}`.
    pub latency: bool,
}

/// One word is printed for each thing that works.
const NETWORK: &str = "\
iptables -A INPUT -s 192.0.2.1 -j DROP && echo drop
iptables -A INPUT -s 192.0.2.1 -m statistic --mode random --probability 0.5 -j DROP && echo loss
tc qdisc add dev lo root tbf rate 1mbit burst 32kb latency 400ms && echo bandwidth
tc qdisc del dev lo root
tc qdisc add dev lo root netem delay 1ms && echo latency
exit 0";
/// Listens as a broker does, and ends by itself when it is asked to.
const WAITS: &str = "\
perl -MIO::Socket::INET -e '
  my $s = IO::Socket::INET->new(LocalPort => 9094, Listen => 5) or die; sleep 1 while 1' &
trap 'exit 42' TERM
while :; do sleep 60 & wait $!; done";
const PORT: u16 = 9094;
const STATUS: i64 = 42;
/// Size of the disk that is filled.
const DISK: u64 = 1 << 20;
const FILL: &str = "\
cd /disk && has=$(df -B1 --output=size . | tail -n 1) && [ $has -lt 16777216 ] || exit 1
head -c 16777216 /dev/zero 2>/dev/null >filler && exit 2
rm filler && echo x >after && echo filled";
/// Whether something listens on the port inside, which is written in hexadecimal there.
const LISTENS: &str = "grep -qi ':2386 ' /proc/net/tcp /proc/net/tcp6";
/// How long a listener may need to begin.
const LISTEN: Duration = Duration::from_secs(5);
/// How long a process may need to end.
const END: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
const LIMIT: Duration = Duration::from_secs(60);

/// Tries everything in a container of `image`, and leaves nothing behind.
pub async fn all(docker: &Docker, image: &str) -> Result<Tried, RigError> {
    let run = format!("doctor-{}", std::process::id());
    let trial = Trial { docker, name: format!("kplan-{run}") };
    let tried = timeout(LIMIT, trial.all(image, &run)).await;
    match tried {
        Ok(Ok(_)) => cleanup::remove_rest(&run).await?,
        // A request may still be under way.
        _ => cleanup::remove_run(&run).await?,
    };
    let what = "try what containers can do".to_owned();
    tried.map_err(|_| RigError::TimedOut { what, limit: LIMIT })?
}

struct Trial<'d> {
    docker: &'d Docker,
    /// Of the container, its network and its disk.
    name: String,
}

impl Trial<'_> {
    async fn all(&self, image: &str, run: &str) -> Result<Tried, RigError> {
        let labels = [(RUN_LABEL, run.to_owned()), (OWNER_LABEL, processes::owner())];
        let labels: BTreeMap<String, String> =
            labels.map(|(key, value)| (key.to_owned(), value)).into();
        let disk = disks::limited_volume(self.docker, &self.name, &labels, DISK).await;
        let disk = disk.map_err(|error| error.to_string());
        let reserved = ports::reserve()?;
        self.start(image, labels, disk.is_ok(), reserved.port).await?;
        let port = self.port(reserved.port).await?;
        let kernel = self.kernel().await?;
        let clock = self.clock().await?;
        let disk = match disk {
            Ok(()) => self.script(FILL).await?.and_then(|said| match said.trim() {
                "filled" => Ok(()),
                said => Err(format!("a disk of {DISK} bytes was not filled: {said}")),
            }),
            refused => refused,
        };
        let pause = self.pause().await?;
        let stop = self.stop().await?;
        Ok(Tried { stop, pause, disk, kernel, clock, port })
    }

    async fn start(
        &self,
        image: &str,
        labels: BTreeMap<String, String>,
        disk: bool,
        port: u16,
    ) -> Result<(), RigError> {
        let fail = |error| failed("start a container", &error);
        let network = NetworkCreateRequest {
            name: self.name.clone(),
            labels: Some(labels.clone().into_iter().collect()),
            ..Default::default()
        };
        self.docker.create_network(network).await.map_err(fail)?;
        let binding =
            PortBinding { host_ip: Some(LOOPBACK.to_owned()), host_port: Some(port.to_string()) };
        let inside = format!("{PORT}/tcp");
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            entrypoint: Some(vec!["/bin/bash".to_owned()]),
            cmd: Some(vec!["-c".to_owned(), WAITS.to_owned()]),
            user: Some("0:0".to_owned()),
            labels: Some(labels.into_iter().collect()),
            exposed_ports: Some(vec![inside.clone()]),
            host_config: Some(HostConfig {
                cap_add: Some(vec!["NET_ADMIN".to_owned()]),
                network_mode: Some(self.name.clone()),
                port_bindings: Some([(inside, Some(vec![binding]))].into()),
                binds: disk.then(|| vec![format!("{}:/disk", self.name)]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        start_new(self.docker, &self.name, body, Vec::new()).await.map_err(fail)
    }

    /// What a script printed; the inner error if it failed.
    async fn script(&self, text: &str) -> Result<Result<String, String>, RigError> {
        let output = exec::script(self.docker, &self.name, text).await?;
        let said = output.text();
        Ok(if output.succeeded() { Ok(said) } else { Err(said.trim().to_owned()) })
    }

    async fn port(&self, port: u16) -> Result<Option<Result<(), String>>, RigError> {
        let deadline = Instant::now() + LISTEN;
        let address = format!("{LOOPBACK}:{port}");
        loop {
            let answer = reach::answers(&address).await;
            if answer.is_ok() {
                return Ok(Some(answer));
            }
            let listens = self.script(LISTENS).await?.is_ok();
            if Instant::now() >= deadline {
                return Ok(listens.then_some(answer));
            }
            sleep(PAUSE * 5).await;
        }
    }

    async fn kernel(&self) -> Result<KernelCan, RigError> {
        let said = exec::script(self.docker, &self.name, NETWORK).await?.text();
        let has = |word: &str| said.lines().any(|line| line.trim() == word);
        Ok(KernelCan {
            drop: has("drop"),
            loss: has("loss"),
            bandwidth: has("bandwidth"),
            latency: has("latency"),
        })
    }

    /// Whether the containers' clock lies between two looks at this machine's.
    async fn clock(&self) -> Result<Result<(), String>, RigError> {
        let before = RunClock::now().wall_us;
        let output = exec::script(self.docker, &self.name, &format!("{FROM}; {BY}")).await?;
        let after = RunClock::now().wall_us;
        Ok(match output.stamps() {
            Some((from, by)) if before <= from && by <= after => Ok(()),
            Some((from, _)) => {
                let off = if from < before { before - from } else { from - after };
                Err(format!("it differs from this machine's by {} ms", off / 1_000))
            }
            None => Err("the image's bash is older than 5.0 and does not tell it".to_owned()),
        })
    }

    async fn pause(&self) -> Result<Result<(), String>, RigError> {
        let paused = self.docker.pause_container(&self.name).await;
        let first = self.state_after(paused, ContainerIs::Paused).await?;
        let resumed = self.docker.unpause_container(&self.name).await;
        let second = self.state_after(resumed, ContainerIs::Running).await?;
        Ok(first.and(second))
    }

    /// Whether the container is in a state after a request.
    async fn state_after(
        &self,
        done: Result<(), Error>,
        wanted: ContainerIs,
    ) -> Result<Result<(), String>, RigError> {
        let is = engine::is(self.docker, &self.name).await;
        let is = is.map_err(|error| failed("inspect a container", &error))?;
        let wrong = || format!("a container is {is:?} when it should be {wanted:?}");
        Ok(match done {
            Err(error) => Err(error.to_string()),
            Ok(()) if is != wanted => Err(wrong()),
            Ok(()) => Ok(()),
        })
    }

    async fn stop(&self) -> Result<Result<(), String>, RigError> {
        let inspect = |error| failed("inspect a container", &error);
        let term = || KillContainerOptionsBuilder::new().signal("SIGTERM").build();
        if let Err(error) = self.docker.kill_container(&self.name, Some(term())).await {
            return Ok(Err(error.to_string()));
        }
        let deadline = Instant::now() + END;
        while engine::is(self.docker, &self.name).await.map_err(inspect)? != ContainerIs::Ended {
            if Instant::now() >= deadline {
                return Ok(Err(format!("a process did not end within {END:?} after SIGTERM")));
            }
            sleep(PAUSE).await;
        }
        // The engine refuses it, in words of its own; what counts is that the state can be told after it.
        let _ = self.docker.kill_container(&self.name, Some(term())).await;
        let state = engine::inspect(self.docker, &self.name).await.map_err(inspect)?.state;
        Ok(match state.and_then(|state| state.exit_code) {
            Some(STATUS) => Ok(()),
            other => Err(format!("a process ended with {STATUS}, and the engine says {other:?}")),
        })
    }
}
