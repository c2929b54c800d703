//! `kplan list`: lists suites with their tags, parameters and matrix.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use kplan_dsl::{Param, Plan, value::duration_text, visible};
use serde_json::{Value, json};

use crate::{
    cluster::backend::Setup,
    commands::plans::{self, Selection},
    exit::Exit,
    out::{Shown as _, say, tell},
};

/// The output format of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For the terminal.
    Text,
    /// For programs.
    Json,
}

/// Arguments of `kplan list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kplan list plans/
  kplan list plans/ --tag failover --format json | jq -r '.plans[].suites[].name'")]
pub struct ListArgs {
    #[command(flatten)]
    selection: Selection,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// Runs the command.
pub fn main(args: &ListArgs) -> Exit {
    let checked = match plans::check(&args.selection, Setup::default()) {
        Ok(checked) => checked,
        Err(error) => {
            tell!("error: {error:#}");
            return Exit::Usage;
        }
    };
    checked.tell();
    let wanted: Vec<&Plan> = checked.plans.iter().filter(|p| args.selection.wants(p)).collect();
    let plans: Vec<&[&Plan]> = wanted.chunk_by(|a, b| a.path == b.path).collect();
    let reported = match args.format {
        Format::Text => text(&plans),
        Format::Json => {
            visible::json(&format!("{:#}\n", json!({ "plans": json_of(&plans) }))).into_owned()
        }
    };
    say(&reported, ended(checked.has_errors(), plans.is_empty()))
}

/// The exit status of a command that shows plans.
pub(super) fn ended(errors: bool, nothing: bool) -> Exit {
    match (errors, nothing) {
        (true, _) => Exit::Usage,
        (false, true) => {
            tell!("error: no plan matches the paths, tags and filters");
            Exit::Nothing
        }
        (false, false) => Exit::Passed,
    }
}

/// Every plan with its suites, parameters in aligned columns.
fn text(plans: &[&[&Plan]]) -> String {
    let mut text = String::new();
    for suites in plans {
        let Some(plan) = suites.first() else { continue };
        if !text.is_empty() {
            text.push('\n');
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}\n  {}", plan.path.shown(), shown(plan, &plan.name));
        let mut fact = |what: &str, value: &str| {
            let _ = writeln!(text, "  {what:<9}{}", visible::one_line_within(value, 4_000));
        };
        if !plan.tags.is_empty() {
            fact("tags", &plan.tags.join(", "));
        }
        fact("timeout", &duration_text(plan.timeout.value));
        for (index, suite) in suites.iter().enumerate() {
            if let Some(cell) = suite.cell_label() {
                fact(if index == 0 { "matrix" } else { "" }, &shown(suite, &cell));
            }
        }
        let rows: Vec<[String; 4]> = plan.params.iter().map(row).collect();
        for (index, line) in aligned(&rows).iter().enumerate() {
            fact(if index == 0 { "params" } else { "" }, line);
        }
    }
    text
}

fn shown(plan: &Plan, text: &str) -> String {
    visible::one_line_within(&plan.without_secrets(text), 2_000)
}

/// Name and default, type, possible values, description.
fn row(param: &Param) -> [String; 4] {
    let default = match &param.default {
        Some(default) => format!("{} = {}", param.name, param.hidden(default)),
        None => format!("{} (needs a value)", param.name),
    };
    let one_of: Vec<&str> = param.one_of.iter().map(|v| param.hidden(v)).collect();
    let one_of = if one_of.is_empty() || param.secret {
        String::new()
    } else {
        format!("one of {}", one_of.join(", "))
    };
    let kind = if param.secret { "secret" } else { param.kind.unwrap_or("any") };
    let description = param.description.as_deref().unwrap_or_default();
    [default, kind.to_owned(), one_of, description.trim().to_owned()]
        .map(|cell| visible::one_line_within(&cell, 500))
}

fn aligned(rows: &[[String; 4]]) -> Vec<String> {
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 4] = std::array::from_fn(width);
    let line = |row: &[String; 4]| {
        let cells = row.iter().zip(widths).filter(|(_, width)| *width > 0);
        let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn json_of(plans: &[&[&Plan]]) -> Vec<Value> {
    let plan = |suites: &&[&Plan]| {
        let plan = suites.first()?;
        let suite = |suite: &&Plan| {
            let cell: serde_json::Map<String, Value> = suite
                .cell
                .iter()
                .map(|(name, value)| (name.clone(), suite.without_secrets(value).into()))
                .collect();
            json!({ "name": suite.without_secrets(&suite.suite_name()), "cell": cell, "steps": suite.steps.len() })
        };
        Some(json!({
            "file": plan.path.to_string_lossy(),
            "name": plan.without_secrets(&plan.name),
            "description": plan.description.as_ref().map(|d| plan.without_secrets(d)),
            "tags": plan.tags,
            "timeout_ms": u64::try_from(plan.timeout.as_millis()).unwrap_or(u64::MAX),
            "params": plan.params.iter().map(json_of_param).collect::<Vec<_>>(),
            "suites": suites.iter().map(suite).collect::<Vec<_>>(),
        }))
    };
    plans.iter().filter_map(plan).collect()
}

fn json_of_param(param: &Param) -> Value {
    let hidden = |value: &String| param.hidden(value).to_owned();
    let one_of: Vec<String> = if param.secret { Vec::new() } else { param.one_of.clone() };
    json!({
        "name": param.name,
        "type": param.kind,
        "default": param.default.as_ref().map(hidden),
        "required": param.default.is_none(),
        "one_of": one_of,
        "secret": param.secret,
        "description": param.description,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suites() -> Vec<Plan> {
        let text = "plan: v1\nname: Two\ntags: [a, b]\ntimeout: 90s\nparams:\n  version: { default: 4.1.1, \
                    one_of: [3.9.1, 4.1.1], description: Kafka under test }\n  password: { default: \
                    hunter22, secret: true }\n  many: 3\nmatrix:\n  acks: [1, all]\nsteps:\n  - note: x\n";
        let path = std::path::Path::new("plans/two.yaml");
        kplan_dsl::check_text(path, text, &kplan_dsl::Options::default()).suites
    }

    #[test]
    fn a_plan_is_listed_in_columns_and_its_secrets_are_not() {
        let suites = suites();
        let suites: Vec<&Plan> = suites.iter().collect();
        insta::assert_snapshot!(text(&[&suites]));
        let json = json_of(&[&suites]);
        assert!(!format!("{json:?}").contains("hunter22"));
        insta::assert_snapshot!(format!("{:#}", json!(json)));
    }
}
