//! Whether this machine reaches the ports that the engine publishes: kplan may run in a container of its own, or the
//! engine on another machine.

use std::{
    collections::{BTreeMap, VecDeque},
    io::ErrorKind,
    time::Duration,
};

use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::super::{HostAbility as _, Node, RigError};
use super::{DockerCluster, addresses::EXTERNAL_PORT, node::DockerNode};

/// Time until the first look, and between two: a look inside costs a process in the container.
const LOOK: Duration = Duration::from_secs(2);
/// How long a broker must have listened inside without being reached from here.
const GRACE: Duration = Duration::from_secs(3);
/// How long a connection may take, on the same machine.
const CONNECT: Duration = Duration::from_secs(1);
/// The engine's proxy accepts a connection first, and closes it at once if nothing listens inside.
const STAYS_OPEN: Duration = Duration::from_millis(300);

impl DockerCluster {
    /// Returns when a broker listens in its container and its published port does not answer from here: then no wait
    /// helps. Does not return if all brokers were reached.
    pub(super) async fn not_reached(&self) -> RigError {
        let brokers = self.nodes.iter().filter(|n| matches!(n.node, Node::Broker(_)));
        let mut left: VecDeque<&DockerNode> = brokers.collect();
        let mut listening_since: BTreeMap<Node, Instant> = BTreeMap::new();
        while let Some(node) = left.pop_front() {
            sleep(LOOK / u32::try_from(left.len() + 1).unwrap_or(1)).await;
            let address = self.blueprint.at.published(node.host_port());
            let Err(why) = answers(&address).await else { continue };
            left.push_back(node);
            if !self.listens(node.node).await {
                listening_since.remove(&node.node);
                continue;
            }
            let since = *listening_since.entry(node.node).or_insert_with(Instant::now);
            if since.elapsed() >= GRACE {
                return refused(node.node, &address, &why);
            }
        }
        std::future::pending().await
    }

    /// Whether a broker listens for clients inside its container; false if that cannot be seen.
    async fn listens(&self, node: Node) -> bool {
        let Node::Broker(broker) = node else { return false };
        let sockets = self.sockets(broker).await.unwrap_or_default();
        sockets.iter().any(|socket| socket.port == EXTERNAL_PORT)
    }
}

/// Whether a process accepts connections at an address; if not, why.
pub async fn answers(address: &str) -> Result<(), String> {
    let mut stream = match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            return Err("connection refused".to_owned());
        }
        Ok(Err(error)) => return Err(error.to_string()),
        Err(_) => return Err(format!("no answer within {CONNECT:?}")),
    };
    match timeout(STAYS_OPEN, stream.read(&mut [0])).await {
        Ok(Ok(0)) => Err("the connection is closed at once".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}

fn refused(node: Node, address: &str, why: &str) -> RigError {
    RigError::Missing {
        what: format!(
            "{node} listens in its container, but its published port {address} does not answer \
             from here: {why}"
        ),
        help: "run kplan where the engine publishes ports: with an engine on another machine, on \
               that machine; in a container, with the network of the engine's machine (`docker run \
               --network host`). `--backend local` and `--backend external` need no published ports"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn listener() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        (listener, address)
    }

    #[tokio::test]
    async fn who_listens_answers_also_without_a_word() {
        let (_listener, address) = listener().await;
        assert_eq!(answers(&address).await, Ok(()));
    }

    #[tokio::test]
    async fn a_proxy_that_closes_at_once_is_no_answer() {
        let (listener, address) = listener().await;
        let proxy = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a connection");
            drop(stream);
        });
        let why = answers(&address).await.expect_err("nothing is behind it");
        assert_eq!(why, "the connection is closed at once");
        proxy.await.expect("it ended");
    }

    #[tokio::test]
    async fn a_port_without_a_listener_is_refused_with_what_helps() {
        let (listener, address) = listener().await;
        drop(listener);
        let why = answers(&address).await.expect_err("nothing listens");
        assert_eq!(why, "connection refused");
        let text = refused(Node::Broker(1), "127.0.0.1:20001", &why).to_string();
        let what = "broker 1 listens in its container, but its published port 127.0.0.1:20001 does \
                    not answer from here: connection refused\n";
        assert!(text.starts_with(what), "{text}");
        assert!(text.contains("--network host"), "{text}");
    }
}
