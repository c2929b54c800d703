//! Diagnostics for people: the plan's own lines, and a count.

use kplan_dsl::render_each;

use super::Checked;
use crate::report::text::plural;

/// The text; the last line counts.
pub fn render(checked: &[Checked], colour: bool) -> String {
    let mut text = String::new();
    for one in checked {
        text.push_str(&render_each(&one.diagnostics, &one.sources, colour));
    }
    text.push_str(&closing(checked));
    text.push('\n');
    text
}

/// `checked 6 plans: 2 errors, 1 warning`.
fn closing(checked: &[Checked]) -> String {
    let (errors, warnings) = checked.iter().fold((0, 0), |(e, w), one| {
        (e + one.errors() as u64, w + (one.diagnostics.len() - one.errors()) as u64)
    });
    let sums: Vec<String> = [(errors, "error"), (warnings, "warning")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| plural(n, word))
        .collect();
    let sums = if sums.is_empty() { "all clean".to_owned() } else { sums.join(", ") };
    format!("checked {}: {sums}", plural(checked.len() as u64, "plan"))
}
