//! What clients of other programs do not tell: see [`crate::history::query::Untold`].

use crate::{
    event::{FaultKind, LaneState},
    history::query::Untold,
    stage::{
        clients::{Client, MeantMessages, Presence},
        faults::Struck,
        judge::Judge,
    },
};

/// What a producer does not tell; none if it is kplan's own, which announces each message.
pub(super) fn untold(client: &Client, j: &Judge<'_>) -> Option<Untold> {
    if !client.numbers_itself() || !client.sends() {
        return None;
    }
    let own = |struck: &Struck| matches!(struck, Struck::Client { client: name, .. } if *name == client.name);
    let breaks = j.stage.breaks.list();
    let kills = breaks.iter().filter(|b| b.kind == FaultKind::ClientKilled && own(&b.struck));
    let mut kills: Vec<i64> = kills.map(|b| b.at_us).collect();
    kills.sort_unstable();
    let since_us = hides_send_times(client).then_some(client.started_us);
    Some(Untold { since_us, kills, open: is_open(client) })
}

/// True for a producer of another program that prints no `sent_ms`.
pub(super) fn hides_send_times(client: &Client) -> bool {
    let measured = || client.latencies().of(&MeantMessages::ALL).messages;
    client.numbers_itself() && client.sends() && measured() == 0
}

/// Whether messages may wait of which it has not told.
pub(super) fn is_open(client: &Client) -> bool {
    // One that ended as ordered printed the outcome of each message.
    let stopped = client.members.iter().all(|m| m.lane() == Some(LaneState::Stopped));
    client.numbers_itself() && !stopped && client.presence() != Presence::Finished
}

/// Why the time that messages of a producer waited is not known.
pub(super) fn why_unknown(client: &Client) -> String {
    let name = &client.name;
    match hides_send_times(client) {
        true => format!("{name} is another program and prints no `sent_ms`"),
        false => {
            format!("{name} is another program and prints a message when its outcome is known")
        }
    }
}
