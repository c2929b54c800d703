//! One step as a sentence with its list.

use crate::facts::Kind;
use crate::plan::Step;
use crate::words::{Sentence, spoken};

/// What a step does, and under which conditions.
pub(super) fn sentence(step: &Step) -> Sentence {
    let Some(verb) = step.verb() else {
        let text =
            format!("{}, with arguments that are known only when the step runs", step.head.word);
        return Sentence::from(closed(text) + &asides(step));
    };
    let Sentence { text, points } = verb.in_full();
    let ends = points.is_empty() && step.head.facts.kind != Kind::Flow && verb.during().is_empty();
    let end = if ends { closed(text) } else { text + ":" };
    let asides = asides(step);
    // A list follows directly after the colon, so the other remarks are before the sentence.
    if end.ends_with(':') && !asides.is_empty() {
        return Sentence { text: format!("{} {end}", asides.trim()), points };
    }
    Sentence { text: end + &asides, points }
}

fn closed(text: String) -> String {
    if text.ends_with(['.', '!', '?']) { text } else { text + "." }
}

/// Remarks about the keys beside the verb.
fn asides(step: &Step) -> String {
    let head = &step.head;
    let mut said = Vec::new();
    if let Some(when) = &head.when {
        let text = when.text().trim().trim_start_matches("{{").trim_end_matches("}}").trim();
        said.push(match when.known() {
            Some(true) => format!("Runs only when `{text}`, which is true here."),
            Some(false) => format!("Left out here: runs only when `{text}`."),
            None => format!("Runs only when `{text}`."),
        });
    }
    if let Some(time) = &head.timeout {
        said.push(format!("Time limit: {}.", spoken(time.value)));
    }
    if let Some(error) = &head.expect_error {
        said.push(format!("Must fail with {error}."));
    }
    if head.optional {
        said.push("Optional: a failure is reported, but the plan goes on and can pass.".to_owned());
    }
    if let Some(name) = &head.capture {
        said.push(format!("The result is captured as `{name}`."));
    }
    said.iter().map(|s| format!(" {s}")).collect()
}
