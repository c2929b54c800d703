//! Brokers that advertise what this machine must not connect to: the backend file says how they are
//! reached.
//!
//! The advertised addresses are the proxy's; the given ones are forwarders to it. A connection that the
//! proxy accepted and no forwarder made went where a broker advertises.

use std::{
    io,
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    common::{Ran, real, run},
    rig::{VERSION, own_proxy},
};

/// Passes bytes on to one address, both ways.
struct Forwarder {
    address: String,
    connections: Arc<AtomicUsize>,
}

impl Forwarder {
    fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let (target, seen) = (target.to_owned(), connections.clone());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                seen.fetch_add(1, Ordering::SeqCst);
                pass(&client, &server);
                pass(&server, &client);
            }
        });
        Self { address, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn pass(from: &TcpStream, to: &TcpStream) {
    let mut from = from.try_clone().expect("a socket");
    let mut to = to.try_clone().expect("a socket");
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}

/// Everything of kplan's that connects: producer, consumer, copier, the steps `produce` and `consume`,
/// the admin client, the audit's reader and the observer.
fn plan(topic: &str) -> String {
    format!(
        "plan: v1
name: {topic}
timeout: 2m
steps:
  - start_cluster: {{ brokers: 2, version: {VERSION} }}
  - create_topic: {{ name: {topic}, partitions: 2, replicas: 2 }}
  - create_topic: {{ name: {topic}-copies, partitions: 2, replicas: 2 }}
  - create_topic: {{ name: {topic}-few, partitions: 2, replicas: 2 }}
  - alter_topic: {{ name: {topic}-few, partitions: 3 }}
  - produce: {{ topic: {topic}-few, messages: [{{ value: a, partition: 0 }}, {{ value: b, partition: 1 }}] }}
  - consume: {{ topic: {topic}-few, from: earliest, until: {{ count: 2 }} }}
  - start_consumer: {{ name: C, topics: [{topic}-copies] }}
  - start_copier: {{ name: X, from: {topic}, to: {topic}-copies }}
  - start_producer: {{ name: P, topic: {topic}, rate: 500/s, count: 500 }}
  - wait:
      until:
        - acked: {{ client: P, is: 500 }}
        - delivered: {{ client: C, at_least: 500 }}
  - stop_client: [P, X, C]
  - assert:
      - lost: 0
      - undelivered: 0
      - duplicated: 0
"
    )
}

fn through(topic: &str, bootstrap: &str, brokers: &str) -> Ran {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let shown = |path: &Path| path.to_str().expect("plain").to_owned();
    let backend = write(
        "backend.yaml",
        &format!(
            "backend: v1\nbootstrap: ['{bootstrap}']\nversion: {VERSION}\nbrokers: {brokers}\n"
        ),
    );
    let plan = write("routes.yaml", &plan(topic));
    run(&[&shown(&plan), "--backend", &format!("external={}", shown(&backend))])
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn nothing_goes_where_brokers_advertise() {
    let _turn = real();
    let (proxy, advertised) = own_proxy();
    let forwarders: Vec<_> = advertised.iter().map(|at| Forwarder::to(at)).collect();
    let [one, two] = &forwarders[..] else { panic!("two brokers") };
    let brokers = format!("{{ 1: '{}', 2: '{}' }}", one.address, two.address);
    let ran = through("routed", &one.address, &brokers);
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    assert!(one.connections() > 5 && two.connections() > 5, "both are reached");
    let passed = one.connections() + two.connections();
    assert_eq!(proxy.accepted(), passed, "every connection came through a forwarder");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn brokers_that_the_file_does_not_name_are_reached_where_they_advertise() {
    let _turn = real();
    let (proxy, advertised) = own_proxy();
    let one = Forwarder::to(&advertised[0]);
    let ran = through("half-routed", &one.address, &format!("{{ 1: '{}' }}", one.address));
    assert_eq!(ran.status(), Some(0), "{}", ran.why());
    assert!(one.connections() > 5, "it is reached");
    assert!(proxy.accepted() > one.connections(), "the other is, too");
}
