//! A manual page, written in Markdown, for the terminal.

use anstyle::Style;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::out::paint;

/// The longest line.
const WIDTH: usize = 96;

pub fn strong(text: &str) -> String {
    paint(Style::new().bold(), text)
}

/// The page as text.
pub fn render(markdown: &str) -> String {
    let mut page = Page::default();
    Parser::new_ext(markdown, Options::ENABLE_TABLES).for_each(|event| page.take(&event));
    page.text
}

/// The text so far.
#[derive(Default)]
struct Page {
    text: String,
    /// The paragraph that is being read.
    line: String,
    code: bool,
    item: bool,
}

impl Page {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => {
                self.gap();
                self.code = true;
            }
            Event::Start(Tag::Item) => self.item = true,
            Event::End(TagEnd::Heading(_)) => {
                self.gap();
                let heading = std::mem::take(&mut self.line);
                self.text.push_str(&strong(&heading));
                self.text.push('\n');
            }
            Event::End(TagEnd::CodeBlock) => {
                self.code = false;
                for line in std::mem::take(&mut self.line).lines() {
                    self.text.push_str("  ");
                    self.text.push_str(line);
                    self.text.push('\n');
                }
            }
            Event::End(TagEnd::Paragraph) if !self.item => {
                self.gap();
                self.wrapped("", "");
            }
            Event::End(TagEnd::Item) => {
                self.item = false;
                self.wrapped("  ", "      ");
            }
            Event::Start(Tag::List(_) | Tag::Table(_)) => self.gap(),
            // A row reads as an item: the first cell, then what the others say of it.
            Event::Start(Tag::TableCell) if !self.line.is_empty() => {
                self.line.push_str(if self.line.contains(": ") { "; " } else { ": " });
            }
            Event::End(TagEnd::TableHead) => self.line.clear(),
            Event::End(TagEnd::TableRow) => self.wrapped("  ", "      "),
            Event::Text(text) | Event::Code(text) => self.line.push_str(text),
            // The type of an argument, and whether a code is an error, are in italics.
            Event::Start(Tag::Emphasis) => self.line.push('('),
            Event::End(TagEnd::Emphasis) => self.line.push(')'),
            Event::SoftBreak | Event::HardBreak => self.line.push(' '),
            _ => {}
        }
    }

    /// An empty line between two parts.
    fn gap(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// The paragraph, its lines no longer than the terminal of most people.
    fn wrapped(&mut self, first: &str, others: &str) {
        let mut line = first.to_owned();
        let mut empty = true;
        for word in std::mem::take(&mut self.line).split_whitespace() {
            if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.text.push_str(&line);
                self.text.push('\n');
                others.clone_into(&mut line);
                empty = true;
            }
            line.push_str(if empty { "" } else { " " });
            line.push_str(word);
            empty = false;
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_well_on_a_terminal() {
        let page = kplan_dsl::manual("restart_broker").expect("a page");
        let text = anstream::adapter::strip_str(&render(&page)).to_string();
        insta::assert_snapshot!(text);
        // Either it fits, or it is a line of an example, which is shown as it is.
        assert!(text.lines().all(|l| l.chars().count() <= WIDTH || l.starts_with("  - ")));
    }
}
