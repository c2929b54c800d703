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
