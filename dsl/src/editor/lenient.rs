//! Reads plans that are half typed: lines that make the text no YAML are left out.

use crate::document::{Limits, Node, read};
use crate::source::{FileId, Source};

/// The word that stands for what is about to be typed.
pub(crate) const MARK: &str = "zzCURSORzz";

/// The most lines that are left out before giving up.
const MOST: usize = 12;

/// The document of a text, without the lines that make it no YAML. Blank characters replace them, so that places stay
/// the same.
pub(crate) fn document(text: &str) -> Option<Node> {
    let mut text = text.to_owned();
    for _ in 0..MOST {
        match read(&text, FileId::default(), &Limits::default()) {
            Ok((node, _)) => return Some(node),
            Err(wrong) => text = without_line(&text, wrong.span.start, None)?,
        }
    }
    None
}

/// A text with a mark at a place, and the document that it makes.
#[derive(Debug)]
pub(crate) struct MarkedText {
    /// The text.
    pub source: Source,
    /// The document.
    pub root: Node,
}

/// Puts the mark at a place, in one of the ways that make the text YAML: as a key, as a value, with the brackets and
/// quotes closed that the line leaves open.
pub(crate) fn marked(text: &str, at: usize) -> Option<MarkedText> {
    let at = text.floor_char_boundary(at.min(text.len()));
    let start = text[..at].rfind('\n').map_or(0, |found| found + 1);
    let end = text[at..].find('\n').map_or(text.len(), |found| at + found);
    let (before, after) = (&text[start..at], text[at..end].trim_end_matches('\r'));
    let opened = closers(before);
    let closed = closers(&format!("{before}{after}"));
    let bare = before.trim_start_matches(|c: char| c.is_whitespace() || c == '-');
    // A word alone on its line is a key, unless something follows it.
    let is_key = !bare.contains([':', '{', '[', '"', '\'']) && after.trim().is_empty();
    let lines = [
        is_key.then(|| format!("{before}{MARK}: ")),
        Some(format!("{before}{MARK}{after}{closed}")),
        // What follows on the line may belong to what is not closed.
        Some(format!("{before}{MARK}{opened}")),
        Some(format!("{before}{MARK}: {opened}")),
    ];
    lines.into_iter().flatten().find_map(|line| {
        let whole = format!("{}{line}{}", &text[..start], &text[end..]);
        with_line_kept(whole, start)
    })
}

/// The document, with the line at `kept` in it.
fn with_line_kept(mut text: String, kept: usize) -> Option<MarkedText> {
    for _ in 0..MOST {
        match read(&text, FileId::default(), &Limits::default()) {
            Ok((root, _)) => return Some(MarkedText { source: Source::new("", text), root }),
            Err(wrong) => text = without_line(&text, wrong.span.start, Some(kept))?,
        }
    }
    None
}

/// The brackets and quotes that close what a line opens.
fn closers(line: &str) -> String {
    let mut open = Vec::new();
    let mut quote = None;
    let mut before = ' ';
    for c in line.chars() {
        match (quote, c) {
            (Some(q), c) if c == q && before != '\\' => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if " {[,:".contains(before) => quote = Some(c),
            (None, '#') if before == ' ' => break,
            (None, '{') => open.push('}'),
            (None, '[') => open.push(']'),
            (None, '}' | ']') => drop(open.pop()),
            _ => {}
        }
        before = c;
    }
    let brackets = open.into_iter().rev();
    quote.into_iter().chain(brackets).collect()
}

/// The text without the line of a byte. If that line is kept or already blank, the first one above it goes that has
/// something on it.
fn without_line(text: &str, byte: u32, kept: Option<usize>) -> Option<String> {
    let mut at = (byte as usize).min(text.len());
    loop {
        at = text.floor_char_boundary(at);
        let start = text[..at].rfind('\n').map_or(0, |found| found + 1);
        let end = text[at..].find('\n').map_or(text.len(), |found| at + found);
        if Some(start) != kept && !text[start..end].trim().is_empty() {
            let blank = " ".repeat(end - start);
            return Some(format!("{}{blank}{}", &text[..start], &text[end..]));
        }
        at = start.checked_sub(1)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_yaml_are_left_out() {
        let text = "plan: v1\nname: x\nsteps:\n  - kill_broker: { broker: 2\n  - stop_cluster\n";
        let root = document(text).expect("the rest is YAML");
        assert_eq!(root.get("name").and_then(Node::scalar).map(|s| s.text.as_str()), Some("x"));
        assert!(document("\t{").is_none(), "nothing is left");
    }

    #[test]
    fn the_mark_finds_a_form_in_which_the_text_is_yaml() {
        let head = "plan: v1\nsteps:\n";
        for (line, rest) in [
            ("  - ", "\n  - stop_cluster\n"),
            ("  - kil", "\n"),
            ("  - create_topic: { name: orders, par", "\n  - stop_cluster\n"),
            ("  - create_topic: { name: orders, par", " }\n"),
            ("  - create_topic:\n      name: orders\n      par", "\n  - stop_cluster\n"),
            ("  - start_producer: { name: P, topic: \"or", "\n"),
            ("  - wait: [", "\n"),
            ("  - kill_broker: ", "\n  - stop_cluster\n"),
        ] {
            let text = format!("{head}{line}{rest}");
            let made = marked(&text, head.len() + line.len());
            let found = made.unwrap_or_else(|| panic!("no YAML: {line}"));
            assert!(found.source.text().contains(MARK), "{line}");
        }
    }

    #[test]
    fn a_place_beyond_the_text_is_its_end() {
        assert!(marked("", 9).is_some());
        assert!(marked("ö", 1).is_some());
    }
}
