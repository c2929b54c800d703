//! What the pages in `docs` show of a command is what the command prints.
//!
//! A block ```` ```console ```` holds commands (lines that begin with `$ `) and their output. The blocks of a page run
//! in one directory, from the first to the last. Above a block may stand a comment: `<!-- file: NAME -->` makes the
//! block a file of that directory; `<!-- needs an engine -->`, `<!-- needs compose -->` (docker's plugin) and
//! `<!-- needs TLS -->` make it a block that runs only where there is one. A command must end with status 0, unless `echo $?` follows it. Times, numbers from 100 on and factors are not compared,
//! nor that a few messages were written twice; a line `...` stands for any lines.
//!
//! With `KPLAN_BLESS=1` the pages get what the commands print (but for outputs with `...`).

mod common;

use std::{
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use common::{compose, real, root};
use regex::{Captures, Regex};

const ENGINE: &str = "<!-- needs an engine -->";
const COMPOSE: &str = "<!-- needs compose -->";
const TLS: &str = "<!-- needs TLS -->";
/// How pages call the directory in which their commands run.
const HOME: &str = "~/shop";

enum Item {
    File {
        name: String,
        text: String,
    },
    /// A command, and the lines of the page that show its output.
    Command {
        text: String,
        output: Range<usize>,
    },
}

/// What a page asks for, in its order.
fn items(page: &[&str], has: &[&str]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut at = 0;
    while at < page.len() {
        let Some(language) = page[at].strip_prefix("```") else {
            at += 1;
            continue;
        };
        let length = page[at + 1..].iter().position(|l| *l == "```").expect("the block's end");
        let (block, note) = (at + 1..at + 1 + length, page[at.saturating_sub(1)]);
        at = block.end + 1;
        let file = note.strip_prefix("<!-- file: ").and_then(|n| n.strip_suffix(" -->"));
        if let Some(name) = file {
            let text = page[block].iter().flat_map(|l| [l, "\n"]).collect();
            items.push(Item::File { name: name.to_owned(), text });
        } else if language == "console" && runs(note, has) {
            items.extend(commands(page, block));
        }
    }
    items
}

/// Whether a block with this line above it runs, where there is `has`.
fn runs(note: &str, has: &[&str]) -> bool {
    let there = ![ENGINE, COMPOSE].contains(&note) || has.contains(&note);
    there && (note != TLS || cfg!(feature = "tls"))
}

fn commands(page: &[&str], block: Range<usize>) -> Vec<Item> {
    let starts: Vec<usize> = block.clone().filter(|n| page[*n].starts_with("$ ")).collect();
    assert_eq!(starts.first(), Some(&block.start), "line {}: no command", block.start + 1);
    let ends = starts.iter().skip(1).chain([&block.end]);
    let command = |(start, end): (&usize, &usize)| Item::Command {
        text: page[*start][2..].to_owned(),
        output: start + 1..*end,
    };
    starts.iter().zip(ends).map(command).collect()
}

/// What a command prints (its errors first), and its exit status.
fn ran(command: &str, dir: &Path) -> (Vec<String>, i32) {
    let program = Path::new(env!("CARGO_BIN_EXE_kplan")).parent().expect("a directory");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    for name in ["KPLAN_BACKEND", "KPLAN_IMAGE", "KPLAN_KAFKA_DIR", "GITHUB_ACTIONS"] {
        shell.env_remove(name);
    }
    let shell = shell.args(["-c", command]).current_dir(dir).env("PATH", path).env("NO_COLOR", "1");
    let output = shell.output().expect("sh starts");
    let text = [output.stderr, output.stdout].concat();
    let text = String::from_utf8_lossy(&text).replace(&dir.display().to_string(), HOME);
    (text.lines().map(str::to_owned).collect(), output.status.code().unwrap_or(-1))
}

/// Lines as they are compared: without times, large numbers, widths, and the state of a step that goes on.
fn blurred<T: AsRef<str>>(lines: &[T]) -> Vec<String> {
    static VARIES: LazyLock<Regex> = LazyLock::new(|| {
        let run = r"\d{8}-\d{6}-[0-9a-f]{8}|\d{4}-\d\d-\d\d";
        let time = r"\d\d:\d\d:\d\d|(?:\d+ (?:h|min) )*\d+(?:\.\d+)? (?:ms|s|min)\b";
        let number = r"\b\d{1,3}(?:,\d{3})+\b|\b[1-9]\d{2,}\b|\b\d+ (?:times|%)";
        Regex::new(&format!("duplicated [\\d,]+ · |{run}|{time}|{number}")).expect("a pattern")
    });
    let lines = lines.iter().map(AsRef::as_ref).filter(|l: &&str| !l.starts_with("  … "));
    let blur = |line: &str| {
        let varies = |found: &Captures<'_>| if found[0].starts_with('d') { "" } else { "#" };
        let line = VARIES.replace_all(line, varies);
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    lines.map(blur).filter(|l| !l.is_empty()).collect()
}

fn fits(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((line, rest)) if line == "..." => {
            (0..=printed.len()).any(|left_out| fits(rest, &printed[left_out..]))
        }
        Some((line, rest)) => {
            printed.split_first().is_some_and(|(first, after)| first == line && fits(rest, after))
        }
    }
}

/// The directory of a page's commands, and the exit status that the next one asks for with `echo $?`.
struct Shop {
    dir: tempfile::TempDir,
    status: i32,
}

impl Shop {
    fn put(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("writable");
        std::fs::write(path, text).expect("writable");
    }

    fn print(&mut self, command: &str) -> Vec<String> {
        if command == "echo $?" {
            return vec![std::mem::take(&mut self.status).to_string()];
        }
        assert_eq!(
            self.status, 0,
            "before `{command}`: a command failed, and no `echo $?` follows"
        );
        let (printed, status) = ran(command, self.dir.path());
        self.status = status;
        printed
    }
}

/// What running pages shows.
#[derive(Default)]
struct Held {
    commands: usize,
    /// The outputs that are not as the pages show them.
    other: String,
}

impl Held {
    fn page(&mut self, path: &Path, has: &[&str]) {
        let text = std::fs::read_to_string(path).expect("a page");
        let page: Vec<&str> = text.lines().collect();
        let mut shop = Shop { dir: tempfile::tempdir().expect("a directory"), status: 0 };
        let mut wrong = Vec::new();
        for item in items(&page, has) {
            match item {
                Item::File { name, text } => shop.put(&name, &text),
                Item::Command { text, output } => {
                    self.commands += 1;
                    let printed = shop.print(&text);
                    if !fits(&blurred(&page[output.clone()]), &blurred(&printed)) {
                        wrong.push((output, printed));
                    }
                }
            }
        }
        assert_eq!(shop.status, 0, "{}: the last command failed", path.display());
        for (output, printed) in &wrong {
            let at = format!("{}:{}", path.display(), output.start);
            self.other += &format!("{at}: {}\n{}\n\n", page[output.start - 1], printed.join("\n"));
        }
        if !wrong.is_empty() && std::env::var_os("KPLAN_BLESS").is_some() {
            std::fs::write(path, corrected(&page, &wrong)).expect("writable");
        }
    }

    fn show(&self) {
        let other = &self.other;
        assert!(other.is_empty(), "not as the page shows it (KPLAN_BLESS=1 changes it):\n{other}");
    }
}

/// The page with what the commands print.
fn corrected(page: &[&str], wrong: &[(Range<usize>, Vec<String>)]) -> String {
    let mut lines: Vec<&str> = page.to_vec();
    for (output, printed) in wrong.iter().rev() {
        if !lines[output.clone()].contains(&"...") {
            lines.splice(output.clone(), printed.iter().map(String::as_str));
        }
    }
    lines.iter().flat_map(|l| [l, "\n"]).collect()
}

fn pages(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn commands_print_what_the_pages_show() {
    let mut held = Held::default();
    pages(&root().join("docs")).iter().for_each(|page| held.page(page, &[]));
    held.show();
    assert!(held.commands >= 30, "only {} commands", held.commands);
}

/// The pages with blocks that need this.
fn pages_that_need(what: &str) {
    let asks = |path: &&PathBuf| std::fs::read_to_string(path).expect("a page").contains(what);
    let mut held = Held::default();
    pages(&root().join("docs")).iter().filter(asks).for_each(|page| held.page(page, &[what]));
    held.show();
    assert!(held.commands > 0, "no page: {what}");
}

#[test]
#[ignore = "needs a container engine: ci/test"]
fn commands_on_real_brokers_print_what_the_pages_show() {
    let _turn = real();
    pages_that_need(ENGINE);
}

mod compose_plugin {
    use super::*;

    #[test]
    #[ignore = "needs docker's compose plugin: ci/test"]
    fn commands_about_compose_print_what_the_pages_show() {
        let _turn = compose();
        pages_that_need(COMPOSE);
    }
}

#[test]
fn a_page_is_compared_but_for_what_varies() {
    let shown = blurred(&["passed  9 ms · 15:11:47", "...", "acked 415 · lost 0", "  … 7 goes on"]);
    let other = |acked, lost| {
        let last = format!("acked {acked} · lost {lost}");
        blurred(&["passed     1 min 2 s · 16:00:00", "", "more", last.as_str()])
    };
    assert!(fits(&shown, &other("1,200", 0)));
    assert!(!fits(&shown, &other("1,200", 3)) && !fits(&shown, &other("none", 0)));
    let page = ["```console", "$ kplan", "old", "$ echo $?", "...", "```"];
    let new = [(2..3, vec!["new".to_owned(), "two".to_owned()]), (4..5, vec!["0".to_owned()])];
    assert_eq!(corrected(&page, &new), "```console\n$ kplan\nnew\ntwo\n$ echo $?\n...\n```\n");
    assert_eq!(items(&page, &[]).len(), 2);
    assert_eq!(items(&[&[COMPOSE][..], &page[..]].concat(), &[COMPOSE]).len(), 2);
    assert_eq!(items(&[&[ENGINE][..], &page[..]].concat(), &[COMPOSE]).len(), 0);
}
