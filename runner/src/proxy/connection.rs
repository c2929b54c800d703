//! One client's connection to one broker.
//!
//! Kafka answers the requests of a connection in their order, and so does the proxy, whatever it makes
//! up, sends twice or keeps back: each request has its turn, in which its answer is awaited.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use super::{Asked, Passing, Policy, Shared, addresses, frame, frame::Call, lock};

/// How long a request is held when no other one comes that could overtake it.
const HELD: Duration = Duration::from_secs(1);

/// What the client gets.
enum Answer {
    /// An answer, and when.
    Frame { frame: Bytes, due: Instant },
    /// Nothing more, until this channel is closed.
    Silence(watch::Receiver<()>),
}

/// A request that was sent to the broker.
struct Sent<K> {
    /// None if the kind is not known: its answer is passed on as it is.
    call: Option<(Call, K)>,
    after: Duration,
    silence: Option<watch::Receiver<()>>,
    /// None if its answer is not passed on.
    turn: Option<oneshot::Sender<Answer>>,
}

/// A request that another one is to overtake.
struct Held<K> {
    frame: Bytes,
    sent: Sent<K>,
    answered: bool,
    until: Instant,
}

/// Serves a client until either side ends.
pub async fn serve<P: Policy>(
    shared: &Arc<Shared<P>>,
    client: TcpStream,
    broker: i32,
    address: &str,
) -> io::Result<()> {
    let to = TcpStream::connect(address).await?;
    client.set_nodelay(true)?;
    to.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = to.into_split();
    let (turns, turned) = mpsc::unbounded_channel();
    let (sent, answered) = mpsc::unbounded_channel();
    let desk = Desk { shared, broker, to: to_broker, turns, sent, held: None };
    let own = Mutex::default();
    tokio::select! {
        ended = desk.requests(from_client) => ended,
        ended = answers(shared, broker, &own, from_broker, answered) => ended,
        ended = deliver(to_client, turned) => ended,
    }
}

/// Takes the client's requests and sends them to the broker.
struct Desk<'a, P: Policy, W> {
    shared: &'a Arc<Shared<P>>,
    broker: i32,
    to: W,
    /// The answers that the client waits for, in their order.
    turns: mpsc::UnboundedSender<oneshot::Receiver<Answer>>,
    /// The answers that the broker will give, in their order.
    sent: mpsc::UnboundedSender<Sent<P::Kept>>,
    held: Option<Held<P::Kept>>,
}

impl<P: Policy, W: AsyncWrite + Unpin> Desk<'_, P, W> {
    async fn requests(mut self, mut from: impl AsyncRead + Unpin) -> io::Result<()> {
        loop {
            let read = frame::read(&mut from);
            tokio::pin!(read);
            let frame = loop {
                let until = self.held.as_ref().map(|held| held.until);
                tokio::select! {
                    biased;
                    frame = &mut read => break frame?,
                    () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => {
                        self.release(false).await?;
                    }
                }
            };
            match frame {
                Some(frame) => self.take(frame).await?,
                None => return Ok(()),
            }
        }
    }

    async fn take(&mut self, frame: Bytes) -> io::Result<()> {
        let mut body = frame.clone();
        let Some(call) = Call::read(&mut body) else {
            let turn = Some(self.turn());
            let sent = Sent { call: None, after: Duration::ZERO, silence: None, turn };
            return self.pass(&frame, sent, true).await;
        };
        let (frame, body) = frame::without_session(&call, frame, body);
        let asked = Asked { call, frame, body };
        let passage = self.shared.policy.request(&self.shared.way(self.broker), &asked)?;
        self.carry(asked.call, passage).await
    }

    /// Does with a request what was decided.
    async fn carry(&mut self, call: Call, passage: Passing<P::Kept>) -> io::Result<()> {
        let Passing { forward, again, made, answered, after, silence, hold, kept } = passage;
        let turn = answered.then(|| self.turn());
        let Some(forward) = forward else {
            if let (Some(turn), Some(frame)) = (turn, made) {
                // A client that is gone needs no answer.
                let _ = turn.send(Answer::Frame { frame, due: Instant::now() + after });
            }
            return Ok(());
        };
        let sent = Sent { call: Some((call.clone(), kept)), after, silence, turn };
        if hold && self.held.is_none() {
            let until = Instant::now() + HELD;
            self.held = Some(Held { frame: forward, sent, answered, until });
            return Ok(());
        }
        self.pass(&forward, sent, answered).await?;
        if let Some(again) = again {
            let call = Some((call, P::Kept::default()));
            let unheard = Sent { call, after: Duration::ZERO, silence: None, turn: None };
            self.pass(&again, unheard, answered).await?;
        }
        self.release(true).await
    }

    /// Sends what is held, if anything.
    async fn release(&mut self, overtaken: bool) -> io::Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        if let Some((_, kept)) = &held.sent.call {
            self.shared.policy.released(kept, overtaken);
        }
        self.pass(&held.frame, held.sent, held.answered).await
    }

    /// Sends a request that the broker answers, or does not.
    async fn pass(&mut self, frame: &[u8], sent: Sent<P::Kept>, answered: bool) -> io::Result<()> {
        if answered {
            // The other half of this connection lives as long as this one.
            let _ = self.sent.send(sent);
        }
        frame::write(&mut self.to, frame).await
    }

    fn turn(&self) -> oneshot::Sender<Answer> {
        let (turn, answer) = oneshot::channel();
        let _ = self.turns.send(answer);
        turn
    }
}

/// Takes the broker's answers and gives each to the turn of its request.
async fn answers<P: Policy>(
    shared: &Arc<Shared<P>>,
    broker: i32,
    own: &Mutex<P::Own>,
    mut from: impl AsyncRead + Unpin,
    mut sent: mpsc::UnboundedReceiver<Sent<P::Kept>>,
) -> io::Result<()> {
    while let Some(frame) = frame::read(&mut from).await? {
        let Some(Sent { call, after, silence, turn }) = sent.recv().await else { break };
        let Some(turn) = turn else { continue };
        let due = Instant::now() + after;
        let frame = match call {
            Some((call, kept)) => {
                let frame = addresses::rewrite(shared, &call, frame)?;
                let way = shared.way(broker);
                shared.policy.answer(&way, &call, kept, &mut lock(own), frame)?
            }
            None => frame,
        };
        let _ = turn.send(match silence {
            Some(over) => Answer::Silence(over),
            None => Answer::Frame { frame, due },
        });
    }
    Ok(())
}

/// Gives the client its answers, each in its turn.
async fn deliver(
    mut to: impl AsyncWrite + Unpin,
    mut turns: mpsc::UnboundedReceiver<oneshot::Receiver<Answer>>,
) -> io::Result<()> {
    while let Some(turn) = turns.recv().await {
        match turn.await {
            Ok(Answer::Frame { frame, due }) => {
                sleep_until(due).await;
                frame::write(&mut to, &frame).await?;
            }
            Ok(Answer::Silence(mut over)) => {
                while over.changed().await.is_ok() {}
                break;
            }
            Err(_) => break,
        }
    }
    Ok(())
}
