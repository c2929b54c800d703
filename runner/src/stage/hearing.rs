//! Turns the reports of clients and changes of the cluster into events while a suite runs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
};

use tokio::sync::{broadcast::error::RecvError, mpsc};

use crate::{
    client::{
        handle::{ClientEvent, Exit, Who},
        protocol::{ClientReport, NO_HISTORY, Position},
    },
    event::{Event, LaneState},
    observer::{Change, PartitionView, Seen},
    record::UncleanElection,
    stage::{Running, Stage, clients::Client},
};

/// The most reports of one client in the events: those that explain a result come earlier.
const REPORTS: u32 = 500;
/// The same error within this time is not reported again.
const AGAIN_US: i64 = 5_000_000;

/// Listens to the clients of a stage until they and the stage are gone.
pub fn clients(stage: &Arc<Stage>, mut heard: mpsc::Receiver<(Who, ClientEvent)>) {
    let stage: Weak<Stage> = Arc::downgrade(stage);
    tokio::spawn(async move {
        let mut reported: BTreeMap<String, (u32, BTreeMap<String, i64>)> = BTreeMap::new();
        while let Some((who, event)) = heard.recv().await {
            let Some(stage) = stage.upgrade() else { return };
            let (count, errors) = reported.entry(who.name.clone()).or_default();
            let Ok(client) = stage.clients.get(&who.name) else { continue };
            if let Some(text) = words(&stage, &client, &who, event, errors) {
                *count += 1;
                if *count <= REPORTS {
                    stage.tell.emit(Event::Report { who: shown(&client, &who), text });
                }
            }
        }
    });
}

fn shown(client: &Client, who: &Who) -> String {
    if client.members.len() == 1 {
        who.name.clone()
    } else {
        format!("{}/{}", who.name, who.member)
    }
}

/// The text of a client's report that gets a line in the run's report.
fn words(
    stage: &Stage,
    client: &Arc<Client>,
    who: &Who,
    event: ClientEvent,
    errors: &mut BTreeMap<String, i64>,
) -> Option<String> {
    let report = match event {
        ClientEvent::Report(report) => report,
        ClientEvent::Exited(exit) => {
            exited(stage, client, who, &exit);
            return None;
        }
    };
    let list = |all: &[Position]| {
        let words: Vec<String> =
            all.iter().map(|p| format!("{}/{} at {}", p.topic, p.partition, p.offset)).collect();
        if words.is_empty() { "no partitions".to_owned() } else { words.join(", ") }
    };
    match report {
        ClientReport::Ready { name, .. } => {
            Some(format!("life {}: first answer from {name}", who.life))
        }
        ClientReport::Assigned { generation, partitions, .. } => {
            Some(format!("generation {generation}: assigned {}", list(&partitions)))
        }
        ClientReport::Revoked { generation, partitions, lost, .. } => {
            let how = if lost { "lost" } else { "revoked" };
            Some(format!("generation {generation}: {how} {}", list(&partitions)))
        }
        ClientReport::Reset { position, text, .. } => {
            Some(format!("position reset to {}: {text}", list(&[position])))
        }
        ClientReport::Error { at_us, code, text, fatal, .. } => {
            if code == NO_HISTORY {
                let who = shown(client, who);
                stage.taken.note(format!("client {who} cannot record what it does: {text}"));
            }
            let last = errors.insert(code.clone(), at_us);
            let again = last.is_some_and(|before| at_us - before < AGAIN_US);
            (fatal || !again).then(|| format!("{code}: {text}"))
        }
        ClientReport::Latency { to_us, slices, .. } => {
            client.latencies().add((who.member, who.life), to_us, &slices);
            None
        }
        ClientReport::ProgramEnded { how, last, .. } => {
            let lines =
                if last.is_empty() { "it wrote nothing".to_owned() } else { last.join("\n") };
            Some(format!("life {}: the program ended: {how}; its last lines:\n{lines}", who.life))
        }
        ClientReport::Stats { .. }
        | ClientReport::Signalled { .. }
        | ClientReport::Alive { .. }
        | ClientReport::Progress { .. }
        | ClientReport::Finished { .. }
        | ClientReport::Ended { .. } => None,
    }
}

/// Shows the end of a member's process that no step had asked for.
fn exited(stage: &Stage, client: &Arc<Client>, who: &Who, exit: &Exit) {
    let Some(member) = client.members.iter().find(|m| m.number == who.member) else { return };
    let asked_for =
        !matches!(member.lane(), Some(LaneState::Up | LaneState::Starting | LaneState::Paused));
    if asked_for || member.life() != who.life {
        return;
    }
    // The step may have given up a client that was still starting.
    if exit.signalled && !exit.crashed && member.lane() != Some(LaneState::Starting) {
        let who = shown(client, who);
        stage.taken.note(format!("client {who} was ended from outside: {}", exit.text));
    }
    let (state, why) = if exit.clean {
        (LaneState::Stopped, "it had sent all its messages".to_owned())
    } else {
        (LaneState::Dead, format!("its process ended by itself: {}", exit.text))
    };
    stage.client_lane(client, member, state, why);
}

/// Turns changes that the observer sees into events, until the observer is gone.
pub fn cluster(stage: &Arc<Stage>, running: &Running) {
    let stage: Weak<Stage> = Arc::downgrade(stage);
    let mut changes = running.observer.changes();
    tokio::spawn(async move {
        loop {
            let seen = match changes.recv().await {
                Ok(seen) => seen,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            let Some(stage) = stage.upgrade() else { return };
            if let Some(event) = change(&seen) {
                if let Some(election) = unclean(&event, seen.at_us) {
                    stage.place.elected_uncleanly(election);
                }
                stage.tell.emit_at(seen.at_us, event);
            }
        }
    });
}

fn change(seen: &Seen) -> Option<Event> {
    let report = |who: String, text: &str| Some(Event::Report { who, text: text.to_owned() });
    match &seen.change {
        Change::BrokerAppeared { broker } => {
            report(format!("broker {broker}"), "answers and is listed by the others")
        }
        Change::BrokerVanished { broker } => {
            report(format!("broker {broker}"), "no longer answers, or the others no longer list it")
        }
        Change::ControllerChanged { controller } => {
            Some(Event::Controller { controller: *controller })
        }
        Change::PartitionChanged { topic, internal: false, now, before, unclean } => {
            let known = before.as_deref().filter(|_| *unclean);
            let knew_all = |p: &PartitionView| [p.in_sync.clone(), p.eligible.clone()].concat();
            Some(Event::Partition {
                topic: topic.clone(),
                partition: now.partition,
                leader: now.leader,
                epoch: now.leader_epoch,
                in_sync: now.in_sync.clone(),
                replicas: now.replicas.clone(),
                unclean: known.map(knew_all),
            })
        }
        Change::PartitionChanged { .. }
        | Change::TopicAppeared { .. }
        | Change::TopicVanished { .. } => None,
    }
}

/// The unclean election in an event.
fn unclean(event: &Event, at_us: i64) -> Option<UncleanElection> {
    let Event::Partition { topic, partition, leader, epoch, unclean, .. } = event else {
        return None;
    };
    Some(UncleanElection {
        at_us,
        topic: topic.clone(),
        partition: *partition,
        leader: (*leader)?,
        epoch: *epoch,
        before: unclean.clone()?,
    })
}
