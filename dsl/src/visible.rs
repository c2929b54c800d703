//! Makes text from outside safe to show: no character of it controls the terminal or is invisible.
//!
//! All output uses this function. Control characters, characters that change the direction of text, characters
//! without width and invisible line separators are shown in the form `\u{1b}`. Plans may come from strangers.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::words::grouped;

/// The text that is shown instead of a secret.
pub const SECRET: &str = "***";

/// The forms in which a template may give a secret, all of which are hidden: unchanged, trimmed, and as written by
/// the filters `upper`, `lower` and `capitalize`.
pub fn secret_forms(secret: &str) -> BTreeSet<String> {
    let mut chars = secret.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    let capitalized = first.chain(chars.flat_map(char::to_lowercase)).collect();
    let cases = [secret.to_owned(), secret.to_uppercase(), secret.to_lowercase(), capitalized];
    let trimmed = cases.iter().map(|form| form.trim().to_owned());
    trimmed.chain(cases.iter().cloned()).filter(|form| !form.trim().is_empty()).collect()
}

/// True for a character that must not be shown unchanged, line breaks and tabs included.
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    c.is_control() || is_format(c) || is_blank(c) || (c as u32) & 0xfffe == 0xfffe
}

/// Unicode's format characters (Cf), which are invisible or change the characters beside them, and the two line
/// separators.
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}'
        | '\u{8e2}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Invisible letters and selectors, and code points that are not characters.
fn is_blank(c: char) -> bool {
    matches!(c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}'
        | '\u{ffa0}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fdd0}'..='\u{fdef}')
}

/// The text with every such character made visible. Line breaks stay, `\r\n` is one, tabs become spaces.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| is_hidden(c) && c != '\n') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' => out.push(c),
            '\t' => out.push_str("    "),
            '\r' if rest.peek() == Some(&'\n') => {}
            c if is_hidden(c) => out.push_str(&c.escape_unicode().to_string()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The same on one line: line breaks become spaces.
pub fn one_line(text: &str) -> String {
    let spaced: Cow<'_, str> = match text.contains(['\n', '\r', '\t']) {
        true => text
            .split(['\n', '\r', '\t'])
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
            .into(),
        false => text.into(),
    };
    visible(&spaced).into_owned()
}

/// The beginning of a text, at most this many bytes, followed by its whole length.
pub fn bounded(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let shown = &text[..text.floor_char_boundary(limit)];
    format!("{shown}… ({} bytes in all)", grouped(text.len() as u64)).into()
}

/// [`one_line`] of at most this many bytes of a text.
pub fn one_line_within(text: &str, limit: usize) -> String {
    one_line(&bounded(text, limit))
}

/// JSON in which such characters are escaped: it has the same values for programs, and contains no control
/// characters for a terminal.
pub fn json(text: &str) -> Cow<'_, str> {
    let harmless = |c: char| !is_hidden(c) || matches!(c, '\n' | '\r' | '\t');
    if text.chars().all(harmless) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if harmless(c) => out.push(c),
            // In JSON, only strings contain such characters.
            c => c
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|u| out.push_str(&format!("\\u{u:04x}"))),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stranger may write to turn a terminal, a reader's eyes or a parser.
    const HOSTILE: &str = "\u{1b}[31m\u{1b}]0;x\u{7}\u{9b}31m\u{90}q\u{9c}\r\u{8}\u{7f}\0\u{202e}\u{2066}\u{200f}\u{61c}\
        \u{2028}\u{2029}\u{85}\u{200b}\u{200d}\u{feff}\u{ad}\u{fe0f}\u{e0041}\u{ffff}\u{1fffe}\u{3164}\u{2065}";

    #[test]
    fn nothing_hidden_stays_and_nothing_is_dropped() {
        let shown = visible(HOSTILE);
        assert!(!shown.chars().any(is_hidden), "{shown:?}");
        for c in HOSTILE.chars().filter(|c| is_hidden(*c)) {
            assert!(shown.contains(&c.escape_unicode().to_string()), "{c:?}");
        }
        assert_eq!(visible("a\x1b[31m"), "a\\u{1b}[31m");
    }

    #[test]
    fn text_of_people_stays_as_it_is() {
        for text in ["plain", "zwei\nZeilen", "ключ 日本語 العربية हिन्दी", "é e\u{301} 😀", ""]
        {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text), "{text}");
        }
        assert_eq!(visible("a\tb\r\nc"), "a    b\nc");
    }

    #[test]
    fn one_line_is_one_line() {
        assert_eq!(one_line("PASSED\r\nfake\n\n\tx"), "PASSED fake x");
        assert_eq!(one_line("a\u{2028}b\u{85}c"), "a\\u{2028}b\\u{85}c");
    }

    #[test]
    fn a_text_that_is_too_long_shows_its_length() {
        assert_eq!(bounded("abc", 3), "abc");
        assert_eq!(one_line_within(&"é\n".repeat(2_000), 5), "é é… (6,000 bytes in all)");
    }

    #[test]
    fn json_stays_the_same_value() {
        let value = serde_json::json!({ "k\u{9b}": HOSTILE });
        let text = format!("{value:#}");
        let shown = json(&text);
        assert!(!shown.chars().any(|c| is_hidden(c) && c != '\n'), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
    }
}
