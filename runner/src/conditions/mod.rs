//! How each condition is judged, from observations. Mirrors `kplan_dsl::conditions`: a file for each condition. A count
//! of messages has its file in `audit`, with its measure. A condition without a way to judge it does not compile.
//! Shared code is in `clients`, `cluster`, `counts`, `derived`, `evidence`, `found` and `untold`.

mod ask;
mod brokers_alive;
mod clients;
mod cluster;
mod connected;
mod controller;
mod counts;
mod derived;
mod eligible_leader_replicas;
mod evidence;
mod expr;
mod found;
mod group;
mod http;
mod in_sync;
mod lag;
mod latency;
mod leader;
mod listener;
mod log;
mod logic;
mod message;
mod offline_partitions;
mod offset;
mod preferred_leaders;
mod progressing;
mod recovered;
mod replicas_differ;
mod running;
mod unavailable;
mod under_min_isr_partitions;
mod under_replicated_partitions;
mod untold;

use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt as _};
use kplan_dsl::{Spanned, conditions::Condition, each_condition, value::Clients};
use serde_json::Value;

pub use ask::Looked;
pub use found::Found;

use crate::{
    audit::CountedWord,
    conditions::evidence::RestsOn,
    event::{Finding, Holds},
    stage::{
        clients::Client,
        judge::{Judge, Looking},
        outcome::StepError,
    },
};

type Judged = Result<Found, StepError>;

/// How a condition is judged.
enum Way<'c> {
    /// By the state at this moment.
    Now(&'c dyn JudgedNow),
    /// For each client that it names, by the histories.
    ByClient(&'c dyn JudgedByClient),
    /// By a count of messages.
    ByCount(&'c dyn CountedWord),
}

/// A condition about the state at this moment.
#[async_trait]
trait JudgedNow: Send + Sync {
    async fn judge(&self, j: &Judge<'_>) -> Judged;

    fn way(&self) -> Way<'_>
    where
        Self: Sized,
    {
        Way::Now(self)
    }
}

/// A condition that is judged for each client that it names.
#[async_trait]
trait JudgedByClient: Send + Sync {
    fn clients(&self) -> &Clients;

    async fn judge(&self, client: &Client, j: &Judge<'_>) -> Judged;

    /// The evidence that its judgement needs; none if it is about the state at this moment.
    fn rests_on(&self, client: &Client, j: &Judge<'_>) -> Option<RestsOn>;

    fn way(&self) -> Way<'_>
    where
        Self: Sized,
    {
        Way::ByClient(self)
    }
}

/// A condition that counts messages.
trait JudgedByCount: CountedWord {
    fn way(&self) -> Way<'_>;
}

impl<T: CountedWord> JudgedByCount for T {
    fn way(&self) -> Way<'_> {
        Way::ByCount(self)
    }
}

/// Judges one condition.
pub async fn look(condition: &Spanned<Condition>, j: &Judge<'_>) -> Result<Looked, StepError> {
    let (found, covers) = tell(condition, j).await.map(|f| (f.clone(), f.covers))?;
    Ok(Looked { finding: finding(condition, found, j), covers })
}

/// Judges one condition and gives its value, for `record` and `capture`.
pub async fn judge_with_value(
    condition: &Spanned<Condition>,
    j: &Judge<'_>,
) -> Result<(Finding, Value), StepError> {
    let found = tell(condition, j).await?;
    let value = found.value.clone();
    Ok((finding(condition, found, j), value))
}

/// What a condition found, for the report: a record judges nothing, nor does a condition that is always true.
async fn tell(condition: &Spanned<Condition>, j: &Judge<'_>) -> Result<Found, StepError> {
    let mut found = find(condition, j).await?;
    if condition.constant() == Some(true) {
        found.found = format!("{} (this is always true: it judges nothing)", found.found);
        found.holds = Holds::Unjudged;
    }
    if j.record && found.holds != Holds::Inconclusive {
        found.holds = Holds::Unjudged;
    }
    Ok(found)
}

fn finding(condition: &Spanned<Condition>, found: Found, j: &Judge<'_>) -> Finding {
    Finding {
        condition: j
            .stage
            .plan
            .text_at(condition.span)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        line: j.stage.line_of(condition.span),
        holds: found.holds,
        expected: condition.explain(),
        found: found.found,
        evidence: found.evidence,
        after_ms: None,
    }
}

/// Judges a condition and weighs its evidence: the one place where both are done.
fn find<'a>(condition: &'a Condition, j: &'a Judge<'_>) -> BoxFuture<'a, Judged> {
    async move {
        Ok(match each_condition!(condition, it => it.way()) {
            Way::Now(it) => {
                let found = it.judge(j).await?;
                asked(evidence::weigh(condition, found, || None, j), j)
            }
            Way::ByCount(it) => {
                let reads_log = condition.reads_log();
                let found = counts::judge(it, reads_log, j).await?;
                let found = evidence::weigh(condition, found, || counts::rests_on(it, j), j);
                let found = asked(found, j);
                if reads_log {
                    counts::tell_whole(it, &found, j).await?;
                }
                found
            }
            Way::ByClient(it) => {
                let mut each = Vec::new();
                for name in it.clients().iter() {
                    let name = name.client.to_string();
                    let found = match j.stage.clients.get(&name) {
                        Ok(client) => {
                            let found = of_client(condition, it, &client, j).await?;
                            evidence::weigh(condition, found, || it.rests_on(&client, j), j)
                        }
                        Err(_) => Found::not_covered(format!("client {name} was never started")),
                    };
                    each.push((name, asked(found, j)));
                }
                Found::every(each)
            }
        })
    }
    .boxed()
}

/// Judges a condition for a client, if what it is judged by can be known.
async fn of_client(
    condition: &Condition,
    it: &dyn JudgedByClient,
    client: &Client,
    j: &Judge<'_>,
) -> Judged {
    if client.unanswered() && condition.facts().needs_answers {
        return Ok(Found::inconclusive(clients::unanswered(client)));
    }
    let since_us = it.rests_on(client, j).map_or(j.began_us, |(_, time)| time.from_us);
    match derived::unknown(client, since_us, j).await? {
        Some(why) => Ok(Found::inconclusive(why)),
        None => it.judge(client, j).await,
    }
}

/// At a single moment, a client that is away counts as covered too; not so throughout a time.
fn asked(found: Found, j: &Judge<'_>) -> Found {
    Found { covers: found.covers || !matches!(j.looking, Looking::Throughout { .. }), ..found }
}
