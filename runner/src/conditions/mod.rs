//! How each condition is judged, from observations. Mirrors `kplan_dsl::conditions`; words of one family
//! in one file.

mod clients;
mod cluster;
mod counts;
mod evidence;
mod found;
mod groups;
mod hosts;
mod latency;
mod replicas;

use std::collections::BTreeMap;

use futures::future::{BoxFuture, FutureExt as _};
use kplan_dsl::{Spanned, conditions::Condition};
use serde_json::Value;

pub use found::Found;

use crate::{
    event::{Finding, Holds},
    stage::{
        clients::Client,
        judge::{Judge, Looked, Looking},
        outcome::StepError,
    },
};

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

/// What a condition found, as it is told: a record judges nothing, nor does what is always true.
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
fn find<'a>(condition: &'a Condition, j: &'a Judge<'_>) -> BoxFuture<'a, Result<Found, StepError>> {
    async move {
        let Some(clients) = clients::named(condition) else {
            let found = evidence::weigh(condition, None, alone(condition, j).await?, j)?;
            let found = asked(found, j);
            if let (Some((measure, true)), Some(count)) =
                (counts::measure(condition), condition.count())
            {
                counts::tell_whole(measure, count, &found, j).await?;
            }
            return Ok(found);
        };
        let mut each = Vec::new();
        for name in clients.iter() {
            let name = name.client.to_string();
            let found = match j.stage.clients.get(&name) {
                Ok(client) => {
                    let found = of_client(condition, &client, j).await?;
                    evidence::weigh(condition, Some(&client), found, j)?
                }
                Err(_) => Found::not_covered(format!("client {name} was never started")),
            };
            each.push((name, asked(found, j)));
        }
        Ok(Found::every(each))
    }
    .boxed()
}

/// Who asks about a moment, and not throughout a time, asks about whoever is away too.
fn asked(found: Found, j: &Judge<'_>) -> Found {
    Found { covers: found.covers || !matches!(j.looking, Looking::Throughout { .. }), ..found }
}

/// Judges what one client has to do with.
async fn of_client(
    condition: &Condition,
    client: &Client,
    j: &Judge<'_>,
) -> Result<Found, StepError> {
    match condition {
        Condition::Progressing(c) => clients::progressing(c, client, j),
        Condition::Connected(c) => clients::connected(c, client, j).await,
        Condition::Unavailable(c) => clients::unavailable(c, client, j),
        Condition::Recovered(c) => clients::recovered(c, client, j),
        Condition::Latency(c) => latency::latency(c, client, j),
        other => Err(cannot(other)),
    }
}

fn cannot(condition: &Condition) -> StepError {
    StepError::not_so(format!("`{}` cannot be judged here", condition.info().word))
}

/// Judges what no client is named for.
fn alone<'a>(
    condition: &'a Condition,
    j: &'a Judge<'_>,
) -> BoxFuture<'a, Result<Found, StepError>> {
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
            Condition::BrokersAlive(c) => cluster::brokers_alive(c, j).await,
            Condition::Controller(c) => cluster::controller(c, j).await,
            Condition::Leader(c) => cluster::leader(c, j).await,
            Condition::PreferredLeaders(c) => cluster::preferred_leaders(c, j).await,
            Condition::InSync(c) => cluster::in_sync(c, j).await,
            Condition::UnderReplicatedPartitions(c) => cluster::under_replicated(c, j).await,
            Condition::UnderMinIsrPartitions(c) => cluster::under_min_isr(c, j).await,
            Condition::OfflinePartitions(c) => cluster::offline(c, j).await,
            Condition::ReplicasDiffer(c) => replicas::differ(c, j).await,
            Condition::Group(c) => groups::group(c, j).await,
            Condition::Lag(c) => groups::lag(c, j).await,
            Condition::Offset(c) => groups::offset(c, j).await,
            Condition::Message(c) => groups::message(c, j).await,
            Condition::Listener(c) => hosts::listener(c, j).await,
            Condition::Log(c) => hosts::log(c, j).await,
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
            other => Err(cannot(other)),
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
    // Who is away keeps nothing else from being judged.
    let covers = each.iter().any(|(_, f)| f.covers);
    each.retain(|(_, f)| f.covers || !covers);
    let holds: Vec<Holds> = each.iter().map(|(_, f)| f.holds).collect();
    let verdict = rule(&holds).unwrap_or(Holds::Inconclusive);
    let words: Vec<String> = each.iter().map(|(_, f)| f.found.clone()).collect();
    let evidence = each.into_iter().flat_map(|(_, f)| f.evidence).collect();
    Ok(Found {
        holds: verdict,
        found: words.join("; "),
        evidence,
        value: match verdict {
            Holds::Inconclusive => Value::Null,
            known => Value::Bool(known == Holds::Yes),
        },
        firm: false,
        covers,
    })
}

fn expr(c: &kplan_dsl::conditions::Expr, j: &Judge<'_>) -> Result<Found, StepError> {
    let unknown = j.stage.unknown();
    if let Some(why) = rests_on_unknown(c.0.text(), &unknown) {
        return Ok(Found::inconclusive(why));
    }
    match c.0.eval(&j.stage.values()) {
        Ok(holds) => Ok(Found::plain(holds, format!("`{}` is {holds}", c.0.text()))),
        Err(diagnostic) => Ok(Found::inconclusive(diagnostic.message.to_string())),
    }
}

/// Why an expression cannot be judged, if it uses a capture of which it may need what is not known. Only
/// `capture.word` of a word that is known says that it needs nothing else.
fn rests_on_unknown(text: &str, unknown: &BTreeMap<(String, String), String>) -> Option<String> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let word = |text: &str| -> String { text.chars().take_while(|c| part(*c)).collect() };
    unknown.iter().find_map(|((capture, missing), why)| {
        let uses = text.match_indices(capture.as_str()).any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let rest = &text[at + capture.len()..];
            let whole = !before.is_some_and(|c| part(c) || c == '.') && word(rest).is_empty();
            let needed = rest.trim_start().strip_prefix('.').map(|rest| word(rest.trim_start()));
            whole && needed.is_none_or(|needed| needed == *missing)
        });
        uses.then(|| format!("{capture}.{missing} is not known: {why}"))
    })
}

#[cfg(test)]
mod tests {
    use super::rests_on_unknown;

    #[test]
    fn an_expression_on_what_is_not_known_is_not_judged() {
        let unknown = [(("before".to_owned(), "lost".to_owned()), "no traffic".to_owned())].into();
        for text in [
            "{{ before.lost.total == 0 }}",
            "{{ before . lost | default(0) == 0 }}",
            "{{ before['lost'] == 0 }}",
            "{{ before | length == 1 }}",
            "{{ after.acked > 1 and before.lost.total < after.lost.total }}",
        ] {
            let why = rests_on_unknown(text, &unknown);
            assert_eq!(why.as_deref(), Some("before.lost is not known: no traffic"), "{text}");
        }
        for text in ["{{ before.acked.total > 0 }}", "{{ not_before.lost > 0 }}", "{{ x.before }}"]
        {
            assert_eq!(rests_on_unknown(text, &unknown), None, "{text}");
        }
    }
}
