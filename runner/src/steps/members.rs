//! The members of clients that a step works on.

use std::sync::Arc;

use kplan_dsl::value::Clients;

use crate::{
    event::Event,
    stage::{
        clients::{Client, Member, shown},
        faults::Struck,
        outcome::{Done, StepError},
    },
    steps::Cx,
};

/// The error that decides, if there is one.
pub fn worst_error(results: Vec<Result<(), StepError>>) -> Result<Done, StepError> {
    let worst = StepError::worst(results.into_iter().filter_map(Result::err));
    worst.map_or_else(|| Ok(Done::default()), Err)
}

/// A client and which of its members, by index.
pub type Chosen = (Arc<Client>, Vec<usize>);

/// The state that a member needs for a step to act on it, and the text for a member in another state.
#[derive(Clone, Copy)]
pub struct Fit {
    is: fn(&Member) -> bool,
    otherwise: &'static str,
}

pub const LIVES: Fit = Fit { is: Member::lives, otherwise: "does not run" };
pub const RUNS: Fit = Fit { is: Member::runs, otherwise: "does not run, or is paused" };
pub const PAUSED: Fit =
    Fit { is: |member| member.lives() && !member.runs(), otherwise: "is not paused" };
pub const DEAD: Fit = Fit { is: |member| !member.lives(), otherwise: "runs already" };

/// The members that a step acts on: of the named clients and members, those in the right state. The others are
/// reported as left out. If none is in the right state, all are returned, and the step fails on them.
pub fn chosen(clients: &Clients, fit: Fit, cx: &Cx<'_>) -> Result<Vec<Chosen>, StepError> {
    let named = named(clients, cx)?;
    let fits = |client: &Client, i: &usize| (fit.is)(&client.members[*i]);
    if !named.iter().any(|(client, members)| members.iter().any(|i| fits(client, i))) {
        return Ok(named);
    }
    let mut chosen = Vec::with_capacity(named.len());
    for (client, members) in named {
        let (fit_ones, out): (Vec<usize>, Vec<usize>) =
            members.into_iter().partition(|i| fits(&client, i));
        left_out(&client, &out, fit, cx);
        if !fit_ones.is_empty() {
            chosen.push((client, fit_ones));
        }
    }
    Ok(chosen)
}

/// The clients that a step names, each once, with the members that it names of them.
fn named(clients: &Clients, cx: &Cx<'_>) -> Result<Vec<Chosen>, StepError> {
    let mut all: Vec<Chosen> = Vec::new();
    for one in clients.iter() {
        let client = cx.stage.clients.get(&one.client)?;
        let members: Vec<usize> = match one.member {
            None => (0..client.members.len()).collect(),
            Some(n) if (1..=client.members.len()).contains(&(n as usize)) => vec![n as usize - 1],
            Some(n) => {
                return Err(StepError::not_so(format!("{} has no member {n}", client.name)));
            }
        };
        match all.iter_mut().find(|(known, _)| known.name == client.name) {
            Some((_, known)) => known.extend(members),
            None => all.push((client, members)),
        }
    }
    for (_, members) in &mut all {
        members.sort_unstable();
        members.dedup();
    }
    Ok(all)
}

/// Reports the named members that a step does not act on.
fn left_out(client: &Client, members: &[usize], fit: Fit, cx: &Cx<'_>) {
    for member in members.iter().map(|i| &client.members[*i]) {
        let text = format!("{} {}: it is left out", shown(client, member), fit.otherwise);
        let step = cx.id.to_owned();
        cx.stage.tell.emit(Event::Note { step, text });
    }
}

/// Undoes what this step did to clients and is not undone yet: starts the members that it killed, and resumes those
/// that it paused.
pub async fn undo(cx: &Cx<'_>) -> Result<(), StepError> {
    let mut struck: Vec<Chosen> = Vec::new();
    for fault in cx.stage.breaks.of_step(cx.id) {
        let Struck::Client { client: name, member } = &fault.struck else { continue };
        if fault.step != *cx.id || fault.over_us.is_some() {
            continue;
        }
        let client = cx.stage.clients.get(name)?;
        let members = client.members.iter().position(|m| m.number == *member);
        let members = members.into_iter().collect();
        struck.push((client, members));
    }
    let back = each(&struck).map(async |(client, member)| match (member.lives(), member.runs()) {
        (true, true) => Ok(()),
        (true, false) => cx.stage.resume_member(cx.id, client, member).await,
        (false, _) => cx.stage.start_member(client, member).await,
    });
    worst_error(futures::future::join_all(back).await).map(drop)
}

/// Each of the members.
pub fn each(chosen: &[(Arc<Client>, Vec<usize>)]) -> impl Iterator<Item = (&Arc<Client>, &Member)> {
    chosen.iter().flat_map(|(client, members)| {
        members.iter().filter_map(move |i| Some((client, client.members.get(*i)?)))
    })
}
