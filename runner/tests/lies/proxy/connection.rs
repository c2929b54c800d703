//! One client's connection to one broker.
//!
//! Kafka answers the requests of a connection in their order, and so does the proxy, whatever it makes
//! up, sends twice or keeps back: each request has its turn, in which its answer is awaited.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

use super::{
    Shared, addresses, fetch, frame,
    frame::Call,
    produce::{self, Produced},
};

/// How long a request is held when no other one comes that could overtake it: then nothing was done, and
/// the next one is tried.
const HELD: Duration = Duration::from_secs(1);

/// An answer, and when the client gets it.
struct Answer {
    frame: Bytes,
    due: Instant,
}

/// A request that was sent to the broker.
struct Sent {
    /// None if the kind is not known: its answer is passed on as it is.
    call: Option<Call>,
    produced: Option<Produced>,
    /// None if nobody waits for the answer.
    turn: Option<oneshot::Sender<Answer>>,
}

/// A request that another one is to overtake.
struct Held {
    frame: Bytes,
    sent: Sent,
    until: Instant,
}

/// Serves a client until either side ends.
pub async fn serve(shared: &Arc<Shared>, client: TcpStream, broker: &str) -> io::Result<()> {
    let broker = TcpStream::connect(broker).await?;
    client.set_nodelay(true)?;
    broker.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_broker, to_broker) = broker.into_split();
    let (turns, turned) = mpsc::unbounded_channel();
    let (sent, answered) = mpsc::unbounded_channel();
    let desk = Desk { shared, to: to_broker, turns, sent, held: None };
    tokio::select! {
        ended = desk.requests(from_client) => ended,
        ended = answers(shared, from_broker, answered) => ended,
        ended = deliver(to_client, turned) => ended,
    }
}

/// Takes the client's requests and sends them to the broker.
struct Desk<'a, W> {
    shared: &'a Arc<Shared>,
    to: W,
    /// The answers that the client waits for, in their order.
    turns: mpsc::UnboundedSender<oneshot::Receiver<Answer>>,
    /// The answers that the broker will give, in their order.
    sent: mpsc::UnboundedSender<Sent>,
    held: Option<Held>,
}

impl<W: AsyncWrite + Unpin> Desk<'_, W> {
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
                        let held = self.held.as_ref().and_then(|held| held.sent.produced.as_ref());
                        held.into_iter().for_each(Produced::not_overtaken);
                        self.release().await?;
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
        match Call::read(&mut body) {
            Some(call) if call.api == ApiKey::Produce => self.produce(call, frame, body).await,
            call => {
                let turn = Some(self.turn());
                self.send(&frame, Sent { call, produced: None, turn }).await
            }
        }
    }

    async fn produce(&mut self, call: Call, frame: Bytes, body: Bytes) -> io::Result<()> {
        let plan = produce::plan(self.shared, &call, body)?;
        let turn = plan.answered.then(|| self.turn());
        let Some(forward) = plan.forward else {
            if let Some(turn) = turn {
                let frame = plan.produced.answer(self.shared, &call, None)?;
                let due = Instant::now() + plan.produced.delay;
                // A client that is gone needs no answer.
                let _ = turn.send(Answer { frame, due });
            }
            return Ok(());
        };
        let frame = if plan.changed { call.request(&forward)? } else { frame };
        let again = plan.again.map(|body| call.request(&body)).transpose()?;
        let hold = plan.produced.hold.is_some() && self.held.is_none();
        let sent = Sent { call: Some(call.clone()), produced: Some(plan.produced), turn };
        if hold {
            self.held = Some(Held { frame, sent, until: Instant::now() + HELD });
            return Ok(());
        }
        self.pass(&frame, sent, plan.answered).await?;
        if let Some(again) = again {
            let unheard = Sent { call: Some(call), produced: None, turn: None };
            self.pass(&again, unheard, plan.answered).await?;
        }
        if let Some(held) = &self.held {
            held.sent.produced.iter().for_each(Produced::overtaken);
        }
        self.release().await
    }

    /// Sends what is held, if anything.
    async fn release(&mut self) -> io::Result<()> {
        let Some(held) = self.held.take() else { return Ok(()) };
        let answered = held.sent.turn.is_some();
        self.pass(&held.frame, held.sent, answered).await
    }

    /// Sends a request that the broker answers, or does not.
    async fn pass(&mut self, frame: &[u8], sent: Sent, answered: bool) -> io::Result<()> {
        if answered {
            self.send(frame, sent).await
        } else {
            frame::write(&mut self.to, frame).await
        }
    }

    async fn send(&mut self, frame: &[u8], sent: Sent) -> io::Result<()> {
        // The other half of this connection lives as long as this one.
        let _ = self.sent.send(sent);
        frame::write(&mut self.to, frame).await
    }

    fn turn(&self) -> oneshot::Sender<Answer> {
        let (turn, answer) = oneshot::channel();
        let _ = self.turns.send(answer);
        turn
    }
}

/// Takes the broker's answers and gives each to the turn of its request.
async fn answers(
    shared: &Arc<Shared>,
    mut from: impl AsyncRead + Unpin,
    mut sent: mpsc::UnboundedReceiver<Sent>,
) -> io::Result<()> {
    let mut kept = Vec::new();
    while let Some(frame) = frame::read(&mut from).await? {
        let Some(Sent { call, produced, turn }) = sent.recv().await else { break };
        let Some(turn) = turn else { continue };
        let arrived = Instant::now();
        let delay = produced.as_ref().map_or(Duration::ZERO, |p| p.delay);
        let frame = match (call, produced) {
            (Some(call), Some(produced)) => produced.answer(shared, &call, Some(frame))?,
            (Some(call), None) if call.api == ApiKey::Fetch => {
                fetch::rewrite(shared, &call, frame, &mut kept)?
            }
            (Some(call), None) if addresses::concerns(call.api) => {
                addresses::rewrite(shared, &call, frame)?
            }
            _ => frame,
        };
        let _ = turn.send(Answer { frame, due: arrived + delay });
    }
    Ok(())
}

/// Gives the client its answers, each in its turn.
async fn deliver(
    mut to: impl AsyncWrite + Unpin,
    mut turns: mpsc::UnboundedReceiver<oneshot::Receiver<Answer>>,
) -> io::Result<()> {
    while let Some(turn) = turns.recv().await {
        let Ok(answer) = turn.await else { break };
        sleep_until(answer.due).await;
        frame::write(&mut to, &answer.frame).await?;
    }
    Ok(())
}
