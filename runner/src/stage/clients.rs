//! Producers and consumers of a suite: their processes, their reports, their histories.

mod derived;
mod ends;
mod latencies;
mod lives;
mod logs;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use indexmap::IndexMap;
use kplan_dsl::value::{Acks, Isolation};
use nix::sys::signal::Signal;
use tokio::sync::watch;

pub use derived::DerivedReader;
pub use ends::OwnEnd;
pub use latencies::{Latencies, MeantMessages, Measured};

use crate::{
    audit::{Naming, ServiceWork},
    client::{
        handle::{ClientState, Handle},
        protocol::Position,
        spec::{ClientBody, ClientSpec, Sending},
    },
    event::{Event, FaultKind, LaneState, StepRun, Why},
    history::now_us,
    stage::{Stage, faults::Struck, outcome::StepError, totals::Totals},
};

/// Whether a client can do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Working,
    /// The plan stopped, killed or paused it, or has not started it yet.
    Away,
    /// It had sent all its messages, and every message had its answer.
    Finished,
    /// It ended by itself, with an error.
    Died,
}

/// A client of the plan, over all its members and lives.
pub struct Client {
    pub name: String,
    /// What it is started with, in every life.
    pub spec: ClientSpec,
    /// One for a producer, one or more for a consumer.
    pub members: Vec<Member>,
    /// When it was first started.
    pub started_us: i64,
    /// What kplan reads of its output, if it is a service whose input and output are known.
    reader: Mutex<Option<Arc<DerivedReader>>>,
    latencies: Mutex<Latencies>,
    totals: Mutex<Totals>,
}

/// One process at a time, over its lives.
pub struct Member {
    pub number: u16,
    handle: tokio::sync::Mutex<Option<Handle>>,
    state: Mutex<MemberState>,
}

#[derive(Default)]
struct MemberState {
    life: u16,
    lane: Option<LaneState>,
    reported: Option<watch::Receiver<ClientState>>,
    pid: i32,
    histories: Vec<PathBuf>,
    downs: Vec<(i64, Option<i64>)>,
    /// The life whose end the plan asked for, or that was given up while it was starting.
    asked: u16,
    /// The life whose end by itself a step reported.
    end_reported: u16,
    /// Earlier lives that ended by themselves and that no step reported.
    past: Vec<OwnEnd>,
    /// Lives that were begun after one that had ended by itself.
    restarts: u16,
    /// The size of its log at the begin of steps: when, in which life, how many bytes.
    log_sizes: Vec<(i64, u16, u64)>,
}

impl MemberState {
    /// It cannot work from `at_us` on. A member that was paused before it was killed is down once, not twice.
    fn down(&mut self, at_us: i64) {
        if self.downs.last().is_none_or(|(_, until)| until.is_some()) {
            self.downs.push((at_us, None));
        }
    }

    /// It works again.
    fn back(&mut self, at_us: i64) {
        if let Some((_, open @ None)) = self.downs.last_mut() {
            *open = Some(at_us);
        }
    }
}

/// Limit until a client has contact (a producer) or its partitions (a consumer).
pub const READY_LIMIT: Duration = Duration::from_secs(60);

/// All clients of a suite, in the order they were started.
#[derive(Default)]
pub struct Clients(Mutex<IndexMap<String, Arc<Client>>>);

impl Clients {
    fn map(&self) -> MutexGuard<'_, IndexMap<String, Arc<Client>>> {
        self.0.lock().expect("no holder panics")
    }

    pub fn all(&self) -> Vec<Arc<Client>> {
        self.map().values().cloned().collect()
    }

    pub fn get(&self, name: &str) -> Result<Arc<Client>, StepError> {
        let found = self.map().get(name).cloned();
        found.ok_or_else(|| StepError::not_so(format!("client {name} was never started")))
    }

    /// The number for the next new client.
    pub fn next_id(&self) -> u16 {
        u16::try_from(self.map().len() + 1).unwrap_or(u16::MAX)
    }

    pub fn add(
        &self,
        name: &str,
        spec: ClientSpec,
        members: u16,
    ) -> Result<Arc<Client>, StepError> {
        let client = Arc::new(Client {
            name: name.to_owned(),
            spec,
            members: (1..=members).map(Member::new).collect(),
            started_us: now_us(),
            reader: Mutex::default(),
            latencies: Mutex::default(),
            totals: Mutex::default(),
        });
        let mut map = self.map();
        if map.contains_key(name) {
            return Err(StepError::not_so(format!(
                "client {name} was started before: use start_client"
            )));
        }
        map.insert(name.to_owned(), client.clone());
        Ok(client)
    }

    /// SIGKILLs all living clients, at the end of a suite.
    pub async fn kill_all(&self, stage: &Stage) {
        for client in self.all() {
            if let Some(reader) = client.reader() {
                reader.kill().await;
            }
            for member in &client.members {
                let mut slot = member.handle.lock().await;
                if let Some(handle) = slot.take() {
                    if member.lane() == Some(LaneState::Up) {
                        stage.client_lane(&client, member, LaneState::Stopped, "the plan ended");
                    }
                    // The guardian removes a process that cannot be killed here.
                    let _ = handle.kill().await;
                }
            }
        }
    }
}

impl Client {
    fn kind(&self) -> &dyn ClientBody {
        self.spec.kind()
    }

    /// The container of a member's life, if it runs in one that has a network of its own.
    pub fn container(&self, member: &Member, life: u16) -> Option<String> {
        self.spec.in_life(member.number, life).kind().container()
    }

    /// True if it sends: a producer or a copier; its traffic is judged by what it sends.
    pub fn sends(&self) -> bool {
        self.kind().sends_to().is_some()
    }

    /// True if it reads in a group, and can read to the log's end.
    pub fn reads(&self) -> bool {
        self.group().is_some()
    }

    /// How it sends, if it does.
    pub(crate) fn sending(&self) -> Option<Sending> {
        self.kind().sending()
    }

    /// True if no broker answers what it sends: a producer with `acks: 0`.
    pub fn unanswered(&self) -> bool {
        self.sending().is_some_and(|sending| sending.acks == Acks::None)
    }

    /// The topics of its traffic: those it sends to, or else reads; of a service the one that it reads.
    pub fn topics(&self) -> Vec<String> {
        let sends_to = self.kind().sends_to().map(str::to_owned);
        let traffic = sends_to.or_else(|| self.derives().map(|work| work.from));
        traffic.map_or_else(|| self.read_topics(), |topic| vec![topic])
    }

    pub fn read_topics(&self) -> Vec<String> {
        self.kind().reads_from().to_vec()
    }

    /// True if it reads messages from before its start.
    pub fn begins_at_start(&self) -> bool {
        self.kind().begins_at_start()
    }

    /// Its group and isolation level, if it reads in a group.
    pub fn group(&self) -> Option<(&str, Isolation)> {
        self.kind().group()
    }

    /// The group and the topic of a service that reads in a group.
    pub fn reads_unseen(&self) -> Option<(&str, &str)> {
        self.kind().reads_unseen()
    }

    /// What it makes of the messages of a topic, if that is judged.
    pub fn work(&self) -> Option<ServiceWork> {
        self.kind().work()
    }

    /// The same if it is a service that kplan does not bring: what it writes is in no history.
    pub fn derives(&self) -> Option<ServiceWork> {
        self.work().filter(|work| work.naming == Naming::Derived)
    }

    /// What it makes of messages, if it is a service that writes elsewhere than into a topic.
    pub fn elsewhere(&self) -> Option<ServiceWork> {
        self.kind().elsewhere()
    }

    /// What a service that kplan does not bring makes of messages, into a topic or elsewhere.
    pub fn serves(&self) -> Option<ServiceWork> {
        self.derives().or_else(|| self.elsewhere())
    }

    /// True if it runs in the cluster's network: what cuts clients off from brokers does not cut it off.
    pub fn in_network(&self) -> bool {
        matches!(&self.spec, ClientSpec::Service(service) if service.program.in_network())
    }

    /// Its number: the identity in its messages.
    pub fn id(&self) -> u16 {
        self.spec.common().client_id
    }

    /// True if it numbers its messages itself, and announces none before it sends it: another program.
    pub fn numbers_itself(&self) -> bool {
        self.kind().numbers_itself()
    }

    /// Whether any member's process is alive.
    pub fn lives(&self) -> bool {
        self.members.iter().any(Member::lives)
    }

    /// History files of all members and lives.
    pub fn histories(&self) -> Vec<PathBuf> {
        self.members.iter().flat_map(|m| m.state().histories.clone()).collect()
    }

    /// The history files that its traffic is judged by, without what a copier read. Those of a service are what kplan
    /// read of its output: they say of each message of its input when the first message derived from it was there.
    pub fn traffic(&self) -> Vec<PathBuf> {
        let mut files = self.histories();
        files.extend(self.reader().iter().flat_map(|reader| reader.histories()));
        if self.sends() {
            files.retain(|path| path.extension().is_none_or(|kind| kind != "seen"));
        }
        files
    }

    /// Counts of what it did so far.
    pub fn counts(&self) -> Totals {
        let mut totals = self.totals.lock().expect("no holder panics");
        totals.refresh(&self.traffic());
        totals.clone()
    }

    /// The times when no member could work because the plan had killed, stopped or paused it. Monotonic
    /// microseconds; open at the end while it lasts.
    pub fn downs(&self) -> Vec<(i64, Option<i64>)> {
        // A group works while one of its members does.
        let Some((first, rest)) = self.members.split_first() else { return Vec::new() };
        let mut downs = first.state().downs.clone();
        for member in rest {
            let other = member.state().downs.clone();
            downs = intersect(&downs, &other);
        }
        downs
    }

    /// Whether it can do its work, and if not why.
    pub fn presence(&self) -> Presence {
        if self.downs().iter().any(|(_, to)| to.is_none()) {
            return Presence::Away;
        }
        if self.lives() {
            let done = self.finished_us().is_some();
            return if done { Presence::Finished } else { Presence::Working };
        }
        let died = |m: &Member| {
            let state = m.state();
            let reported = state.reported.as_ref().map(|t| t.borrow());
            reported.is_some_and(|t| {
                t.exit.as_ref().is_some_and(|e| !e.clean && (!e.signalled || e.crashed))
            })
        };
        let ended = |m: &Member| m.lane() == Some(LaneState::Stopped);
        if self.members.iter().any(died) {
            Presence::Died
        } else if self.members.iter().all(ended) {
            Presence::Finished
        } else {
            Presence::Away
        }
    }

    /// When all its members had sent all their messages and had the answer to each.
    pub fn finished_us(&self) -> Option<i64> {
        let finished = |m: &Member| m.state().reported.as_ref()?.borrow().finished_us;
        self.members.iter().map(finished).try_fold(i64::MIN, |last, at| Some(last.max(at?)))
    }

    /// Whether it may do more after a moment: it is alive, and had not finished before.
    pub fn runs_on(&self, at_us: i64) -> bool {
        self.lives() && self.finished_us().is_none_or(|finished| finished > at_us)
    }

    /// Whether a broker answered a request of it between two snapshots after `since_us`.
    pub fn connected(&self, broker: u32, since_us: i64) -> bool {
        let id = i32::try_from(broker).unwrap_or(i32::MAX);
        self.members.iter().any(|m| {
            let state = m.state();
            state.reported.as_ref().is_some_and(|t| t.borrow().answers.connected(id, since_us))
        })
    }

    /// The latest time at which it had sent a request to a broker, after `since_us`, that is still unanswered.
    pub fn asked_us(&self, broker: u32, since_us: i64) -> Option<i64> {
        let id = i32::try_from(broker).unwrap_or(i32::MAX);
        let asked =
            |m: &Member| m.state().reported.as_ref()?.borrow().answers.asked_us(id, since_us);
        self.members.iter().filter_map(asked).min()
    }

    /// Since when the answers to its present lives are sampled; none before the first sample.
    pub fn answers_since_us(&self) -> Option<i64> {
        let first = |m: &Member| m.state().reported.as_ref()?.borrow().answers.first_us();
        self.members.iter().filter_map(first).min()
    }

    /// The partitions that are assigned to its living members.
    pub fn given(&self) -> Vec<Position> {
        let living = self.members.iter().filter(|m| m.lives());
        let reported = living.filter_map(|m| m.state().reported.clone());
        reported.flat_map(|reported| reported.borrow().given.clone()).collect()
    }

    /// Its newest errors as text.
    pub fn causes(&self) -> String {
        let mut words: Vec<String> = Vec::new();
        for member in &self.members {
            if let Some(reported) = &member.state().reported {
                words.push(reported.borrow().causes());
            }
        }
        words.dedup();
        words.join("; ")
    }

    /// Its latencies, as its processes report them.
    pub fn latencies(&self) -> MutexGuard<'_, Latencies> {
        self.latencies.lock().expect("no holder panics")
    }
}

/// The times that are in both lists.
fn intersect(a: &[(i64, Option<i64>)], b: &[(i64, Option<i64>)]) -> Vec<(i64, Option<i64>)> {
    let mut both = Vec::new();
    for (from_a, to_a) in a {
        for (from_b, to_b) in b {
            let from = *from_a.max(from_b);
            let to = match (to_a, to_b) {
                (Some(x), Some(y)) => Some(*x.min(y)),
                (one, other) => one.or(*other),
            };
            if to.is_none_or(|to| to > from) {
                both.push((from, to));
            }
        }
    }
    both
}

impl Member {
    fn new(number: u16) -> Self {
        Self { number, handle: tokio::sync::Mutex::new(None), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, MemberState> {
        self.state.lock().expect("no holder panics")
    }

    /// Its life now, from 1; 0 before the first.
    pub fn life(&self) -> u16 {
        self.state().life
    }

    /// The state of its process.
    pub fn lane(&self) -> Option<LaneState> {
        self.state().lane
    }

    /// Its process id, and the microseconds since its last report; none when it has ended.
    pub fn pulse(&self) -> Option<(i32, i64)> {
        let state = self.state();
        let reported = state.reported.as_ref()?.borrow();
        // The time during which the plan paused it does not count as silence.
        let back_us = state.downs.last().and_then(|down| down.1).unwrap_or(0);
        reported.exit.is_none().then(|| (state.pid, now_us() - reported.heard_us.max(back_us)))
    }

    /// Whether its process is alive (running or paused).
    pub fn lives(&self) -> bool {
        self.state().reported.as_ref().is_some_and(|t| t.borrow().exit.is_none())
    }

    /// Whether its process is alive and not paused.
    pub fn runs(&self) -> bool {
        self.lives() && self.lane() != Some(LaneState::Paused)
    }
}

/// `P`, or `C/2` for a member of a group of several.
pub fn shown(client: &Client, member: &Member) -> String {
    if client.members.len() == 1 {
        client.name.clone()
    } else {
        format!("{}/{}", client.name, member.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_frozen_and_then_killed_is_down_until_it_is_back() {
        let mut state = MemberState::default();
        state.down(10);
        state.down(20);
        state.back(30);
        state.back(40);
        assert_eq!(state.downs, [(10, Some(30))], "nothing stays open");
        state.down(50);
        assert_eq!(state.downs, [(10, Some(30)), (50, None)]);
    }

    #[test]
    fn a_group_is_down_only_while_all_its_members_are() {
        let one = [(10, Some(20)), (30, None)];
        let two = [(15, Some(40))];
        assert_eq!(intersect(&one, &two), [(15, Some(20)), (30, Some(40))]);
        assert!(intersect(&one, &[]).is_empty());
    }
}
