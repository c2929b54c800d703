//! `all`, `any`, `not`: conditions made of conditions.

use async_trait::async_trait;
use kplan_dsl::{
    Condition, Spanned,
    conditions::{All, Any, Not},
};
use serde_json::Value;

use super::{Found, Judged, JudgedNow, find, found::rank};
use crate::{event::Holds, stage::judge::Judge};

#[async_trait]
impl JudgedNow for All {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        combine(&self.0, j, worst).await
    }
}

#[async_trait]
impl JudgedNow for Any {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        combine(&self.0, j, |all| all.iter().copied().min_by_key(|h| any_rank(*h))).await
    }
}

#[async_trait]
impl JudgedNow for Not {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        combine(&self.0, j, |all| worst(all).map(opposite)).await
    }
}

fn opposite(holds: Holds) -> Holds {
    match holds {
        Holds::Yes => Holds::No,
        Holds::No => Holds::Yes,
        Holds::Inconclusive | Holds::Unjudged => holds,
    }
}

fn worst(all: &[Holds]) -> Option<Holds> {
    all.iter().copied().max_by_key(|h| rank(*h))
}

/// The rank for `any`: one yes suffices; inconclusive is worse than a yes and better than a no.
fn any_rank(holds: Holds) -> u8 {
    match holds {
        Holds::Yes => 0,
        Holds::Unjudged => 1,
        Holds::Inconclusive => 2,
        Holds::No => 3,
    }
}

/// Judges several conditions and combines their findings.
async fn combine(
    inner: &[Spanned<Condition>],
    j: &Judge<'_>,
    rule: fn(&[Holds]) -> Option<Holds>,
) -> Judged {
    let mut each = Vec::with_capacity(inner.len());
    for one in inner {
        each.push((one.explain(), find(one, j).await?));
    }
    // A client that is away does not keep other conditions from being judged.
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
