//! Clauses about a number of things.

/// `there is no lost message`, `there are at most 3 lost messages`.
pub(super) fn there(what: String) -> String {
    let one = ["no ", "1 ", "at least 1 ", "at most 1 "].iter().any(|n| what.starts_with(n));
    let what = if one { what.replacen(" messages", " message", 1) } else { what };
    format!("there {} {what}", if one { "is" } else { "are" })
}
