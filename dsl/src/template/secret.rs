//! What a template may make of a secret: only its whole value, so that stars can replace it wherever it is shown. A
//! part of a secret, or its letters in another order, could not be found in a text.

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::{Failure, Rendered, guard, lex, of_node, render, texts, trimmed};
use crate::diagnostic::Code;
use crate::scope::{Scope, Values};
use crate::visible::secret_forms;

/// True if everything that an expression gave is hidden with the secrets that it read. Booleans cannot be hidden by
/// stars.
pub(super) fn can_be_hidden(value: &Value, secrets: &[Value]) -> bool {
    let whole: BTreeSet<String> =
        secrets.iter().flat_map(texts).flat_map(|secret| secret_forms(&secret)).collect();
    holds_only(value, &whole)
}

fn holds_only(value: &Value, whole: &BTreeSet<String>) -> bool {
    let mut inner = value.try_iter().into_iter().flatten();
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => inner.all(|inner| holds_only(&inner, whole)),
        ValueKind::Map => inner.all(|key| {
            let of_key = value.get_item(&key).unwrap_or_default();
            holds_only(&key, whole) && holds_only(&of_key, whole)
        }),
        _ => texts(value).iter().all(|text| whole.contains(text)),
    }
}

/// True if a value contains a text of a secret.
pub(super) fn is_in(secret: &Value, value: &Value) -> bool {
    let secrets = texts(secret);
    texts(value).iter().any(|text| secrets.iter().any(|secret| text.contains(secret.as_str())))
}

/// The late secrets of a scope, and of the scopes in which its values are made.
pub(crate) fn late(scope: &Scope, values: &Values) -> Vec<Value> {
    let mut found = Vec::new();
    for (node, of, secret) in scope.all_derived() {
        if secret && let Rendered::Value(value) = of_node(node, of, Some(values)) {
            found.push(value);
        }
        found.extend(late(of, values));
    }
    found
}

/// The failure of the first expression of a text that gives anything but whole secrets.
pub(super) fn of_parts(
    text: &str,
    scope: &Arc<Scope>,
    values: Option<&Values>,
) -> Option<Rendered> {
    guard::expressions(text).into_iter().find_map(|place| {
        match render(&format!("{{{{{}}}}}", &text[place.clone()]), scope, values) {
            Rendered::Failed(failure) => {
                Some(Rendered::Failed(Failure { range: Some(place), ..failure }))
            }
            _ => None,
        }
    })
}

/// The failure of an expression that is the whole `text`.
pub(super) fn shown(text: &str) -> Failure {
    Failure {
        code: Code::E035,
        message: "this expression uses a secret in a way that kplan could not hide".to_owned(),
        help: Some(
            "use the whole secret and write other text outside the braces: `Bearer {{ env.TOKEN }}`; \
             pass what is not secret with --param"
                .into(),
        ),
        range: lex::whole_expression(text).map(|range| trimmed(text, range)),
    }
}
