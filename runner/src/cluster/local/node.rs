//! One node: its files, and the process of each of its lives.

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::{
    process::Command,
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::super::{
    ClusterSpec, Node, NodeState, Preload, RigError, Version,
    addresses::{Addresses, Purpose},
    config,
    ending::{self, Death, Ending},
    storage,
};
use super::{Java, PAUSE, Software, clocks, disk_calls, failed, power, process};

/// How long Kafka's own tool may need to format a node's storage.
const FORMAT_LIMIT: Duration = Duration::from_secs(90);
/// Where a node's storage keeps what a format wrote.
const CHECKPOINT: &str = "data/bootstrap.checkpoint";
const TAIL_LINES: usize = 20;
/// Bytes of a log's end that are searched for its last lines.
const TAIL_BYTES: u64 = 16 * 1024;

/// What all nodes of a cluster have in common.
#[derive(Clone)]
pub struct Common {
    /// What was asked for.
    pub spec: ClusterSpec,
    pub at: Addresses,
    pub java: Java,
    pub software: Arc<Software>,
    /// What a format writes, in KRaft mode.
    pub checkpoint: Option<Vec<u8>>,
}

/// A node with its files.
pub struct LocalNode {
    pub node: Node,
    home: PathBuf,
    pub log: PathBuf,
    port: u16,
    life: Mutex<ProcessLife>,
}

struct ProcessLife {
    /// Its configuration as written.
    properties: String,
    process: Option<Process>,
    /// It should be running.
    wanted: bool,
    /// Its own software, if that differs from the cluster's.
    own: Option<Arc<Software>>,
}

#[derive(Clone)]
struct Process {
    pid: Pid,
    /// Exit code, or 128 and the signal, once it has ended.
    ended: watch::Receiver<Option<i64>>,
}

/// The variables of a node that has kplan's own object.
fn preloaded(home: &Path, what: Preload) -> Result<Vec<(&'static str, String)>, RigError> {
    let mut all = vec![power::object(home)?];
    if what.power {
        all.extend(power::prepare(home)?);
    }
    if what.disks {
        all.extend(disk_calls::prepare(home)?);
    }
    if what.clocks {
        all.push(clocks::prepare(home)?);
    }
    Ok(all)
}

impl LocalNode {
    /// Creates its directory and writes its configuration.
    pub fn prepare(common: &Common, node: Node) -> Result<Self, RigError> {
        let home = PathBuf::from(common.at.home(node));
        std::fs::create_dir_all(&home).map_err(|error| failed("make", &home, &error))?;
        let purpose = match node {
            Node::Broker(_) => Purpose::External,
            Node::Controller(_) => Purpose::Controller,
            Node::Zookeeper(_) => Purpose::Zookeeper,
        };
        let life =
            ProcessLife { properties: String::new(), process: None, wanted: false, own: None };
        let this = Self {
            node,
            log: common.spec.dir.join("logs").join(format!("{}.log", node.slug())),
            port: common.at.port(node, purpose),
            home,
            life: Mutex::new(life),
        };
        this.configure(common, &common.spec.version)?;
        Ok(this)
    }

    /// The port under which this machine reaches it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its own directory.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Its configuration as written.
    pub fn properties(&self) -> String {
        self.life().properties.clone()
    }

    /// Writes the configuration for a version.
    fn configure(&self, common: &Common, version: &Version) -> Result<(), RigError> {
        let spec = ClusterSpec { version: version.clone(), ..common.spec.clone() };
        let settings = config::settings(&spec, self.node, &common.at, self.port);
        let text = config::render(&settings);
        self.write("node.properties", text.as_bytes())?;
        self.write("log4j.properties", LOG4J.as_bytes())?;
        self.write("log4j2.xml", LOG4J2.as_bytes())?;
        self.life().properties = text;
        Ok(())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RigError> {
        let path = self.home.join(name);
        std::fs::write(&path, bytes).map_err(|error| failed("write", &path, &error))
    }

    /// Empties its data directory, and formats it if needed.
    pub fn format(&self, common: &Common) -> Result<(), RigError> {
        let data = self.home.join("data");
        match std::fs::remove_dir_all(&data) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed("empty", &data, &error));
            }
            _ => {}
        }
        power::forget(&self.home)?;
        std::fs::create_dir_all(&data).map_err(|error| failed("make", &data, &error))?;
        if let (Some(checkpoint), Node::Broker(id) | Node::Controller(id)) =
            (&common.checkpoint, self.node)
        {
            // Directory ids came with 3.7 (KIP-858).
            let knows_directories = common.spec.version.at_least(&[3, 7]);
            let meta = storage::meta_properties(&common.at.cluster_id, id, knows_directories);
            self.write("data/meta.properties", meta.as_bytes())?;
            if !checkpoint.is_empty() {
                self.write(CHECKPOINT, checkpoint)?;
            }
        }
        Ok(())
    }

    /// Formats the storage with Kafka's own tool, and returns the checkpoint that it wrote;
    /// empty if the version (before 3.3) has no such file.
    pub async fn format_by_kafka(&self, common: &Common) -> Result<Vec<u8>, RigError> {
        let properties = self.home.join("node.properties").display().to_string();
        let id = &common.at.cluster_id;
        let tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", id, "-c"];
        let mut command = self.java(common, &common.software, &["-Xmx256m".to_owned()]);
        command.args(tool).arg(&properties).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        let what = "Kafka's tool could not format the storage";
        let output = match timeout(FORMAT_LIMIT, command.output()).await {
            Ok(output) => output.map_err(|error| RigError::Other(format!("{what}: {error}")))?,
            Err(_) => {
                let what = "formatting the storage".to_owned();
                return Err(RigError::TimedOut { what, limit: FORMAT_LIMIT });
            }
        };
        if !output.status.success() {
            let text = [output.stdout, output.stderr].concat();
            let log_tail = String::from_utf8_lossy(&text).trim().to_owned();
            let code = output.status.code().map_or(0, i64::from);
            let Ending { exit, foreign } = ending::reported(code, &log_tail, false);
            let exit = format!("{what}: {exit}");
            return Err(Death { node: self.node, exit, log_tail, foreign }.into());
        }
        Ok(std::fs::read(self.home.join(CHECKPOINT)).unwrap_or_default())
    }

    /// Starts its process, unless one runs.
    pub fn start(&self, common: &Common) -> Result<(), RigError> {
        if self.state() != NodeState::Dead {
            self.life().wanted = true;
            return Ok(());
        }
        let software = self.life().own.clone().unwrap_or_else(|| common.software.clone());
        let log = std::fs::File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(|error| failed("write", &self.log, &error))?;
        let also = log.try_clone().map_err(|error| failed("write", &self.log, &error))?;
        let mut command = self.java(common, &software, &self.options(&common.spec));
        let class = match self.node {
            Node::Zookeeper(_) => "org.apache.zookeeper.server.quorum.QuorumPeerMain",
            Node::Broker(_) | Node::Controller(_) => "kafka.Kafka",
        };
        command.arg(class).arg(self.home.join("node.properties")).stdout(log).stderr(also);
        if common.spec.preloads(self.node) {
            command.envs(preloaded(&self.home, common.spec.preload)?);
        }
        let mut child =
            command.spawn().map_err(|error| failed("start", &common.java.program, &error))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        let pid = pid.ok_or_else(|| RigError::Other(format!("{} ended at once", self.node)))?;
        let (sender, ended) = watch::channel(None);
        tokio::spawn(async move {
            if let Ok(status) = child.wait().await {
                let signal = status.signal().map(|signal| i64::from(signal) + 128);
                let code = status.code().map(i64::from).or(signal);
                sender.send_replace(code);
            }
        });
        let mut life = self.life();
        life.process = Some(Process { pid, ended });
        life.wanted = true;
        Ok(())
    }

    /// Starts it with another version on its data.
    pub fn exchange(&self, common: &Common, software: Arc<Software>) -> Result<(), RigError> {
        self.configure(common, &software.version)?;
        self.life().own = Some(software);
        self.start(common)
    }

    /// `java` with everything but the class, in a process group of its own that shows the run's id.
    fn java(&self, common: &Common, software: &Software, options: &[String]) -> Command {
        let mut command = Command::new(&common.java.program);
        command
            .args(options)
            .arg(format!("-Dkplan.run={}", common.spec.run))
            .arg(format!("-Dkplan.node={}", self.node.slug()))
            .args(LOGGING.map(|(key, name)| format!("-D{key}{}", self.home.join(name).display())))
            .arg("-cp")
            .arg(software.libs.join("*"))
            .current_dir(&self.home)
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// JVM options; the plan's come last and take precedence.
    fn options(&self, spec: &ClusterSpec) -> Vec<String> {
        let plans = match self.node {
            Node::Broker(_) => spec.jvm.as_slice(),
            Node::Controller(_) | Node::Zookeeper(_) => &[],
        };
        // The JVM refuses an initial heap above the plan's own limit.
        let limited = plans.iter().any(|option| option.starts_with("-Xmx"));
        let heap: &[&str] = match self.node {
            Node::Broker(_) if limited => &["-Xmx384m"],
            Node::Broker(_) => &["-Xms128m", "-Xmx384m"],
            Node::Controller(_) | Node::Zookeeper(_) => &["-Xms64m", "-Xmx256m"],
        };
        // One compiler tier and the serial collector start fastest with small heaps. A JVM without
        // memory ends instead of going on half broken.
        let usual = [
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
            // ZooKeeper would show log4j's settings with classes that the fork reload4j does not have.
            "-Dzookeeper.jmx.log4j.disable=true",
        ];
        heap.iter().chain(&usual).map(|o| (*o).to_owned()).chain(plans.iter().cloned()).collect()
    }

    /// The state of its process.
    pub fn state(&self) -> NodeState {
        let Some(process) = self.life().process.clone() else { return NodeState::Dead };
        if process.ended.borrow().is_some() {
            return NodeState::Dead;
        }
        match process::state(process.pid.as_raw()) {
            // The exit status is known a moment later, unless no task waits for it any more.
            NodeState::Dead if process.ended.has_changed().is_ok() => NodeState::Running,
            state => state,
        }
    }

    /// The process's id while it is alive.
    pub fn pid(&self) -> Option<i32> {
        let pid = self.life().process.as_ref().map(|process| process.pid.as_raw());
        pid.filter(|_| self.state() != NodeState::Dead)
    }

    /// Signals its process group; a dead process is no error.
    pub fn signal(&self, signal: Signal) -> Result<(), RigError> {
        if matches!(signal, Signal::SIGKILL | Signal::SIGTERM) {
            self.life().wanted = false;
        }
        let Some(pid) = self.pid() else { return Ok(()) };
        match killpg(Pid::from_raw(pid), signal) {
            Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
            Err(error) => Err(RigError::Other(format!("cannot signal {}: {error}", self.node))),
        }
    }

    /// Waits until its process is in a state, as the kernel sees it.
    pub async fn wait_for(&self, state: NodeState, limit: Duration) -> Result<(), RigError> {
        let deadline = Instant::now() + limit;
        loop {
            let now = self.state();
            if now == state {
                return Ok(());
            }
            if now == NodeState::Dead {
                return Err(self.death().into());
            }
            if Instant::now() >= deadline {
                let what = match state {
                    NodeState::Dead => {
                        return Err(RigError::StillRuns { node: self.node, limit });
                    }
                    NodeState::Paused => format!("pausing {}", self.node),
                    NodeState::Running => format!("resuming {}", self.node),
                };
                return Err(RigError::TimedOut { what, limit });
            }
            sleep(PAUSE).await;
        }
    }

    /// True if it should be running and is not.
    pub fn ended_by_itself(&self) -> bool {
        self.life().wanted && self.state() == NodeState::Dead
    }

    pub fn death(&self) -> Death {
        let log_tail = self.tail();
        let never = || Ending { exit: "it was never started".to_owned(), foreign: true };
        let Ending { exit, foreign } =
            self.code().map_or_else(never, |code| ending::reported(code, &log_tail, false));
        Death { node: self.node, exit, log_tail, foreign }
    }

    fn code(&self) -> Option<i64> {
        self.life().process.as_ref().and_then(|process| *process.ended.borrow())
    }

    fn tail(&self) -> String {
        last_lines(&self.log).unwrap_or_default()
    }

    fn life(&self) -> MutexGuard<'_, ProcessLife> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn last_lines(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

/// The properties that name the logging configuration: log4j 1 (or its fork reload4j) before 4.0, log4j 2 from 4.0
/// on. Each version ignores the other's property.
const LOGGING: [(&str, &str); 2] = [
    ("log4j.configuration=file:", "log4j.properties"),
    ("log4j2.configurationFile=", "log4j2.xml"),
];

const LOG4J: &str = "log4j.rootLogger=INFO, console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=[%d] %p %m (%c)%n
";

const LOG4J2: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="WARN">
  <Appenders>
    <Console name="console" target="SYSTEM_OUT"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console>
  </Appenders>
  <Loggers><Root level="INFO"><AppenderRef ref="console"/></Root></Loggers>
</Configuration>
"#;
