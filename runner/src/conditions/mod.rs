//! How each condition is judged, from observations. Mirrors `kplan_dsl::conditions`; words of one family
//! in one file.

mod clients;
mod cluster;
mod counts;
mod found;
mod groups;
mod hosts;
mod latency;
mod replicas;

use futures::future::{BoxFuture, FutureExt as _};
use kplan_dsl::{Spanned, conditions::Condition};
use serde_json::Value;

pub use found::Found;

use crate::{
    conductor::{judge::Judge, outcome::StepError},
    event::{Finding, Holds},
};

/// Judges one condition.
///
/// # Errors
/// When the rig is gone: never a judgement.
pub async fn judge(condition: &Spanned<Condition>, j: &Judge<'_>) -> Result<Finding, StepError> {
    judge_with_value(condition, j).await.map(|(finding, _)| finding)
}

/// Judges one condition and gives its value, for `record` and `capture`.
///
/// # Errors
/// As [`judge`].
pub async fn judge_with_value(
    condition: &Spanned<Condition>,
    j: &Judge<'_>,
) -> Result<(Finding, Value), StepError> {
    let mut found = find(condition, j).await?;
    if j.record && found.holds != Holds::Inconclusive {
        found.holds = Holds::Unjudged;
    }
    let finding = Finding {
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
    };
    Ok((finding, found.value))
}

/// Whether judging it reads the whole log.
#[must_use]
pub fn needs_audit(condition: &Condition) -> bool {
    match condition {
        Condition::All(inner) => inner.0.iter().any(|c| needs_audit(c)),
        Condition::Any(inner) => inner.0.iter().any(|c| needs_audit(c)),
        Condition::Not(inner) => inner.0.iter().any(|c| needs_audit(c)),
        other => {
            counts::measure(other).is_some_and(|(_, reads_log)| reads_log)
                || matches!(
                    other,
                    Condition::Lag(_) | Condition::Message(_) | Condition::ReplicasDiffer(_)
                )
        }
    }
}

fn find<'a>(condition: &'a Condition, j: &'a Judge<'_>) -> BoxFuture<'a, Result<Found, StepError>> {
    async move {
        if let (Some((measure, reads_log)), Some(count)) =
            (counts::measure(condition), condition.count())
        {
            return match condition {
                Condition::Failed(c) => counts::failed(c, j).await,
                _ => counts::judge(measure, reads_log, count, j).await,
            };
        }
        match condition {
            Condition::BrokersAlive(c) => cluster::brokers_alive(c, j),
            Condition::Controller(c) => cluster::controller(c, j),
            Condition::Leader(c) => cluster::leader(c, j),
            Condition::PreferredLeaders(c) => cluster::preferred_leaders(c, j),
            Condition::InSync(c) => cluster::in_sync(c, j),
            Condition::UnderReplicatedPartitions(c) => cluster::under_replicated(c, j),
            Condition::UnderMinIsrPartitions(c) => cluster::under_min_isr(c, j).await,
            Condition::OfflinePartitions(c) => cluster::offline(c, j),
            Condition::ReplicasDiffer(c) => replicas::differ(c, j).await,
            Condition::Group(c) => groups::group(c, j).await,
            Condition::Lag(c) => groups::lag(c, j).await,
            Condition::Offset(c) => groups::offset(c, j).await,
            Condition::Message(c) => groups::message(c, j).await,
            Condition::Listener(c) => hosts::listener(c, j).await,
            Condition::Log(c) => hosts::log(c, j).await,
            Condition::Progressing(c) => clients::progressing(c, j),
            Condition::Connected(c) => clients::connected(c, j).await,
            Condition::Unavailable(c) => clients::unavailable(c, j),
            Condition::Recovered(c) => clients::recovered(c, j),
            Condition::Latency(c) => latency::latency(c, j),
            Condition::Expr(c) => expr(c, j),
            Condition::All(inner) => {
                combine(&inner.0, j, |all| all.iter().copied().max_by_key(|h| found::rank(*h)))
                    .await
            }
            Condition::Any(inner) => {
                combine(&inner.0, j, |all| all.iter().copied().min_by_key(|h| any_rank(*h))).await
            }
            Condition::Not(inner) => {
                combine(&inner.0, j, |all| {
                    let worst = all.iter().copied().max_by_key(|h| found::rank(*h));
                    worst.map(|h| match h {
                        Holds::Yes => Holds::No,
                        Holds::No => Holds::Yes,
                        other => other,
                    })
                })
                .await
            }
            counted => {
                Err(StepError::not_so(format!("`{}` cannot be judged here", counted.info().word)))
            }
        }
    }
    .boxed()
}

/// One yes suffices; a doubt is worse than a yes and better than a no.
fn any_rank(holds: Holds) -> u8 {
    match holds {
        Holds::Yes => 0,
        Holds::Unjudged => 1,
        Holds::Inconclusive => 2,
        Holds::No => 3,
    }
}

async fn combine(
    inner: &[Spanned<Condition>],
    j: &Judge<'_>,
    rule: impl Fn(&[Holds]) -> Option<Holds>,
) -> Result<Found, StepError> {
    let mut each = Vec::with_capacity(inner.len());
    for one in inner {
        each.push((one.explain(), find(one, j).await?));
    }
    let holds: Vec<Holds> = each.iter().map(|(_, f)| f.holds).collect();
    let verdict = rule(&holds).unwrap_or(Holds::Inconclusive);
    let words: Vec<String> = each.iter().map(|(_, f)| f.found.clone()).collect();
    let evidence = each.into_iter().flat_map(|(_, f)| f.evidence).collect();
    Ok(Found {
        holds: verdict,
        found: words.join("; "),
        evidence,
        value: Value::Bool(verdict == Holds::Yes),
    })
}

fn expr(c: &kplan_dsl::conditions::Expr, j: &Judge<'_>) -> Result<Found, StepError> {
    match c.0.eval(&j.stage.values()) {
        Ok(holds) => Ok(Found::plain(holds, format!("`{}` is {holds}", c.0.text()))),
        Err(diagnostic) => Ok(Found::inconclusive(diagnostic.message.to_string())),
    }
}
