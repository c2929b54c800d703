//! A small lexer of expressions, sufficient to find names, comparisons and numbers in quotes.

use std::borrow::Cow;
use std::ops::Range;

/// A piece of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Name(&'t str),
    Text(&'t str),
    Number(&'t str),
    Sign(&'t str),
}

/// `name == literal` or `name != literal`, either way round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// The name, without `params.` or `matrix.`.
    pub name: String,
    /// The literal's text.
    pub literal: String,
    /// Where the literal stands in the text, in bytes.
    pub range: Range<usize>,
}

/// The pieces of a text with their places. Text that is not an expression gives harmless pieces.
fn tokens(text: &str) -> Vec<(Token<'_>, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let run = |accept: fn(u8) -> bool| {
            bytes[start..].iter().position(|b| !accept(*b)).map_or(bytes.len(), |n| start + n)
        };
        let token = match bytes[at] {
            quote @ (b'\'' | b'"') => {
                at = closing_quote(bytes, at + 1, quote);
                Token::Text(text.get(start + 1..at).unwrap_or(""))
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                at = run(|b| b.is_ascii_alphanumeric() || b == b'_') - 1;
                Token::Name(&text[start..=at])
            }
            b'0'..=b'9' => {
                at = run(|b| b.is_ascii_digit() || b == b'.') - 1;
                Token::Number(&text[start..=at])
            }
            b'=' | b'!' if bytes.get(at + 1) == Some(&b'=') => {
                at += 1;
                Token::Sign(&text[start..=at])
            }
            b if b.is_ascii_punctuation() => Token::Sign(&text[start..=at]),
            _ => {
                at += 1;
                continue;
            }
        };
        at = (at + 1).min(bytes.len());
        found.push((token, start..at));
    }
    found
}

fn closing_quote(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len())
}

/// The range of the expression if the text is one pair of braces and nothing else.
pub(super) fn whole_expression(text: &str) -> Option<Range<usize>> {
    let trimmed = text.trim();
    let start = text.len() - text.trim_start().len();
    let inner = trimmed.strip_prefix("{{")?.strip_suffix("}}")?;
    Some(start + 2..start + 2 + inner.len())
}

/// Writes numbers in quotes that are compared without their quotes, every byte at its place: a
/// parameter's `"1"` is the number 1, so a comparison with `'1'` must mean that number too.
pub(super) fn plain_numbers(text: &str) -> Cow<'_, str> {
    let all = tokens(text);
    let mut changed = Cow::Borrowed(text);
    for (index, (token, range)) in all.iter().enumerate() {
        let Token::Text(literal) = token else { continue };
        let is_number = literal.parse::<i64>().is_ok_and(|n| n.to_string() == *literal);
        let before = index.checked_sub(1).map(|i| all[i].0);
        let after = all.get(index + 1).map(|t| t.0);
        let compared = |t: Option<Token<'_>>| {
            matches!(t, Some(Token::Sign("==" | "!=" | "[" | ",")) | Some(Token::Name("in")))
        };
        if is_number && (compared(before) || matches!(after, Some(Token::Sign("==" | "!=")))) {
            changed.to_mut().replace_range(range.clone(), &format!(" {literal} "));
        }
    }
    changed
}

/// The comparisons of names with literals.
pub(crate) fn comparisons(text: &str) -> Vec<Comparison> {
    let all = tokens(text);
    let mut found = Vec::new();
    for (index, (token, _)) in all.iter().enumerate() {
        if !matches!(token, Token::Sign("==" | "!=")) {
            continue;
        }
        let left = index.checked_sub(1).and_then(|i| all.get(i));
        let right = all.get(index + 1);
        let after = all.get(index + 2).map(|t| t.0);
        let before = |n: usize| index.checked_sub(n).map(|i| all[i].0);
        let literal = |t: Option<&(Token<'_>, Range<usize>)>| match t {
            Some((Token::Text(l) | Token::Number(l), range)) => {
                Some(((*l).to_owned(), range.clone()))
            }
            Some((Token::Name(l @ ("true" | "false")), range)) => {
                Some(((*l).to_owned(), range.clone()))
            }
            _ => None,
        };
        let named = match (left, right) {
            (Some((Token::Name(name), _)), right) if is_alone(before(2), before(3)) => {
                literal(right).filter(|_| !continues(after)).map(|l| (*name, l))
            }
            (left, Some((Token::Name(name), _))) if !continues(after) => {
                literal(left).filter(|_| is_start(before(2))).map(|l| (*name, l))
            }
            _ => None,
        };
        if let Some((name, (literal, range))) = named {
            found.push(Comparison { name: name.to_owned(), literal, range });
        }
    }
    found
}

/// A value such as `seen.acked` that an expression orders, or compares with a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measured {
    /// Its names: `seen`, `acked`.
    pub path: Vec<String>,
    /// Where it stands in the text, in bytes.
    pub range: Range<usize>,
}

/// The values that the expression compares as one compares numbers: a map among them is a mistake.
pub(crate) fn measured(text: &str) -> Vec<Measured> {
    let all = tokens(text);
    let sign = |at: usize| match all.get(at) {
        Some((Token::Sign(sign), _)) => *sign,
        _ => "",
    };
    let number = |at: usize| matches!(all.get(at), Some((Token::Number(_), _)));
    let mut found = Vec::new();
    let mut at = 0;
    while at < all.len() {
        let begins = at;
        let Some((path, next)) = path_at(&all, at) else {
            at += 1;
            continue;
        };
        at = next;
        let before = begins.checked_sub(1).map_or("", sign);
        let ordered = matches!(sign(next), "<" | ">") || matches!(before, "<" | ">");
        // The lexer reads `<=` as two signs.
        let ordered =
            ordered || before == "=" && begins > 1 && matches!(sign(begins - 2), "<" | ">");
        let equal = matches!(sign(next), "==" | "!=") && number(next + 1)
            || matches!(before, "==" | "!=") && begins > 1 && number(begins - 2);
        // What a filter gives is not known.
        let whole = before != "|" && !continues(all.get(next).map(|t| t.0));
        if whole && (ordered || equal) {
            let range = all[begins].1.start..all[next - 1].1.end;
            found.push(Measured { path, range });
        }
    }
    found
}

/// Words of expressions that are no names of values.
const WORDS: [&str; 15] = [
    "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "run", "env", "params",
    "matrix", "loop",
];

/// The names of values in the templates of a text, with their places in it. A text without braces is one expression
/// if `whole` says so.
pub(crate) fn names(text: &str, whole: bool) -> Vec<(&str, Range<usize>)> {
    if whole && !text.contains("{{") {
        return names_of(text, 0);
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("{{").map(|found| at + found + 2) {
        let close = text[open..].find("}}").map_or(text.len(), |found| open + found);
        found.extend(names_of(&text[open..close], open));
        at = close;
    }
    found
}

fn names_of(text: &str, offset: usize) -> Vec<(&str, Range<usize>)> {
    let all = tokens(text);
    let at = |index: Option<usize>| index.and_then(|index| all.get(index)).map(|t| t.0);
    let mut found = Vec::new();
    for (index, (token, range)) in all.iter().enumerate() {
        let Token::Name(name) = token else { continue };
        let (before, further) = (at(index.checked_sub(1)), at(index.checked_sub(2)));
        let is_value = match before {
            Some(Token::Sign(".")) => matches!(further, Some(Token::Name("params" | "matrix"))),
            Some(Token::Sign("|") | Token::Name("is")) => false,
            _ => !WORDS.contains(name) && at(Some(index + 1)) != Some(Token::Sign("(")),
        };
        if is_value {
            found.push((*name, range.start + offset..range.end + offset));
        }
    }
    found
}

/// The names of a path that begins at this token, and the place after it.
fn path_at(all: &[(Token<'_>, Range<usize>)], begins: usize) -> Option<(Vec<String>, usize)> {
    let token = |at: usize| all.get(at).map(|t| t.0);
    let Some(Token::Name(first)) = token(begins) else { return None };
    let (mut path, mut at) = (vec![first.to_owned()], begins + 1);
    loop {
        match (token(at), token(at + 1), token(at + 2)) {
            (Some(Token::Sign(".")), Some(Token::Name(name)), _) => {
                path.push(name.to_owned());
                at += 2;
            }
            (Some(Token::Sign("[")), Some(Token::Text(name)), Some(Token::Sign("]"))) => {
                path.push(name.to_owned());
                at += 3;
            }
            _ => return Some((path, at)),
        }
    }
}

/// True if a name before an operator is not a part of something longer.
fn is_alone(before: Option<Token<'_>>, further: Option<Token<'_>>) -> bool {
    match before {
        Some(Token::Sign(".")) => matches!(further, Some(Token::Name("params" | "matrix"))),
        other => is_start(other),
    }
}

fn is_start(before: Option<Token<'_>>) -> bool {
    matches!(before, None | Some(Token::Sign("{" | "(") | Token::Name("and" | "or" | "not" | "if")))
}

fn continues(after: Option<Token<'_>>) -> bool {
    matches!(after, Some(Token::Sign("." | "[" | "(" | "|" | "+" | "-" | "*" | "/" | "~" | "%")))
}

/// The first place of a whole word outside quotes.
pub(super) fn find_word(text: &str, word: &str) -> Option<Range<usize>> {
    tokens(text).into_iter().find(|(t, _)| *t == Token::Name(word)).map(|(_, range)| range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_numbers_lose_their_quotes_only_where_compared() {
        assert_eq!(plain_numbers("acks == '1'"), "acks ==  1 ");
        assert_eq!(plain_numbers("'1' != acks"), " 1  != acks");
        assert_eq!(plain_numbers("acks in ['1', 'all']"), "acks in [ 1 , 'all']");
        assert_eq!(plain_numbers("acks ~ '1'"), "acks ~ '1'");
        assert_eq!(plain_numbers("acks == '01'"), "acks == '01'");
    }

    #[test]
    fn comparisons_are_found_either_way_round() {
        let found = comparisons("{{ acks == 'all' and 3 != params.n }}");
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].literal.as_str()), ("acks", "all"));
        assert_eq!(comparisons("'x' == mode")[0].name, "mode");
        assert_eq!(comparisons("before.acked == 3"), vec![]);
        assert_eq!(comparisons("matrix.acks == 3").len(), 1);
        assert_eq!(comparisons("n == 3 + 1"), vec![]);
    }

    #[test]
    fn values_compared_as_numbers_are_found() {
        let of = |text| -> Vec<String> {
            measured(text).into_iter().map(|m| m.path.join(".")).collect()
        };
        assert_eq!(of("{{ seen.acked > 10 }}"), ["seen.acked"]);
        assert_eq!(of("{{ 10 <= seen['acked'] and x }}"), ["seen.acked"]);
        assert_eq!(of("{{ after.acked >= before.acked }}"), ["after.acked", "before.acked"]);
        assert_eq!(of("{{ seen.lost == 0 or 0 != seen.acked.P }}"), ["seen.lost", "seen.acked.P"]);
        let none: [String; 0] = [];
        assert_eq!(of("{{ after.acked == before.acked }}"), none);
        assert_eq!(of("{{ seen.acked | length > 1 }}"), none);
        assert_eq!(of("{{ seen.acked.P + 1 > 3 }}"), none);
    }

    #[test]
    fn odd_text_is_survived() {
        for text in ["'", "\"\\", "{{ 'ö", "ö == 'é'", "==", "a ==", "1..2"] {
            comparisons(text);
            measured(text);
            plain_numbers(text);
        }
    }
}
