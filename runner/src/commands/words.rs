//! `kplan words`: the manual pages of the language.

use std::fmt::Write as _;

use clap::{Args, ValueEnum};
use kplan_dsl::{WordKind, manual, nearest, word_list};

use crate::{
    exit::Exit,
    out::{say, tell},
};

mod text;

/// The output format of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For the terminal.
    Text,
    /// Markdown, as in docs/words.
    Markdown,
}

/// Arguments of `kplan words`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  kplan words                    list all words, one line each
  kplan words kill_broker        show the page of a step
  kplan words unavailable        show the page of a condition
  kplan words E012               show the page of a diagnostic's code
  kplan words matrix             show the page of a key of a plan
  kplan words leader_of          show the page of a form of a target
  kplan words acks               show which words take this argument, and what it says")]
pub struct WordsArgs {
    /// A step, a condition, a diagnostic's code, a key or an argument [default: list all].
    pub word: Option<String>,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
}

/// Runs the command.
pub fn main(args: &WordsArgs) -> Exit {
    let Some(word) = &args.word else { return say(&list(args.format), Exit::Passed) };
    if let Some(page) = manual(word) {
        let page = match args.format {
            Format::Text => text::render(&page),
            Format::Markdown => page,
        };
        return say(&page, Exit::Passed);
    }
    let all = word_list();
    let near = nearest(word, all.iter().map(|(_, word, _)| *word));
    let near =
        near.map_or("`kplan words` lists them".to_owned(), |w| format!("did you mean `{w}`?"));
    let shown = crate::report::text::one_line(word, 80);
    tell!("error: the language has no word `{shown}`: {near}");
    Exit::Usage
}

/// All words by their kind.
fn list(format: Format) -> String {
    let all = word_list();
    let mut text = String::new();
    for kind in WordKind::ALL {
        let of_kind: Vec<_> = all.iter().filter(|(k, ..)| *k == kind).collect();
        let width = of_kind.iter().map(|(_, word, _)| word.len()).max().unwrap_or(0);
        let gap = if text.is_empty() { "" } else { "\n" };
        // Writing to a String cannot fail.
        let _ = match format {
            Format::Text => writeln!(text, "{gap}{}", text::strong(kind.title())),
            Format::Markdown => writeln!(text, "{gap}# {}\n\n{}\n", kind.title(), kind.about()),
        };
        for (_, word, summary) in of_kind {
            let _ = match format {
                Format::Text => writeln!(text, "  {word:width$}  {}", summary.replace('`', "")),
                Format::Markdown => writeln!(text, "- `{word}`: {summary}"),
            };
        }
    }
    text
}
