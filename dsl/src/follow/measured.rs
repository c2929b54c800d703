//! Finds counts that an expression compares as if they were one number: a captured count is a map of numbers by client.

use std::collections::BTreeMap;

use crate::conditions::Condition;
use crate::diagnostic::Diagnostic;
use crate::library::Library;
use crate::plan::{Plan, Step};
use crate::steps::Verb;
use crate::template;
use crate::value::{Expression, not_a_number};

/// The counts that each capture of the plan contains.
type Counts<'p> = BTreeMap<&'p str, Vec<&'static str>>;

/// Reports every such comparison in `when` and `expr`.
pub(crate) fn check(plan: &Plan, library: &Library) -> Vec<Diagnostic> {
    let steps = plan.all_steps();
    let counts: Counts<'_> = steps.iter().filter_map(|step| captured(step)).collect();
    let mut found = Vec::new();
    if counts.is_empty() {
        return found;
    }
    let mut look = |expression: &Expression| {
        let wrong = template::measured(expression.text()).into_iter();
        let wrong = wrong.filter(|m| is_count(&m.path, &counts));
        found.extend(wrong.map(|measured| {
            let text = expression.text();
            not_a_number(&measured.path, library.inside(expression.span(), text, measured.range))
        }));
    };
    for step in &steps {
        step.head.when.iter().for_each(&mut look);
        let asked = step.verb().map(Verb::conditions).unwrap_or_default();
        asked.into_iter().flat_map(|all| all.flat()).for_each(|it| {
            if let Condition::Expr(expr) = &it.value {
                look(&expr.0);
            }
        });
    }
    found
}

fn captured(step: &Step) -> Option<(&str, Vec<&'static str>)> {
    let Some(Verb::Record(record)) = step.verb() else { return None };
    let counts = record.that.iter().filter(|c| c.facts().counts.is_some());
    Some((step.head.capture.as_ref()?.as_str(), counts.map(|c| c.info().word).collect()))
}

fn is_count(path: &[String], counts: &Counts<'_>) -> bool {
    let [capture, word] = path else { return false };
    counts.get(capture.as_str()).is_some_and(|words| words.contains(&word.as_str()))
}
