//! Where the container engine is, and what is in the way: sockets without permission, docker's contexts, engines that
//! lack something, ports that are published elsewhere, directories of other users.

mod common;

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixListener, UnixStream},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use common::{kplan, real, root};
use nix::unistd::geteuid;

const PLAN: &str = "plans/quickstart.yaml";
/// `nobody` of Debian.
const NOBODY: u32 = 65_534;

/// What a command printed, and its status.
fn ended(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// A directory that every user can read.
fn open_dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("its owner");
    dir
}

/// `kplan ARGS` in a directory, by a user who is not root. Nobody reads root's directories: the binary and the plan are
/// copied.
fn stranger(dir: &Path, args: &[&str]) -> Command {
    let mut command = kplan(args);
    if geteuid().is_root() {
        let own = dir.join("kplan");
        fs::copy(env!("CARGO_BIN_EXE_kplan"), &own).expect("a copy");
        command = Command::new(own);
        command.args(args).env("NO_COLOR", "1").env("HOME", dir).uid(NOBODY).gid(NOBODY);
    }
    fs::copy(root().join(PLAN), dir.join("plan.yaml")).expect("a copy");
    fs::set_permissions(dir.join("plan.yaml"), Permissions::from_mode(0o644)).expect("its owner");
    command.current_dir(dir).env_remove("DOCKER_CONTEXT");
    command
}

#[test]
fn a_socket_without_permission_is_reported_as_that() {
    let dir = open_dir();
    let path = dir.path().join("docker.sock");
    let _listener = UnixListener::bind(&path).expect("a socket");
    fs::set_permissions(&path, Permissions::from_mode(0o000)).expect("its owner");
    let host = format!("unix://{}", path.display());
    for args in [["run", "plan.yaml"].as_slice(), &["doctor"]] {
        let (status, said) = ended(stranger(dir.path(), args).env("DOCKER_HOST", &host));
        assert!(said.contains("permission denied"), "{args:?}: {said}");
        assert!(said.contains(path.to_str().expect("plain")), "{args:?}: {said}");
        assert!(said.contains("usermod -aG docker") && said.contains("rootless"), "{said}");
        assert!(said.contains("DOCKER_HOST="), "{args:?}: {said}");
        assert!(!said.contains("start the container engine"), "{args:?}: {said}");
        if args[0] == "run" {
            assert_eq!(status, Some(3), "{said}");
        }
    }
}

/// An engine that answers the question whether it is there, and refuses everything else.
struct Fake {
    dir: tempfile::TempDir,
    /// The first lines of all requests.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn start(refusal: &'static str) -> Self {
        let dir = open_dir();
        let listener = UnixListener::bind(dir.path().join("fake.sock")).expect("a socket");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heard = heard.clone();
                std::thread::spawn(move || answer(stream, &heard, refusal));
            }
        });
        Self { dir, asked }
    }

    fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("fake.sock").display())
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no holder panics").clone()
    }

    /// A directory of the docker command whose current context is this engine.
    fn home(&self, context: &str) -> PathBuf {
        let home = self.dir.path().join("home");
        let meta = home.join(".docker/contexts/meta").join(context_id(context));
        fs::create_dir_all(&meta).expect("directory");
        let host = self.host();
        let text =
            format!(r#"{{"Name": "{context}", "Endpoints": {{"docker": {{"Host": "{host}"}}}}}}"#);
        fs::write(meta.join("meta.json"), text).expect("written");
        let current = format!(r#"{{"currentContext": "{context}"}}"#);
        fs::write(home.join(".docker/config.json"), current).expect("written");
        home
    }
}

/// The name of a context's directory, by a program that is not kplan's.
fn context_id(name: &str) -> String {
    let script = format!("printf %s {name} | sha256sum");
    let (_, said) = ended(Command::new("sh").args(["-c", &script]));
    said.split_whitespace().next().expect("a sum").to_owned()
}

/// Serves one connection.
fn answer(stream: UnixStream, heard: &Mutex<Vec<String>>, refusal: &str) {
    let mut requests = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut stream = stream;
    let mut first = String::new();
    while requests.read_line(&mut first).is_ok_and(|read| read > 0) {
        let mut length = 0;
        let mut line = String::new();
        while requests.read_line(&mut line).is_ok_and(|read| read > 2) {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        let _ = requests.read_exact(&mut vec![0; length]);
        let there = first.contains("/_ping");
        let (status, body) = if there { ("200 OK", "OK") } else { ("500 Error", refusal) };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        heard.lock().expect("no holder panics").push(std::mem::take(&mut first));
        let _ = stream.write_all(answer.as_bytes());
    }
}

/// `kplan ARGS` where only a home directory says where the engine is.
fn at_home(home: &Path, args: &[&str]) -> Command {
    let mut command = kplan(args);
    command.env("HOME", home);
    for name in ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn the_current_context_of_the_docker_command_is_asked() {
    let fake = Fake::start(r#"{"message": "nothing is served here"}"#);
    let home = fake.home("staging");
    // An empty variable is as good as none.
    for (name, value) in [("LANG", "C"), ("DOCKER_HOST", ""), ("DOCKER_CONTEXT", "")] {
        let before = fake.asked().len();
        let (_, said) = ended(at_home(&home, &["doctor"]).env(name, value));
        assert!(said.contains("nothing is served here"), "{name}: {said}");
        assert!(fake.asked().len() > before, "{name}: {:?}", fake.asked());
    }
}

#[test]
fn a_named_context_goes_before_the_current_one_and_a_host_before_both() {
    let fake = Fake::start(r#"{"message": "nothing is served here"}"#);
    let home = fake.home("staging");
    let mut named = at_home(&home, &["run", PLAN]);
    let (status, said) = ended(named.env("DOCKER_CONTEXT", "production"));
    assert_eq!(status, Some(3), "{said}");
    let words = "the docker context `production`, which DOCKER_CONTEXT names, does not exist";
    assert!(said.contains(words) && said.contains("docker context ls"), "{said}");
    let mut hosted = at_home(&home, &["run", PLAN]);
    hosted.env("DOCKER_CONTEXT", "production").env("DOCKER_HOST", "tcp://127.0.0.1:1");
    let (status, said) = ended(&mut hosted);
    assert_eq!(status, Some(3), "{said}");
    assert!(
        said.contains("no container engine answers at DOCKER_HOST=tcp://127.0.0.1:1"),
        "{said}"
    );
    assert!(fake.asked().is_empty(), "{:?}", fake.asked());
}

/// Where an engine makes no disks of a limited size, a plan that fills one is refused at its line before anything starts,
/// as on a backend that never can; another plan is not even asked about.
#[test]
fn what_an_engine_lacks_is_refused_before_the_start() {
    let fake = Fake::start(r#"{"message": "volume options size and inodes not supported"}"#);
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("run");
    let out_text = out.to_str().expect("plain");
    let mut filling = kplan(&["run", "examples/fill_disk.yaml", "--out", out_text]);
    let (status, said) = ended(filling.env("DOCKER_HOST", fake.host()));
    assert_eq!(status, Some(2), "{said}");
    assert!(
        said.contains("E070") && said.contains("the docker backend cannot fill a broker's disk"),
        "{said}"
    );
    assert!(said.contains("fill_disk.yaml:11"), "{said}");
    assert!(said.contains("kplan doctor"), "{said}");
    assert!(!out.exists(), "nothing was begun");
    let volumes =
        |asked: Vec<String>| asked.iter().filter(|line| line.contains("/volumes")).count();
    let tried = volumes(fake.asked());
    assert_eq!(tried, 2, "both ways: {:?}", fake.asked());
    let mut other = kplan(&["run", PLAN, "--out", out_text]);
    let (status, said) = ended(other.env("DOCKER_HOST", fake.host()));
    assert_eq!(status, Some(3), "{said}");
    assert_eq!(volumes(fake.asked()), tried, "{said}");
}

#[test]
fn a_directory_of_another_user_suggests_another_place_for_the_run() {
    let dir = open_dir();
    let runs = dir.path().join(".kplan");
    fs::create_dir(&runs).expect("a directory");
    fs::set_permissions(&runs, Permissions::from_mode(0o555)).expect("its owner");
    let args = ["run", "plan.yaml", "--backend", "embedded"];
    let (status, said) = ended(&mut stranger(dir.path(), &args));
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains(".kplan/runs") && said.contains("--out"), "{said}");
    let elsewhere = tempfile::tempdir().expect("temporary directory");
    fs::set_permissions(elsewhere.path(), Permissions::from_mode(0o777)).expect("its owner");
    let out = elsewhere.path().join("run");
    let args = [args.as_slice(), &["--out", out.to_str().expect("plain")]].concat();
    let (status, said) = ended(&mut stranger(dir.path(), &args));
    assert_eq!(status, Some(0), "{said}");
}

/// kplan in a network namespace of its own, as in a container: brokers start, and their ports are published elsewhere.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn ports_that_are_published_elsewhere_are_named_within_seconds() {
    let _turn = real();
    let dir = tempfile::tempdir().expect("temporary directory");
    let out = dir.path().join("run");
    let mut alone = Command::new("unshare");
    alone.args(["--net", env!("CARGO_BIN_EXE_kplan"), "run", PLAN, "--out"]);
    alone.arg(&out).current_dir(root()).env_remove("KPLAN_BACKEND").env("NO_COLOR", "1");
    let began = Instant::now();
    let (status, said) = ended(&mut alone);
    let took = began.elapsed();
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("listens in its container, but its published port 127.0.0.1:"), "{said}");
    assert!(said.contains("--network host"), "{said}");
    assert!(!said.contains("not every broker lists"), "{said}");
    assert!(took < Duration::from_secs(60), "{took:?}: {said}");
    let run = common::run_id(&out, Duration::ZERO);
    let record = fs::read_to_string(out.join("events.jsonl")).expect("the events");
    assert!(record.contains(r#""verdict":"broken""#), "{record}");
    assert!(run.is_none_or(|run| common::left_behind(&run).is_empty()), "it leaves nothing");
}

/// What plans need is tried in containers of which nothing stays.
#[test]
#[ignore = "needs a container engine: ci/test"]
fn doctor_tries_what_plans_need_and_leaves_nothing_behind() {
    let _turn = real();
    let mut doctor =
        kplan(&["doctor"]).stdout(std::process::Stdio::piped()).spawn().expect("kplan starts");
    let run = format!("doctor-{}", doctor.id());
    let mut said = String::new();
    let mut out = doctor.stdout.take().expect("piped");
    out.read_to_string(&mut said).expect("text");
    assert_eq!(doctor.wait().expect("it ends").code(), Some(0), "{said}");
    assert!(!said.contains("\\u{1b}"), "no other program's colours: {said}");
    for what in [
        "published ports",
        "stop_broker",
        "pause_broker",
        "fill_disk",
        "clock",
        "partition_network",
    ] {
        let line = said.lines().find(|line| line.contains(what)).unwrap_or_default();
        assert!(line.starts_with("good") && line.ends_with("works"), "{what}: {said}");
    }
    assert_eq!(common::left_behind(&run), Vec::<String>::new());
}
