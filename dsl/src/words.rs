//! Helpers for sentences.

/// `a`, `a and b`, `a, b and c`.
pub fn list<T: std::fmt::Display>(all: &[T]) -> String {
    let mut text = String::new();
    for (index, one) in all.iter().enumerate() {
        let joint = match index {
            0 => "",
            i if i + 1 == all.len() => " and ",
            _ => ", ",
        };
        text.push_str(joint);
        text.push_str(&one.to_string());
    }
    text
}

/// `1 message`, `2 messages`.
pub fn count(n: u64, one: &str) -> String {
    format!("{n} {one}{}", if n == 1 { "" } else { "s" })
}

/// A number with its thousands apart: `5,242,880`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The names in a data file, one a line; a line that begins with `#` is a comment.
pub(crate) fn names(text: &'static str) -> Vec<&'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_like_speech() {
        assert_eq!(list::<&str>(&[]), "");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
        assert_eq!(count(1, "broker"), "1 broker");
        assert_eq!(count(3, "broker"), "3 brokers");
    }
}
