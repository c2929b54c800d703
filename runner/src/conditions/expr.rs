//! `expr`

use std::collections::BTreeMap;

use async_trait::async_trait;
use kplan_dsl::conditions::Expr;

use super::{Found, Judged, JudgedNow};
use crate::stage::judge::Judge;

#[async_trait]
impl JudgedNow for Expr {
    async fn judge(&self, j: &Judge<'_>) -> Judged {
        let unknown = j.stage.captures.unknown();
        if let Some(why) = rests_on_unknown(self.0.text(), &unknown) {
            return Ok(Found::inconclusive(why));
        }
        match self.0.eval(&j.stage.values()) {
            Ok(holds) => Ok(Found::plain(holds, format!("`{}` is {holds}", self.0.text()))),
            Err(diagnostic) => Ok(Found::inconclusive(diagnostic.message.to_string())),
        }
    }
}

/// Why an expression cannot be judged, if it may need an unknown value of a capture. Only `capture.word` with a known
/// word is certain not to.
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
