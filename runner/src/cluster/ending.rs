//! How a process ended, in words that are the same for every backend, and by whose doing.

use super::Node;

/// A node that ended, and all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{node} ended{} ({exit}); the last lines of its log:\n{log_tail}", if *foreign { "" } else { " by itself" })]
pub struct Death {
    pub node: Node,
    /// Exit code or signal, in words.
    pub exit: String,
    /// The last lines of its log.
    pub log_tail: String,
    /// Not its own doing: the machine's memory ran out, or somebody else sent a signal.
    pub foreign: bool,
}

impl Death {
    /// In a few words, without its log.
    pub fn words(&self) -> String {
        let by = if self.foreign { "" } else { " by itself" };
        format!("{} ended{by}: {}", self.node, self.exit)
    }

    /// In a few words, then the last lines of its log, the newest first: where reports show only some, those tell
    /// most.
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

/// How a process ended, and whether that was its own doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub exit: String,
    /// The machine's doing or somebody's who sent a signal.
    pub foreign: bool,
}

/// What a JVM says that got no memory or no thread from the machine: a limit of the machine's, not the
/// heap that it was given.
const NO_ROOM: [&str; 3] = [
    "insufficient memory for the Java Runtime Environment",
    "OutOfMemoryError: unable to create native thread",
    "OutOfMemoryError: Out of system resources",
];
/// Signals with which the kernel answers a process's own mistake: SIGILL, SIGTRAP, SIGABRT, SIGBUS,
/// SIGFPE, SIGSEGV, SIGSYS. A JVM that crashes ends by SIGABRT.
const CRASHES: [i64; 7] = [4, 5, 6, 7, 8, 11, 31];

/// What a JVM says that crashes. As a container's first process it cannot end by SIGABRT, which that one
/// ignores: its exit code is 127 then.
const CRASHED: &str = "A fatal error has been detected by the Java Runtime Environment";
/// What it says beside that where the signal was somebody's.
const SENT: &str = "(sent by kill)";

/// A shell's codes for a program that is not there, or cannot be run.
const NO_PROGRAM: [i64; 2] = [126, 127];

/// What the kernel says where a disk is full.
const NO_SPACE: &str = "No space left on device";

/// An ending by its exit code (128 and the signal's number for one that a signal ended); the last lines
/// of the log tell what the code alone does not. A node with a small disk of its own (`small_disk`) is
/// meant to see it full; otherwise a full disk is the machine's.
pub fn told(code: i64, log_tail: &str, small_disk: bool) -> Ending {
    if NO_ROOM.iter().any(|words| log_tail.contains(words)) {
        let exit = format!("out of memory: the machine gave the JVM no more (exit code {code})");
        return Ending { exit, foreign: true };
    }
    if !small_disk && log_tail.contains(NO_SPACE) {
        let exit = format!("the machine's disk is full (exit code {code})");
        return Ending { exit, foreign: true };
    }
    // Asked for by -XX:+ExitOnOutOfMemoryError, which ends the JVM with 3: its own heap was too small.
    if code == 3 && log_tail.contains("OutOfMemoryError") {
        let exit = "out of memory: the JVM's heap was full; give it more with jvm: [-Xmx1g]";
        return Ending { exit: exit.to_owned(), foreign: false };
    }
    if log_tail.contains(CRASHED) {
        let foreign = log_tail.contains(SENT);
        let why = if foreign { "somebody sent it a signal, and the JVM" } else { "the JVM" };
        return Ending { exit: format!("{why} crashed (exit code {code})"), foreign };
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

/// The kernel killed it for memory: a limit of the machine or of the container.
pub fn killed_for_memory() -> Ending {
    Ending { exit: "out of memory: killed by the kernel".to_owned(), foreign: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_words() {
        let exit = |code, log: &str| told(code, log, false).exit;
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
        let told = death("INFO starts\n\nERROR all log dirs have failed\n").evidence();
        let first = format!("{words}; the last lines of its log, the newest first:");
        assert_eq!(told, [first.as_str(), "ERROR all log dirs have failed", "INFO starts"]);
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
            // Somebody's signal, and the machine's memory.
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
            assert_eq!(told(code, log, false).foreign, foreign, "{code} {log}");
        }
        let full = "java.io.IOException: No space left on device";
        assert!(told(1, full, false).foreign, "the machine's disk");
        assert!(!told(1, full, true).foreign, "the disk that the plan fills");
        assert!(killed_for_memory().foreign);
    }
}
