//! A mirror of ZooKeeper's znodes for leaders and in-sync sets, kept up
//! to date by watches, so a change is here as soon as ZooKeeper reports it to any client.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use serde_json::Value;
use tokio::time::{sleep, timeout};
use zookeeper_client::{Client, Error, OneshotWatcher, SessionState};

use super::merge::{ZnodeState, Znodes};

/// Time until a failed read is retried.
const AGAIN: Duration = Duration::from_millis(100);
/// Limit for connecting.
const CONNECT: Duration = Duration::from_secs(3);
/// ZooKeeper keeps the observer's session over interruptions for this long; no znode depends on the session.
const SESSION: Duration = Duration::from_secs(6);

/// A znode that is mirrored.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Path {
    Ids,
    Controller,
    Topics,
    Topic(String),
    State(String, u32),
}

impl Path {
    fn text(&self) -> String {
        match self {
            Self::Ids => "/brokers/ids".to_owned(),
            Self::Controller => "/controller".to_owned(),
            Self::Topics => "/brokers/topics".to_owned(),
            Self::Topic(topic) => format!("/brokers/topics/{topic}"),
            Self::State(topic, p) => format!("/brokers/topics/{topic}/partitions/{p}/state"),
        }
    }
}

/// What a znode holds.
enum Content {
    Children(Vec<String>),
    Data(Value),
    Missing,
}

/// Something that happened to a path.
enum Step {
    Read(Path, Result<(Content, Option<OneshotWatcher>), Error>),
    ReadAgain(Path),
}

/// Connects to ZooKeeper.
/// Fails with the client's error, [`Error::Timeout`] after three seconds.
pub(super) async fn connect(address: &str) -> Result<Client, Error> {
    // 3.4 is the oldest server: it cannot remove watches and knows no persistent ones.
    let connecting = Client::connector()
        .with_session_timeout(SESSION)
        .with_server_version(3, 4, 0)
        .connect(address);
    timeout(CONNECT, connecting).await.unwrap_or(Err(Error::Timeout))
}

/// Mirrors continuously, over lost sessions; `tell` gets every new state. While ZooKeeper cannot be
/// reached the last state counts: without ZooKeeper nothing can change.
pub(super) async fn follow(address: String, tell: impl Fn(Arc<Znodes>)) {
    let mut nodes = Znodes::default();
    loop {
        if let Ok(client) = connect(&address).await {
            nodes = Mirror::new(client, nodes).run(&tell).await;
        }
        sleep(AGAIN).await;
    }
}

struct Mirror {
    client: Client,
    nodes: Znodes,
    followed: BTreeSet<Path>,
    pending: FuturesUnordered<BoxFuture<'static, Step>>,
}

impl Mirror {
    /// Continues from the `nodes` of the session before.
    fn new(client: Client, nodes: Znodes) -> Self {
        Self { client, nodes, followed: BTreeSet::new(), pending: FuturesUnordered::new() }
    }

    /// Ends when the session does; returns what is known by then.
    async fn run(mut self, tell: &impl Fn(Arc<Znodes>)) -> Znodes {
        for path in [Path::Ids, Path::Controller, Path::Topics] {
            self.follow(path);
        }
        let mut reported: Option<Arc<Znodes>> = None;
        let began = Instant::now();
        let mut session = self.client.state_watcher();
        loop {
            let step = tokio::select! {
                step = self.pending.next() => step,
                state = session.changed() => {
                    if ends(state) { return self.nodes }
                    continue;
                }
            };
            let Some(step) = step else { return self.nodes };
            self.step(step);
            // A first state with half of its znodes unread would show topics without leaders. A
            // topic that never got leaders must not delay it forever.
            let first = reported.is_none() && began.elapsed() < CONNECT;
            if ends(self.client.state()) || (first && !self.complete()) {
                continue;
            }
            if reported.as_deref() != Some(&self.nodes) {
                let now = Arc::new(self.nodes.clone());
                reported = Some(now.clone());
                tell(now);
            }
        }
    }

    /// Every partition that is known has been read.
    fn complete(&self) -> bool {
        let read = |topic: &String| self.nodes.topics.contains_key(topic);
        let stated = |topic: &String, p: u32| self.nodes.states.contains_key(&(topic.clone(), p));
        !self.nodes.ids.is_empty()
            && self.followed.iter().all(|path| match path {
                Path::Topic(topic) => read(topic),
                Path::State(topic, partition) => stated(topic, *partition),
                Path::Ids | Path::Controller | Path::Topics => true,
            })
    }

    fn follow(&mut self, path: Path) {
        if self.followed.insert(path.clone()) {
            self.pending.push(read(self.client.clone(), path).boxed());
        }
    }

    fn step(&mut self, step: Step) {
        let (path, result) = match step {
            Step::ReadAgain(path) => {
                if self.wanted(&path) {
                    self.pending.push(read(self.client.clone(), path).boxed());
                } else {
                    self.followed.remove(&path);
                }
                return;
            }
            Step::Read(path, result) => (path, result),
        };
        let next = match result {
            Ok((content, watcher)) => {
                self.apply(&path, content);
                match watcher {
                    Some(watcher) => fired(watcher, path).boxed(),
                    None => later(path).boxed(),
                }
            }
            Err(_) => later(path).boxed(),
        };
        self.pending.push(next);
    }

    /// The path still belongs to a topic that exists.
    fn wanted(&self, path: &Path) -> bool {
        match path {
            Path::Ids | Path::Controller | Path::Topics => true,
            Path::Topic(topic) => self.nodes.topics.contains_key(topic),
            Path::State(topic, partition) => {
                self.nodes.topics.get(topic).is_some_and(|t| t.contains_key(partition))
            }
        }
    }

    fn apply(&mut self, path: &Path, content: Content) {
        match (path, content) {
            (Path::Ids, Content::Children(ids)) => {
                self.nodes.ids = ids.iter().filter_map(|id| id.parse().ok()).collect();
            }
            (Path::Controller, content) => self.nodes.controller = controller(&content),
            (Path::Topics, Content::Children(names)) => self.topics(&names),
            (Path::Topic(topic), Content::Data(data)) if self.wanted(path) => {
                let partitions = replicas(&data);
                for partition in partitions.keys() {
                    self.follow(Path::State(topic.clone(), *partition));
                }
                self.nodes.topics.insert(topic.clone(), partitions);
            }
            (Path::State(topic, partition), content) if self.wanted(path) => {
                let key = (topic.clone(), *partition);
                match partition_state(&content) {
                    Some(state) => self.nodes.states.insert(key, state),
                    None => self.nodes.states.remove(&key),
                };
            }
            _ => {}
        }
    }

    fn topics(&mut self, names: &[String]) {
        let gone = |topic: &String| !names.contains(topic);
        self.nodes.topics.retain(|topic, _| !gone(topic));
        self.nodes.states.retain(|(topic, _), _| !gone(topic));
        for name in names {
            self.nodes.topics.entry(name.clone()).or_default();
            self.follow(Path::Topic(name.clone()));
        }
    }
}

fn ends(state: SessionState) -> bool {
    matches!(state, SessionState::Expired | SessionState::Closed | SessionState::AuthFailed)
}

async fn read(client: Client, path: Path) -> Step {
    let text = path.text();
    let result = match path {
        Path::Ids | Path::Topics => client
            .list_and_watch_children(&text)
            .await
            .map(|(children, watcher)| (Content::Children(children), Some(watcher))),
        _ => client.get_and_watch_data(&text).await.map(|(data, _, watcher)| {
            let data = serde_json::from_slice(&data).map_or(Content::Missing, Content::Data);
            (data, Some(watcher))
        }),
    };
    let result = match (result, &path) {
        // The watch fires when a broker becomes the controller.
        (Err(Error::NoNode), Path::Controller) => match client.check_and_watch_stat(&text).await {
            Ok((None, watcher)) => Ok((Content::Missing, Some(watcher))),
            Ok((Some(_), _)) => Ok((Content::Missing, None)),
            Err(e) => Err(e),
        },
        (Err(Error::NoNode), _) => Ok((Content::Missing, None)),
        (result, _) => result,
    };
    Step::Read(path, result)
}

async fn fired(watcher: OneshotWatcher, path: Path) -> Step {
    watcher.changed().await;
    Step::ReadAgain(path)
}

async fn later(path: Path) -> Step {
    sleep(AGAIN).await;
    Step::ReadAgain(path)
}

fn controller(content: &Content) -> Option<u32> {
    let Content::Data(data) = content else { return None };
    number(data.get("brokerid")?)
}

/// `{"partitions": {"0": [1, 2, 3]}}`
fn replicas(data: &Value) -> BTreeMap<u32, Vec<u32>> {
    let Some(partitions) = data.get("partitions").and_then(Value::as_object) else {
        return BTreeMap::new();
    };
    partitions.iter().filter_map(|(p, list)| Some((p.parse().ok()?, numbers(list)))).collect()
}

/// `{"leader": 1, "leader_epoch": 0, "isr": [1, 2, 3]}`; leader −1 is none.
fn partition_state(content: &Content) -> Option<ZnodeState> {
    let Content::Data(data) = content else { return None };
    Some(ZnodeState {
        leader: number(data.get("leader")?),
        epoch: i32::try_from(data.get("leader_epoch")?.as_i64()?).ok()?,
        in_sync: numbers(data.get("isr")?),
    })
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_i64()?).ok()
}

fn numbers(value: &Value) -> Vec<u32> {
    value.as_array().map_or_else(Vec::new, |list| list.iter().filter_map(number).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kafkas_znodes_are_read() {
        let topic = json!({"version": 1, "partitions": {"0": [1, 2], "10": [2], "x": [1]}});
        assert_eq!(replicas(&topic), [(0, vec![1, 2]), (10, vec![2])].into());
        let state = json!({"controller_epoch": 3, "leader": 2, "leader_epoch": 5, "isr": [2, 1]});
        let expected = ZnodeState { leader: Some(2), epoch: 5, in_sync: vec![2, 1] };
        assert_eq!(partition_state(&Content::Data(state)), Some(expected));
        let headless = json!({"leader": -1, "leader_epoch": 6, "isr": [2]});
        let state = partition_state(&Content::Data(headless)).expect("a state");
        assert_eq!(state.leader, None);
        assert_eq!(controller(&Content::Data(json!({"brokerid": 3, "timestamp": "1"}))), Some(3));
    }

    #[test]
    fn junk_in_znodes_is_no_state() {
        for junk in [json!(null), json!([]), json!({"leader": "x", "isr": 3, "partitions": 7})] {
            assert_eq!(replicas(&junk), BTreeMap::new());
            assert_eq!(partition_state(&Content::Data(junk.clone())), None);
            assert_eq!(controller(&Content::Data(junk)), None);
        }
        assert_eq!(controller(&Content::Missing), None);
    }

    #[tokio::test]
    async fn nobody_listens() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = gone.local_addr().expect("bound").to_string();
        drop(gone);
        assert!(connect(&address).await.is_err());
    }
}
