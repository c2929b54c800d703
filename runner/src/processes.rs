//! The processes of this machine, as the kernel shows them (proc(5)): those of a run, its runner, its guardian.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read as _},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The content of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
pub struct ProcessStat {
    pub name: String,
    /// `R` runs, `S` sleeps, `T` is stopped, `Z` is dead and not yet waited for, ...
    pub state: char,
    pub parent: u32,
    /// When it started, in clock ticks since boot.
    pub started: String,
}

/// The state of a process; none if there is no process of this number.
pub fn stat(pid: u32) -> Option<ProcessStat> {
    stat_of(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The name, which may hold blanks and parentheses, and the fields 3, 4 and 22 behind it.
fn stat_of(text: &str) -> Option<ProcessStat> {
    let (head, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    Some(ProcessStat {
        name: head.split_once('(')?.1.to_owned(),
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        started: fields.nth(17)?.to_owned(),
    })
}

/// Whether a process is stopped by a signal.
pub fn is_frozen(pid: i32) -> bool {
    u32::try_from(pid).ok().and_then(stat).is_some_and(|stat| matches!(stat.state, 'T' | 't'))
}

/// Memory that is available without swapping, in bytes; none if the kernel does not report it.
pub fn available_memory() -> Option<u64> {
    let table = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = table.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// SIGKILLs every process of this run. Returns how many there were.
pub fn kill_processes(run: &str) -> usize {
    let own = std::process::id();
    let pids = processes_of(run);
    for &pid in pids.iter().filter(|&&pid| pid != own) {
        // A process that ended meanwhile is as good as killed.
        let _ = kill(Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX)), Signal::SIGKILL);
    }
    pids.iter().filter(|&&pid| pid != own).count()
}

/// Process ids of a run, the guardian's own excepted: see [`run_of`].
pub fn processes_of(run: &str) -> Vec<u32> {
    numbers().filter(|pid| run_of(*pid).as_deref() == Some(run)).collect()
}

/// Ids of the processes whose environment has all of these variables with these values.
pub fn carrying(variables: &[(&str, String)]) -> Vec<u32> {
    let wanted: Vec<String> =
        variables.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let carries = |pid: &u32| {
        let environ = environment(*pid);
        let has = |one: &String| environ.split(|b| *b == 0).any(|v| v == one.as_bytes());
        wanted.iter().all(has)
    };
    numbers().filter(carries).collect()
}

/// Every run that has a process on this machine, the guardians excepted.
pub fn runs_with_processes() -> BTreeSet<String> {
    numbers().filter_map(run_of).collect()
}

/// Whether a process of this run has a living runner among its ancestors: the children of a dead runner have another
/// parent.
pub fn has_living_runner(run: &str) -> bool {
    let own = name(std::process::id());
    let under = |pid: u32| {
        let ancestors = std::iter::successors(parent(pid), |up| parent(*up)).take(MOST_ANCESTORS);
        let mut runners = ancestors.filter(|up| run_of(*up).is_none());
        runners.any(|up| name(up) == own)
    };
    processes_of(run).into_iter().any(under)
}

/// A limit for the number of ancestors.
const MOST_ANCESTORS: usize = 1_000;

fn numbers() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok())
}

/// The run of a process: its command line shows `client ... --run <id>` or `-Dkplan.run=<id>` (brokers
/// of a local backend), or its environment holds `KPLAN_RUN=<id>` (commands of the step `run`, and what
/// they started).
fn run_of(pid: u32) -> Option<String> {
    let environ = environment(pid);
    let args = words(pid);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if args.get(1).is_some_and(|a| a == b"client")
        && let Some(pair) = args.windows(2).find(|w| w[0] == b"--run")
    {
        return Some(text(&pair[1]));
    }
    // The whole word, or a Java property: not a command that only mentions a run.
    let labelled = args.iter().find_map(|a| {
        let word = a.strip_prefix(b"-D".as_slice()).unwrap_or(a);
        word.strip_prefix(b"kplan.run=".as_slice()).map(text)
    });
    let marked = |v: &[u8]| v.strip_prefix(b"KPLAN_RUN=".as_slice()).map(text);
    labelled.or_else(|| environ.split(|b| *b == 0).find_map(marked))
}

/// How often a process is looked at that replaces its program.
const LOOKS: u32 = 200;

/// More bytes than the variables of most processes.
const AT_ONCE: usize = 128 * 1024;

/// The variables of a process, each with a zero byte behind it. While a process replaces its program (execve(2)), the
/// kernel shows none: it is looked at again, so that a process of a run is not missed.
fn environment(pid: u32) -> Vec<u8> {
    for _ in 0..LOOKS {
        match read_at_once(&format!("/proc/{pid}/environ")) {
            Ok(none) if none.is_empty() && !has_no_environment(pid) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            found => return found.unwrap_or_default(),
        }
    }
    vec![]
}

/// Between two reads a process may replace its program, and the second one would give nothing.
fn read_at_once(path: &str) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = vec![0; AT_ONCE];
    let length = file.read(&mut bytes)?;
    bytes.truncate(length);
    if length == AT_ONCE {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Whether there is nothing to wait for: the process is gone, belongs to the kernel, or has an empty environment.
fn has_no_environment(pid: u32) -> bool {
    let has_program = std::fs::read_link(format!("/proc/{pid}/exe")).is_ok();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    !has_program || stat.map_or(true, |text| is_bare(&text).unwrap_or(true))
}

/// Whether a program that is whole has no variables: of one that is not, the kernel does not yet show where its code
/// begins (field 26 of `/proc/PID/stat`). The variables lie between the addresses in the fields 50 and 51.
fn is_bare(stat: &str) -> Option<bool> {
    let (_, rest) = stat.rsplit_once(')')?;
    let field = |number: usize| rest.split_whitespace().nth(number - 3);
    Some(field(26)? != "0" && field(50)? == field(51)?)
}

fn parent(pid: u32) -> Option<u32> {
    stat(pid).map(|stat| stat.parent).filter(|parent| *parent > 1)
}

fn name(pid: u32) -> Option<String> {
    stat(pid).map(|stat| stat.name)
}

/// The words of its command line; none of a process that is gone.
fn words(pid: u32) -> Vec<Vec<u8>> {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|b| *b == 0).map(<[u8]>::to_vec).collect()
}

/// A run is alive while its guardian has the runner as its parent: a guardian without it cleans up, and does not
/// count.
pub fn runner_lives(run: &str) -> bool {
    let own = name(std::process::id());
    numbers().filter(|pid| guards(*pid, run)).any(|pid| parent(pid).and_then(name) == own)
}

/// Whether a process is the guardian of a run.
fn guards(pid: u32, run: &str) -> bool {
    let args = words(pid);
    args.get(1).is_some_and(|a| a == b"guardian") && args.iter().any(|a| a == run.as_bytes())
}

/// This process as `PID:START@MACHINE`; the start time (clock ticks since boot, proc(5)) distinguishes it
/// from a later process of the same number.
pub fn owner() -> String {
    let pid = std::process::id();
    format!("{pid}:{}@{}", started(pid).unwrap_or_default(), machine())
}

/// The scope of process numbers: a boot, and in it a namespace. A container may
/// share the engine with others, but sees none of their processes.
fn machine() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{}/{}", boot.trim(), space.display())
}

fn started(pid: u32) -> Option<String> {
    stat(pid).map(|stat| stat.started)
}

/// Whether an [`owner`] is a process of this machine, and lives.
pub fn owner_lives_here(owner: &str) -> bool {
    owner.split_once('@').is_some_and(|(_, at)| at == machine()) && owner_lives(owner)
}

/// Whether an [`owner`] may still live.
pub fn owner_lives(owner: &str) -> bool {
    let Some((process, boot)) = owner.split_once('@') else { return false };
    let Some((pid, start)) = process.split_once(':') else { return false };
    let Ok(pid) = pid.parse() else { return false };
    // A process of another machine cannot be checked: it may be alive.
    boot != machine() || started(pid).as_deref() == Some(start)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_name_may_look_like_the_fields_behind_it() {
        let fields = "S 7 12 12 0 -1 4194304 1 0 0 0 1 2 0 0 20 0 1 0 4242 1000 1";
        let stat = stat_of(&format!("12 (a) b) {fields}")).expect("a process");
        let known = (stat.name.as_str(), stat.state, stat.parent, stat.started.as_str());
        assert_eq!(known, ("a) b", 'S', 7, "4242"));
        assert_eq!(stat_of(""), None);
        assert_eq!(stat_of("12 (a"), None);
    }

    #[test]
    fn a_process_is_told_from_a_later_one_of_its_number() {
        let own = owner();
        assert!(owner_lives(&own) && owner_lives_here(&own), "{own}");
        let pid = std::process::id();
        assert!(!owner_lives(&format!("{pid}:1@{}", machine())));
        assert!(!owner_lives("nonsense"));
        assert!(!owner_lives(""));
        // Of a process elsewhere nothing is known.
        assert!(owner_lives("1:1@elsewhere") && !owner_lives_here("1:1@elsewhere"));
    }

    #[test]
    fn a_run_is_told_by_what_its_processes_carry() {
        let run = format!("marked-{}", std::process::id());
        let mut child =
            Command::new("sleep").arg("60").env("KPLAN_RUN", &run).spawn().expect("sleep starts");
        assert_eq!(processes_of(&run), [child.id()]);
        assert!(runs_with_processes().contains(&run));
        assert!(has_living_runner(&run), "this process started it and lives");
        assert_eq!(kill_processes(&run), 1);
        child.wait().expect("reaped");
        assert!(processes_of(&run).is_empty() && !has_living_runner(&run));
    }

    #[test]
    fn a_process_that_replaces_its_program_is_never_overlooked() {
        let run = format!("replaced-{}", std::process::id());
        let dir = tempfile::tempdir().expect("a directory");
        let program = dir.path().join("again");
        std::fs::write(&program, "exec /bin/sh \"$0\"").expect("written");
        let mut command = Command::new("/bin/sh");
        let mut child = command.arg(&program).env("KPLAN_RUN", &run).spawn().expect("it starts");
        let found = (0..500).filter(|_| processes_of(&run) == [child.id()]).count();
        kill_processes(&run);
        child.wait().expect("reaped");
        assert_eq!(found, 500);
    }

    #[test]
    fn an_empty_environment_is_not_waited_for() {
        let mut child = Command::new("sleep").arg("60").env_clear().spawn().expect("sleep starts");
        assert!(environment(child.id()).is_empty());
        assert!(has_no_environment(child.id()));
        child.kill().expect("killed");
        child.wait().expect("reaped");
    }
}
