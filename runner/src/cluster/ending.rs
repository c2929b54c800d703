//! How a process ended, described alike for every backend, and whether the cause lies outside the process.

use super::Node;

/// A node that ended, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{node} ended{} ({exit}); the last lines of its log:\n{log_tail}", if *foreign { "" } else { " by itself" })]
pub struct Death {
    pub node: Node,
    /// Exit code or signal, in words.
    pub exit: String,
    /// The last lines of its log.
    pub log_tail: String,
    /// The cause lies outside the node: the machine's memory ran out, or another process sent a signal.
    pub foreign: bool,
}

impl Death {
    /// A short description, without the log.
    pub fn words(&self) -> String {
        let by = if self.foreign { "" } else { " by itself" };
        format!("{} ended{by}: {}", self.node, self.exit)
    }

    /// A short description, then the last lines of its log, the newest first: reports that show only some lines
    /// then show the most useful ones.
    pub fn evidence(&self) -> Vec<String> {
        let lines = self.log_tail.lines().rev().filter(|line| !line.trim().is_empty());
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        let words = match lines.is_empty() {
            true => self.words(),
            false => format!("{}; the last lines of its log, the newest first:", self.words()),
        };
        std::iter::once(words).chain(lines).collect()
    }
}

/// How a process ended, and whether the cause lies outside of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub exit: String,
    /// The machine, or another process that sent a signal, is the cause.
    pub foreign: bool,
}

/// What a JVM logs that got no memory or no thread from the machine: a limit of the machine, not the JVM's own heap
/// size.
const NO_ROOM: [&str; 3] = [
    "insufficient memory for the Java Runtime Environment",
    "OutOfMemoryError: unable to create native thread",
    "OutOfMemoryError: Out of system resources",
];
/// Signals that the kernel sends for a process's own error: SIGILL, SIGTRAP, SIGABRT, SIGBUS,
/// SIGFPE, SIGSEGV, SIGSYS. A JVM that crashes ends by SIGABRT.
const CRASHES: [i64; 7] = [4, 5, 6, 7, 8, 11, 31];

/// What a JVM logs that crashes. As the first process of a container it cannot end by SIGABRT, which the kernel
/// ignores there: its exit code is 127 then.
const CRASHED: &str = "A fatal error has been detected by the Java Runtime Environment";
/// What a crashing JVM logs in addition if another process sent the signal.
const SENT: &str = "(sent by kill)";

/// A shell's exit codes for a program that does not exist or cannot be run.
const NO_PROGRAM: [i64; 2] = [126, 127];

/// The kernel's error text for a full disk.
const NO_SPACE: &str = "No space left on device";

/// The ending for an exit code (128 and the signal's number for an end by a signal) and the last lines of the log,
/// which show what the code alone does not. A node with a small disk of its own (`small_disk`) is meant to fill
/// it; otherwise the machine's disk is full.
pub fn reported(code: i64, log_tail: &str, small_disk: bool) -> Ending {
    if NO_ROOM.iter().any(|words| log_tail.contains(words)) {
        let exit = format!(
            "out of memory: the machine had no memory or threads left for the JVM (exit code {code})"
        );
        return Ending { exit, foreign: true };
    }
    if !small_disk && log_tail.contains(NO_SPACE) {
        let exit = format!("the machine's disk is full (exit code {code})");
        return Ending { exit, foreign: true };
    }
    // The option -XX:+ExitOnOutOfMemoryError ends the JVM with 3: its own heap was too small.
    if code == 3 && log_tail.contains("OutOfMemoryError") {
        let exit = "out of memory: the JVM's heap was full; enlarge it with jvm: [-Xmx1g]";
        return Ending { exit: exit.to_owned(), foreign: false };
    }
    if log_tail.contains(CRASHED) {
        let foreign = log_tail.contains(SENT);
        let why = if foreign { " by a signal from another process" } else { "" };
        return Ending { exit: format!("the JVM crashed{why} (exit code {code})"), foreign };
    }
    if NO_PROGRAM.contains(&code) {
        let exit = format!("the image cannot start Kafka (exit code {code})");
        return Ending { exit, foreign: true };
    }
    let signal = (129..=192).contains(&code).then_some(code - 128);
    let exit = match (code, signal) {
        (137, _) => "killed by SIGKILL".to_owned(),
        (143, _) => "ended by SIGTERM".to_owned(),
        (_, Some(signal)) => format!("killed by signal {signal}"),
        (code, None) => format!("exit code {code}"),
    };
    Ending { exit, foreign: signal.is_some_and(|signal| !CRASHES.contains(&signal)) }
}

/// The kernel killed the process because of memory: a limit of the machine or of the container.
pub fn killed_for_memory() -> Ending {
    Ending { exit: "out of memory: killed by the kernel".to_owned(), foreign: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        let exit = |code, log: &str| reported(code, log, false).exit;
        assert_eq!(exit(1, ""), "exit code 1");
        assert_eq!(exit(137, ""), "killed by SIGKILL");
        assert_eq!(exit(134, ""), "killed by signal 6");
        let heap = "Terminating due to java.lang.OutOfMemoryError: Java heap space";
        assert!(exit(3, heap).starts_with("out of memory: the JVM's heap"));
        assert_eq!(exit(3, "other"), "exit code 3");
    }

    #[test]
    fn the_evidence_of_an_end_is_its_last_lines_and_the_newest_first() {
        let death = |log: &str| Death {
            node: Node::Broker(1),
            exit: "exit code 1".into(),
            log_tail: log.into(),
            foreign: false,
        };
        let words = "broker 1 ended by itself: exit code 1";
        assert_eq!(death("\n").evidence(), [words]);
        let reported = death("INFO starts\n\nERROR all log dirs have failed\n").evidence();
        let first = format!("{words}; the last lines of its log, the newest first:");
        assert_eq!(reported, [first.as_str(), "ERROR all log dirs have failed", "INFO starts"]);
    }

    #[test]
    fn whose_doing_an_end_was() {
        let heap = "Terminating due to java.lang.OutOfMemoryError: Java heap space";
        let native = "# There is insufficient memory for the Java Runtime Environment to continue.";
        let crash =
            |how: &str| format!("# {CRASHED}:\n#\n#  SIGSEGV (0xb) at pc=0x7f {how}, pid=1");
        let threads = "java.lang.OutOfMemoryError: unable to create native thread: possibly out of";
        for (code, log, foreign) in [
            // By itself: an exit, its own heap, a crash of the JVM.
            (1, "", false),
            (3, heap, false),
            (134, "", false),
            (139, "", false),
            // A signal of another process, and the machine's memory.
            (137, "", true),
            (143, "", true),
            (130, "", true),
            (127, "", true),
            (127, &crash(""), false),
            (127, &crash(SENT), true),
            (134, &crash(""), false),
            (1, native, true),
            (3, threads, true),
        ] {
            assert_eq!(reported(code, log, false).foreign, foreign, "{code} {log}");
        }
        let full = "java.io.IOException: No space left on device";
        assert!(reported(1, full, false).foreign, "the machine's disk");
        assert!(!reported(1, full, true).foreign, "the disk that the plan fills");
        assert!(killed_for_memory().foreign);
    }
}
