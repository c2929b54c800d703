//! One node: its pod, its output, and the scripts that act on its process.

use std::sync::Arc;
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::{AsyncBufReadExt as _, AsyncReadExt as _};
use kube::api::LogParams;
use tokio::task::JoinHandle;

use super::super::{
    Node, NodeState, RigError,
    addresses::HOME,
    contained::output::{OutputFile, Seen},
};
use super::{
    api::{CONTAINER, KubeApi, asked},
    objects::{AGAIN, ENDED},
};

/// The longest line that is followed, in bytes; the runtime divides longer ones.
const LONGEST_LINE: u64 = 1 << 20;
/// How often a script looks whether a process has ended, in seconds.
const LOOK: &str = "0.02";

/// A node in its pod.
pub struct KubeNode {
    pub node: Node,
    /// The pod's name.
    pub pod: String,
    /// The pod's address, the same for as long as the pod exists.
    pub address: IpAddr,
    /// Its configuration as written.
    pub properties: String,
    log: Mutex<PathBuf>,
    seen: Seen,
    /// Its output says that the process has ended, and not that it was started again.
    ended: Arc<AtomicBool>,
    life: Mutex<PodLife>,
}

struct PodLife {
    /// The follower of the pod's output; it ends with the pod.
    follower: Option<JoinHandle<()>>,
    /// The process should be running.
    wanted: bool,
}

impl KubeNode {
    pub fn new(node: Node, pod: String, address: IpAddr, properties: String, dir: &Path) -> Self {
        Self {
            node,
            pod,
            address,
            properties,
            log: Mutex::new(log_path(dir, node)),
            seen: Seen::default(),
            ended: Arc::default(),
            life: Mutex::new(PodLife { follower: None, wanted: true }),
        }
    }

    fn life(&self) -> MutexGuard<'_, PodLife> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set_wanted(&self, wanted: bool) {
        self.life().wanted = wanted;
    }

    /// True if it should be running, and its output says that it has ended or is no longer followed.
    pub fn looks_dead(&self) -> bool {
        let life = self.life();
        let unheard = life.follower.as_ref().is_none_or(JoinHandle::is_finished);
        life.wanted && (unheard || self.ended.load(Ordering::SeqCst))
    }

    pub fn log_path(&self) -> PathBuf {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why its output can no longer be written, if it cannot.
    pub fn log_trouble(&self) -> Option<String> {
        let (why, path) = (self.seen.trouble()?, self.log_path());
        Some(format!("the log of {} cannot be written to {}: {why}", self.node, path.display()))
    }

    /// Follows the pod's output, from where it was followed before.
    pub fn follow(&self, api: &KubeApi) {
        let following = Following {
            api: api.clone(),
            pod: self.pod.clone(),
            path: self.log_path(),
            seen: self.seen.clone(),
            ended: Arc::clone(&self.ended),
        };
        self.life().follower = Some(tokio::spawn(following.run()));
    }

    /// Follows it if only the stream of its output was interrupted.
    pub fn follow_again(&self, api: &KubeApi) {
        if self.life().follower.as_ref().is_none_or(JoinHandle::is_finished) {
            self.follow(api);
        }
    }

    /// From now on its output is written below another directory.
    pub fn move_log(&self, api: &KubeApi, dir: &Path) {
        if let Some(follower) = self.take_follower() {
            follower.abort();
        }
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = log_path(dir, self.node);
        self.follow(api);
    }

    /// The task that follows its output, to wait for.
    pub fn take_follower(&self) -> Option<JoinHandle<()>> {
        self.life().follower.take()
    }

    /// What its process does.
    pub async fn state(&self, api: &KubeApi) -> Result<NodeState, RigError> {
        let output = self.script(api, STATE).await?;
        match output.trim() {
            "ended" => Ok(NodeState::Dead),
            "T" => Ok(NodeState::Paused),
            _ => Ok(NodeState::Running),
        }
    }

    /// Sends SIGKILL to all processes of the node, and waits until they have ended.
    pub async fn kill(&self, api: &KubeApi) -> Result<(), RigError> {
        self.set_wanted(false);
        self.script(api, KILL).await.map(drop)
    }

    /// Sends SIGTERM, and waits for the end. False if the process goes on for longer than `limit`.
    pub async fn ask_to_end(&self, api: &KubeApi, limit: Duration) -> Result<bool, RigError> {
        self.set_wanted(false);
        let looks = limit.as_secs_f64() / LOOK.parse::<f64>().unwrap_or(0.02);
        let script = format!(
            "[[ -e ended ]] && exit\nkill -TERM $(<pid)\n\
             for ((i = 0; i < {looks:.0}; i++)); do [[ -e ended ]] && exit; sleep {LOOK}; done\n\
             echo alive"
        );
        Ok(self.script(api, &script).await?.trim() != "alive")
    }

    /// Starts the process again, on an empty disk if `wiped`. Nothing is done if it runs.
    pub async fn start(&self, api: &KubeApi, wiped: bool) -> Result<(), RigError> {
        let wipe =
            if wiped { format!("find {HOME}/data -mindepth 1 -delete && ") } else { String::new() };
        let script = format!("[[ -e ended ]] || exit 0\n{wipe}echo go >go\n{UNTIL_STARTED}");
        self.script(api, &script).await?;
        self.set_wanted(true);
        self.follow_again(api);
        Ok(())
    }

    /// Sends a signal to all processes of the node; nothing is done if they have ended.
    pub async fn signal(&self, api: &KubeApi, signal: &str) -> Result<(), RigError> {
        let script = format!("[[ -e ended ]] || kill -{signal} -- -$(<pid)");
        self.script(api, &script).await.map(drop)
    }

    /// Runs a script in the directory in which the supervisor keeps its files.
    async fn script(&self, api: &KubeApi, script: &str) -> Result<String, RigError> {
        let output = api.script(&self.pod, &format!("cd {HOME}/run || exit\n{script}")).await?;
        match output.succeeded() {
            true => Ok(output.text()),
            false => Err(RigError::Other(format!(
                "the process of {} could not be reached in the pod {}: {}",
                self.node,
                self.pod,
                output.text().trim()
            ))),
        }
    }

    /// The exit status that the process ended with, if it has ended.
    pub async fn exit_status(&self, api: &KubeApi) -> Result<Option<i64>, RigError> {
        let text = self.script(api, "[[ ! -e ended ]] || cat ended").await?;
        Ok(text.trim().parse().ok())
    }

    /// The last lines of its output.
    pub async fn tail(&self, api: &KubeApi, lines: i64) -> String {
        let container = Some(CONTAINER.to_owned());
        let params = LogParams { container, tail_lines: Some(lines), ..LogParams::default() };
        let text =
            asked("read a log", api.pods().logs(&self.pod, &params)).await.unwrap_or_default();
        let own = |line: &&str| !line.starts_with(ENDED) && !line.starts_with(AGAIN);
        text.lines().filter(own).collect::<Vec<_>>().join("\n")
    }
}

/// Prints `ended`, or the state of the process as the kernel names it.
const STATE: &str = "if [[ -e ended ]]; then echo ended; exit; fi
s=$(</proc/$(<pid)/stat) || { echo ended; exit; }
s=${s##*) }
echo ${s%% *}";

const KILL: &str = "[[ -e ended ]] && exit
kill -KILL -- -$(<pid)
until [[ -e ended ]]; do sleep 0.005; done";

const UNTIL_STARTED: &str = "while [[ -e ended ]]; do sleep 0.005; done";

fn log_path(dir: &Path, node: Node) -> PathBuf {
    dir.join("logs").join(format!("{}.log", node.slug()))
}

/// What the follower of an output needs.
struct Following {
    api: KubeApi,
    pod: String,
    path: PathBuf,
    seen: Seen,
    ended: Arc<AtomicBool>,
}

impl Following {
    /// Appends what the container writes to the file; ends with the pod, or when the file cannot be written.
    async fn run(self) {
        let Some(mut file) = OutputFile::append(&self.path, self.seen.clone()) else { return };
        let container = Some(CONTAINER.to_owned());
        let params =
            LogParams { container, follow: true, timestamps: true, ..LogParams::default() };
        let pods = self.api.pods();
        let Ok(mut stream) = pods.log_stream(&self.pod, &params).await else { return };
        let mut line = Vec::new();
        while let Ok(1..) = (&mut stream).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
            if !file.take(&line) {
                return;
            }
            self.heed(&line);
            line.clear();
        }
    }

    /// Notes what the supervisor says of the process.
    fn heed(&self, line: &[u8]) {
        let text = line.iter().position(|b| *b == b' ').map_or(&[][..], |at| &line[at + 1..]);
        if text.starts_with(ENDED.as_bytes()) {
            self.ended.store(true, Ordering::SeqCst);
        } else if text.starts_with(AGAIN.as_bytes()) {
            self.ended.store(false, Ordering::SeqCst);
        }
    }
}
