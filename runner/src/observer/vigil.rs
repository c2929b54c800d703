//! Watches brokers closely during an action on them: it records when they stopped answering. An engine reports
//! the end of a process up to a second late.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use kafka_protocol::messages::ApiVersionsRequest;
use tokio::{runtime, sync::oneshot, task::JoinSet, time::sleep};

use super::ask::Asker;
use crate::{
    cluster::Acted,
    history::now_us,
    wire::{Connection, Credentials, WireError},
};

/// How long a broker may take to accept the watcher's connection: the action waits for that.
const ENTRY: Duration = Duration::from_millis(300);
/// Time between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(2);
/// Limit of one request. A broker that is paused or cut off never answers it.
const PATIENCE: Duration = Duration::from_secs(60);
/// It has not happened.
const NEVER: i64 = i64::MAX;

/// The observations of one broker.
struct Signs {
    /// When the newest answered request was sent: the broker was alive then.
    lived_us: AtomicI64,
    /// When its connection was found closed: it was dead by then.
    gone_us: AtomicI64,
}

/// Sends requests to some brokers continuously, until it is ended or dropped. It runs in a thread of its own: on the
/// runner's busy threads a due request would wait, and the last answered request would be older than necessary.
pub struct Vigil {
    begun_us: i64,
    signs: Vec<Arc<Signs>>,
    /// Some brokers could not be watched: nothing is known about them.
    blind: bool,
    // Ends the thread when it is dropped.
    _over: oneshot::Sender<()>,
}

impl Asker {
    /// Watches the brokers that answer, from now on. `all` is false if the action affects other nodes too.
    pub async fn vigil(&self, brokers: &[u32], all: bool) -> Vigil {
        let addresses = brokers.iter().map(|broker| self.cluster.address(*broker)).collect();
        Vigil::begin(addresses, &self.credentials, all).await
    }
}

impl Vigil {
    async fn begin(addresses: Vec<String>, credentials: &Credentials, all: bool) -> Self {
        let (count, credentials) = (addresses.len(), credentials.clone());
        let (tell, reported) = oneshot::channel();
        let (over, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("vigil".to_owned());
        // If the thread cannot be started, nothing is known about any broker.
        drop(thread.spawn(move || keep(&addresses, &credentials, tell, ended)));
        let signs: Vec<Arc<Signs>> = reported.await.unwrap_or_default();
        let blind = !all || signs.len() < count;
        Self { begun_us: now_us(), signs, blind, _over: over }
    }

    /// The action is done: returns when it took effect. It cannot have taken effect before the last
    /// answered request was sent; a broker whose connection was closed was dead by then.
    pub fn end(self) -> Acted {
        let whole = Acted::since(self.begun_us);
        let of = |signs: &Arc<Signs>| Acted {
            // The action began after all brokers were watched.
            from_us: signs.lived_us.load(Ordering::Acquire).max(self.begun_us),
            by_us: signs.gone_us.load(Ordering::Acquire).min(whole.by_us),
        };
        let blind = self.blind.then_some(whole);
        self.signs.iter().map(of).chain(blind).reduce(Acted::and).unwrap_or(whole)
    }
}

/// Connects to brokers, sends the signs of those that accept the connection, and watches them until the other end of
/// `ended` is gone.
fn keep(
    addresses: &[String],
    credentials: &Credentials,
    tell: oneshot::Sender<Vec<Arc<Signs>>>,
    ended: oneshot::Receiver<()>,
) {
    let Ok(runtime) = runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let opened = addresses.iter().map(|at| Connection::open(at, credentials, ENTRY));
        let opened = join_all(opened).await.into_iter().filter_map(Result::ok);
        let mut tasks = JoinSet::new();
        let watch = |connection| {
            let signs = Signs { lived_us: now_us().into(), gone_us: NEVER.into() };
            let signs = Arc::new(signs);
            tasks.spawn(follow(connection, signs.clone()));
            signs
        };
        if tell.send(opened.map(watch).collect()).is_ok() {
            // It is only ever dropped.
            let _ = ended.await;
        }
    });
}

async fn follow(mut connection: Connection, signs: Arc<Signs>) {
    loop {
        let asked_us = now_us();
        match connection.call(&ApiVersionsRequest::default(), 0, PATIENCE).await {
            Ok(_) => signs.lived_us.store(asked_us, Ordering::Release),
            Err(WireError::Broken { .. }) => {
                return signs.gone_us.store(now_us(), Ordering::Release);
            }
            Err(_) => return,
        }
        sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU8;

    use bytes::{BufMut, BytesMut};
    use kafka_protocol::{messages::ApiVersionsResponse, protocol::Encodable};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::{TcpListener, TcpStream},
        time::Instant,
    };

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);
    const ANSWERS: u8 = 0;
    const SILENT: u8 = 1;
    const CLOSED: u8 = 2;

    /// A broker that answers what clients can speak, until it is made to do something else.
    struct Broker {
        address: String,
        does: Arc<AtomicU8>,
    }

    impl Broker {
        async fn start() -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
            let address = listener.local_addr().expect("bound").to_string();
            let does = Arc::<AtomicU8>::default();
            let doing = does.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, doing.clone()));
                }
            });
            Self { address, does }
        }

        /// From now on; nothing that it answered came later than this returns.
        fn make(&self, what: u8) -> i64 {
            self.does.store(what, Ordering::SeqCst);
            now_us()
        }
    }

    async fn serve(mut stream: TcpStream, does: Arc<AtomicU8>) -> Option<()> {
        loop {
            let length = stream.read_i32().await.ok()?;
            let mut request = vec![0; usize::try_from(length).ok()?];
            stream.read_exact(&mut request).await.ok()?;
            match does.load(Ordering::SeqCst) {
                ANSWERS => {}
                SILENT => std::future::pending().await,
                _ => return None,
            }
            let mut body = BytesMut::new();
            body.put_slice(&request[4..8]);
            ApiVersionsResponse::default().encode(&mut body, 0).ok()?;
            stream.write_i32(i32::try_from(body.len()).ok()?).await.ok()?;
            stream.write_all(&body).await.ok()?;
        }
    }

    async fn vigil(brokers: &[&Broker]) -> Vigil {
        let addresses = brokers.iter().map(|b| b.address.clone()).collect();
        Vigil::begin(addresses, &Credentials::default(), true).await
    }

    async fn until(what: &str, goal: impl Fn() -> bool) {
        let end = Instant::now() + LIMIT;
        while !goal() {
            assert!(Instant::now() < end, "{what}");
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Waits until each broker has answered a question that was asked since the vigil began, and was heard.
    async fn answers(vigil: &Vigil) {
        let heard = |signs: &Arc<Signs>| signs.lived_us.load(Ordering::Acquire) > vigil.begun_us;
        until("answers", || vigil.signs.iter().all(heard)).await;
    }

    #[tokio::test]
    async fn a_broker_that_dies_is_dead_between_its_last_answer_and_the_end_of_its_connection() {
        let (first, second) = (Broker::start().await, Broker::start().await);
        let vigil = vigil(&[&first, &second]).await;
        answers(&vigil).await;
        let dead = first.make(CLOSED);
        let gone = |n: usize| vigil.signs[n].gone_us.load(Ordering::Acquire) != NEVER;
        until("the first is gone", || gone(0)).await;
        let last = second.make(CLOSED);
        until("the second is gone", || gone(1)).await;
        let both_gone = now_us();
        // The engine reports it much later.
        sleep(Duration::from_millis(300)).await;
        let begun = vigil.begun_us;
        let acted = vigil.end();
        assert!(begun < acted.from_us && acted.from_us <= dead, "{acted:?}, dead at {dead}");
        assert!((last..=both_gone).contains(&acted.by_us), "{acted:?}, {last} to {both_gone}");
    }

    #[tokio::test]
    async fn a_broker_that_falls_silent_did_so_after_the_last_question_that_it_answered() {
        let broker = Broker::start().await;
        let vigil = vigil(&[&broker]).await;
        answers(&vigil).await;
        let frozen = broker.make(SILENT);
        let begun = vigil.begun_us;
        let returned = now_us();
        let acted = vigil.end();
        assert!(begun < acted.from_us && acted.from_us <= frozen, "{acted:?}, silent at {frozen}");
        assert!(acted.by_us >= returned, "nobody knows it before the engine says so");
    }

    #[tokio::test]
    async fn who_cannot_be_asked_may_have_felt_it_from_the_begin_on() {
        let broker = Broker::start().await;
        let addresses = vec![broker.address.clone(), "127.0.0.1:1".to_owned()];
        let vigil = Vigil::begin(addresses, &Credentials::default(), true).await;
        answers(&vigil).await;
        broker.make(CLOSED);
        until("it is gone", || vigil.signs[0].gone_us.load(Ordering::Acquire) != NEVER).await;
        let (begun, returned) = (vigil.begun_us, now_us());
        let acted = vigil.end();
        assert!(acted.from_us == begun && acted.by_us >= returned, "{acted:?}");
    }
}
