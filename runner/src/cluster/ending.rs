//! How a process ended, in words that are the same for every backend.

/// How [`told`] begins where memory ran out.
pub const NO_MEMORY: &str = "out of memory";

/// An exit code (128 and the signal's number for one that a signal ended) in words; the last lines
/// of the log tell what the code alone does not.
#[must_use]
pub fn told(code: i64, log_tail: &str) -> String {
    // Asked for by -XX:+ExitOnOutOfMemoryError, which ends the JVM with 3.
    if code == 3 && log_tail.contains("OutOfMemoryError") {
        return format!("{NO_MEMORY}: the JVM's heap was full; give it more with jvm: [-Xmx1g]");
    }
    match code {
        137 => "killed by SIGKILL".to_owned(),
        143 => "ended by SIGTERM".to_owned(),
        129..=192 => format!("killed by signal {}", code - 128),
        code => format!("exit code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        assert_eq!(told(1, ""), "exit code 1");
        assert_eq!(told(137, ""), "killed by SIGKILL");
        assert_eq!(told(134, ""), "killed by signal 6");
        let heap = "Terminating due to java.lang.OutOfMemoryError: Java heap space";
        assert!(told(3, heap).starts_with("out of memory: the JVM's heap"));
        assert_eq!(told(3, "other"), "exit code 3");
    }
}
