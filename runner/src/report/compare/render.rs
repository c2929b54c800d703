//! A comparison as text, Markdown and HTML.

use anstyle::{AnsiColor, Style};
use minijinja::{Environment, Value, value::Serde};

use super::{Comparison, Row};
use crate::{
    out::paint,
    report::{
        markdown::text as escaped,
        terminal::{BOLD, DIM},
        text::one_line,
    },
};

const STYLE: &str = include_str!("../html/page.css");
const PAGE: &str = include_str!("compare.html");

/// Text for the terminal, with kplan's own colours: see [`crate::out`].
pub fn text(comparison: &Comparison) -> String {
    let mut out = format!("{}  →  {}\n", comparison.left, comparison.right);
    for pair in &comparison.pairs {
        out.push_str(&format!("\n{}\n", paint(BOLD, &pair.title)));
        let width = |of: fn(&Row) -> &str| {
            pair.rows.iter().map(|r| of(r).chars().count()).max().unwrap_or(0)
        };
        let widths = [width(|r| &r.name), width(|r| &r.left), width(|r| &r.right)];
        for row in &pair.rows {
            let cells = [&row.name, &row.left, &row.right];
            let padded: Vec<_> = cells
                .iter()
                .zip(widths)
                .map(|(cell, w)| format!("{cell}{}", " ".repeat(w - cell.chars().count())))
                .collect();
            out.push_str(format!("  {}", padded.join("  ")).trim_end());
            if !row.change.is_empty() {
                out.push_str(&format!("  {}", paint(tone(row), &row.change)));
            }
            out.push('\n');
        }
    }
    for (side, titles) in
        [(&comparison.left, &comparison.only_left), (&comparison.right, &comparison.only_right)]
    {
        for title in titles {
            let line = format!("only in {side}: {}", one_line(title, 200));
            out.push_str(&format!("\n{}\n", paint(DIM, &line)));
        }
    }
    out
}

fn tone(row: &Row) -> Style {
    let color = match row.tone {
        "worse" => AnsiColor::Red,
        "better" => AnsiColor::Green,
        _ => return DIM,
    };
    Style::new().fg_color(Some(color.into()))
}

/// Markdown for a pull request.
pub fn markdown(comparison: &Comparison) -> String {
    let (left, right) = (escaped(&comparison.left), escaped(&comparison.right));
    let mut out = String::new();
    for pair in &comparison.pairs {
        out.push_str(&format!("### {}\n\n", escaped(&pair.title)));
        out.push_str(&format!("| | {left} | {right} | |\n|---|--:|--:|---|\n"));
        for row in &pair.rows {
            let mark = match row.tone {
                "worse" => "🔺 ",
                "better" => "✅ ",
                _ => "",
            };
            out.push_str(&format!(
                "| {} | {} | {} | {mark}{} |\n",
                escaped(&row.name),
                escaped(&row.left),
                escaped(&row.right),
                escaped(&row.change)
            ));
        }
        out.push('\n');
    }
    for (side, titles) in [(left, &comparison.only_left), (right, &comparison.only_right)] {
        titles.iter().for_each(|t| {
            out.push_str(&format!("- only in {side}: {}\n", escaped(&one_line(t, 200))));
        });
    }
    out
}

/// A self-contained page.
pub fn html(comparison: &Comparison) -> String {
    let mut env = Environment::new();
    env.add_global("style", STYLE);
    // The template is part of the program and tested; a defect in it still says something.
    env.add_template("compare.html", PAGE)
        .and_then(|()| env.get_template("compare.html"))
        .and_then(|page| page.render(Value::from(Serde(comparison))))
        .unwrap_or_else(|error| {
            format!("<!doctype html><title>kplan</title>{}", escaped(&error.to_string()))
        })
}
