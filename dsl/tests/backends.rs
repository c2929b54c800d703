//! Backend files are read as plans are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kplan_dsl::{
    Abilities, Capability, EnvNames, ExplainFormat, Memory, Options, ReadBackend, Verb,
    backend_schema, backend_schema_text, check_text, explain, plan::ExistingBrokers, read_backend,
    read_backend_with, render,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(text: &str) -> ReadBackend {
    let files = Memory(BTreeMap::from([("cluster.yaml".into(), text.as_bytes().to_vec())]));
    let env = EnvNames { trusted: true, ..EnvNames::default() };
    read_backend_with(Path::new("cluster.yaml"), &env, Box::new(files))
}

fn told(text: &str) -> String {
    let read = read(text);
    assert!(read.file.is_none() || read.diagnostics.is_empty(), "what is wrong is not used");
    render(&read.diagnostics, &read.sources, false)
}

fn bless() -> bool {
    std::env::var_os("KPLAN_BLESS").is_some()
}

#[test]
fn controllers_are_told_by_their_numbers() {
    let file = |controllers: &str| format!("backend: v1\nbootstrap: [k1:9092]\n{controllers}");
    let given = read(&file("controllers: { 101: ctl-1:9093, 2: k2:9093 }\n"));
    let given = given.file.expect("a file").controllers.0;
    let given: Vec<(u32, &str)> = given.iter().map(|(n, at)| (n.value, at.as_str())).collect();
    assert_eq!(given, [(101, "ctl-1:9093"), (2, "k2:9093")]);
    assert!(read(&file("")).file.expect("a file").controllers.0.is_empty());
    for (wrong, why) in [("{ one: c:1 }", "number"), ("{ 1: c }", "not an address")] {
        let told = told(&file(&format!("controllers: {wrong}\n")));
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn the_schema_is_current_and_one_of_draft_07() {
    jsonschema::draft7::meta::validate(&backend_schema()).expect("a draft 07 schema");
    let path = root().join("schemas/backend.schema.json");
    let text = backend_schema_text();
    if bless() {
        std::fs::write(&path, &text).expect("writable");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "schemas/backend.schema.json is old: KPLAN_BLESS=1 cargo test --test backends"
    );
}

#[test]
fn every_example_reads_and_validates() {
    let validator = jsonschema::draft7::new(&backend_schema()).expect("the schema is one");
    let allowed = [("KAFKA_PASSWORD", "x"), ("KAFKA_BOOTSTRAP", "x:1")];
    let allowed = allowed.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let env = EnvNames { allowed, trusted: true };
    let mut seen = 0;
    for entry in std::fs::read_dir(root().join("examples/backends")).expect("a directory") {
        let path = entry.expect("a readable entry").path();
        // What the commands of a file need.
        if path.is_dir() {
            continue;
        }
        let read = read_backend(&path, &env);
        assert_eq!(render(&read.diagnostics, &read.sources, false), "", "{}", path.display());
        let file = read.file.expect("no mistakes");
        assert!(!file.lacks().contains(&Capability::Kill), "{}", path.display());
        let text = std::fs::read_to_string(&path).expect("readable");
        let value: serde_json::Value = serde_yaml::from_str(&text).expect("YAML");
        let wrong: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert_eq!(wrong, Vec::<String>::new(), "{}", path.display());
        let first = text.lines().next().unwrap_or_default();
        let schema = first.strip_prefix("# yaml-language-server: $schema=").expect("the line");
        assert!(path.parent().expect("a directory").join(schema).is_file(), "{schema}");
        seen += 1;
    }
    assert!(seen >= 4, "only {seen} examples");
}

#[test]
fn mistakes_are_told_with_place_and_nearest_word() {
    let text = told(
        "backend: v1\nbootstrp: [k1:9092]\nbootstrap: [k1, 'k2:9092']\ncommands:\n  \
         kil: [kill]\n  stop: []\n  start: [run, '{{ brokr }}']\n  timeout: 30\nversion: 3.9.1\n",
    );
    for words in [
        "cluster.yaml:2:1",
        "unknown key `bootstrp`",
        "did you mean `bootstrap`",
        "`k1` is not an address",
        "unknown key `kil`",
        "did you mean `kill`",
        "cluster.yaml:6:9",
        "cluster.yaml:7:",
        "brokr",
        "write the unit: `30s`",
    ] {
        assert!(text.to_lowercase().contains(&words.to_lowercase()), "{words} is not in\n{text}");
    }
}

#[test]
fn what_is_no_backend_file_is_told() {
    for (text, words) in [
        ("plan: v1\nname: x\nsteps: []\n", "this file is a plan"),
        ("bootstrap: [a:1]\n", "does not begin with `backend: v1`"),
        ("backend: v2\n", "unknown language version `v2`"),
        ("backend: v1\n", "needs `bootstrap`"),
        ("backend: v1\nbootstrap: []\n", "names no broker"),
        ("backend: v1\nbootstrap: [a:0]\n", "`a:0` is not an address"),
        (
            "backend: v1\nbootstrap: [a:1]\nclient: { bootstrap.servers: 'b:1' }\n",
            "write the addresses into `bootstrap`",
        ),
        (
            "backend: v1\nbootstrap: [a:1]\nclient: { acks: 1 }\n",
            "`acks` cannot be set here: kplan sets it",
        ),
        ("backend: v1\nbootstrap: [a:1]\nclient: { partitioner: murmur2 }\n", "kplan chooses"),
        (
            "backend: v1\nbootstrap: [a:1]\nbrokers: { 1: b:1 }\n\
             client: { client.dns.lookup: resolve_canonical_bootstrap_servers_only }\n",
            "`client.dns.lookup: resolve_canonical_bootstrap_servers_only` cannot be combined with `brokers`",
        ),
        (
            "backend: v1\nbootstrap: ['{{ broker }}:1']\n",
            "`broker`, `host` and `run` are defined only in `commands`",
        ),
        (
            "backend: v1\nbootstrap: [a:1]\nclient: { x: '{{ env.NO }}' }\n",
            "environment variable `NO` is not set",
        ),
        (
            "backend: v1\nbootstrap: [a:1]\nbrokers_come_back: true\ncommands: { kill: [a] }\n",
            "with `brokers_come_back`, `kill` needs `identity`",
        ),
        ("backend: [\n", "cluster.yaml"),
    ] {
        let found = told(text);
        assert!(found.contains(words), "{words} is not in\n{found}");
    }
}

#[test]
fn commands_are_rendered_for_their_broker() {
    let read = read(
        "backend: v1\nbootstrap: [a:1]\ncommands:\n  \
         kill: [ssh, 'k@{{ host }}', 'kafka-{{ broker - 1 }}', '{{ run.id }}', 9, 'a b']\n",
    );
    let file = read.file.expect("no mistakes");
    let kill = file.commands.and_then(|commands| commands.kill).expect("a command");
    let words = kill.words(2, "k2", "r1").expect("rendered");
    assert_eq!(words, ["ssh", "k@k2", "kafka-1", "r1", "9", "a b"]);
}

/// As `kplan init --compose` writes it for services whose names do not have the broker's number.
#[test]
fn a_word_is_looked_up_by_its_broker() {
    let read = read(
        "backend: v1\nbootstrap: [a:1]\ncommands:\n  \
         kill: [docker, kill, &container \"{{ {0: 'kafka-a', 7: 'kafka-b'}[broker] }}\"]\n  \
         start: [docker, start, *container]\n",
    );
    let commands = read.file.and_then(|file| file.commands).expect("no mistakes");
    let start = commands.start.expect("a command");
    let words = |broker| start.words(broker, "localhost", "r1");
    assert_eq!(words(0).expect("rendered"), ["docker", "start", "kafka-a"]);
    assert_eq!(words(7).expect("rendered"), ["docker", "start", "kafka-b"]);
    assert!(words(1).is_err(), "no container of that broker is named");
}

#[test]
fn a_plan_is_refused_where_its_command_is_missing() {
    let plan =
        "plan: v1\nname: x\nsteps:\n  - start_cluster\n  - kill_broker: 2\n  - pause_broker: 1\n";
    let refused = |commands: &str| {
        let read = read(&format!("backend: v1\nbootstrap: [a:1]\n{commands}"));
        let lacks: Vec<Capability> = read.file.expect("no mistakes").lacks().into_iter().collect();
        let backend = Abilities::without("external", &lacks).advise(|_| "name a command");
        let options = Options { backend, ..Options::default() };
        let checked = check_text(Path::new("plan.yaml"), plan, &options);
        render(&checked.diagnostics, &checked.sources, false)
    };
    let text = refused("");
    assert!(text.contains("plan.yaml:5:5") && text.contains("cannot kill brokers"), "{text}");
    assert!(text.contains("plan.yaml:6:5") && text.contains("name a command"), "{text}");
    let text = refused("commands: { kill: [a], pause: [b] }\n");
    assert!(!text.contains("kill brokers"), "{text}");
    assert!(text.contains("cannot pause brokers"), "a pause needs a resume: {text}");
    assert!(!refused("commands: { kill: [a], pause: [b], resume: [c] }\n").contains("E070"));
}

#[test]
fn a_broker_that_comes_back_cannot_stay_down() {
    let read = read(
        "backend: v1\nbootstrap: [a:1]\nbrokers_come_back: true\n\
         commands: { kill: [a], stop: [a], pause: [a], resume: [a], wipe: [a], identity: [b] }\n",
    );
    let lacks: Vec<Capability> = read.file.expect("no mistakes").lacks().into_iter().collect();
    assert_eq!(lacks, [Capability::KeepDown, Capability::WipeDisk]);
    let backend = Abilities { borrowed: true, ..Abilities::without("external", &lacks) };
    let told = |steps: &str| {
        let text = format!("plan: v1\nname: x\nsteps:\n  - start_cluster\n{steps}");
        let options = Options { backend: backend.clone(), ..Options::default() };
        let checked = check_text(Path::new("plan.yaml"), &text, &options);
        render(&checked.diagnostics, &checked.sources, false)
    };
    let good = "  - kill_broker: 2\n  - start_broker: 2\n  - restart_broker: 1\n\
                \x20 - pause_broker: { broker: 1, for: 10s }\n  - assert: [{ brokers_alive: 3 }]\n";
    assert!(!told(good).contains("error"), "{}", told(good));
    let bad = "  - kill_broker: { broker: 2, for: 60s }\n  - stop_broker: { broker: 2, during: [{ wait: 1s }] }\n\
               \x20 - restart_broker: { broker: 1, down_for: 5s }\n  - kill_broker: 0\n\
               \x20 - wait: [{ brokers_alive: 2 }]\n  - assert: [{ brokers_alive: { at_least: 2 } }]\n";
    let text = told(bad);
    for line in [5, 6, 7] {
        assert!(text.contains(&format!("plan.yaml:{line}:5")), "line {line}: {text}");
    }
    assert_eq!(text.matches("cannot keep a killed or stopped broker down").count(), 3, "{text}");
    assert!(text.contains("plan.yaml:9:12") && text.contains("comes back by itself"), "{text}");
    assert_eq!(text.matches("error[").count(), 4, "{text}");
}

#[test]
fn an_existing_cluster_gives_its_version_to_plans_that_name_none() {
    let backend =
        Abilities { borrowed: true, version: Some("3.9.1".to_owned()), ..Abilities::default() };
    let options = Options { backend, ..Options::default() };
    for (head, step, expected) in [
        ("", "{ brokers: 3 }", "3.9.1"),
        ("defaults: { cluster: { brokers: 3 } }\n", "{}", "3.9.1"),
        ("", "{ brokers: 3, version: 3.8.1 }", "3.8.1"),
        ("defaults: { cluster: { version: 3.7.2 } }\n", "{ brokers: 3 }", "3.7.2"),
    ] {
        let text = format!(
            "plan: v1\nname: a\n{head}steps:\n  - start_cluster: {step}\n  - assert: [{{ brokers_alive: 3 }}]\n"
        );
        let checked = check_text(Path::new("a.yaml"), &text, &options);
        let suite = checked.suites.first().unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        let Some(Verb::StartCluster(cluster)) = suite.steps[0].verb() else { panic!("a cluster") };
        assert_eq!(cluster.version.text(), expected, "{text}");
    }
}

/// What a plan for an existing cluster says of its brokers, where the backend file names these.
fn existing(file: &[u32], steps: &str) -> (ExistingBrokers, String) {
    let backend = Abilities {
        borrowed: true,
        brokers: file.iter().copied().collect(),
        ..Abilities::default()
    };
    let text = format!("plan: v1\nname: a\nsteps:\n{steps}  - assert: [{{ brokers_alive: 3 }}]\n");
    let checked =
        check_text(Path::new("a.yaml"), &text, &Options { backend, ..Options::default() });
    let suite = checked.suites.first().unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
    let timeline = explain(&checked.suites, ExplainFormat::Text);
    (suite.existing.clone().expect("the cluster exists"), timeline)
}

#[test]
fn an_existing_cluster_has_the_numbers_that_it_has() {
    let steps = "  - start_cluster: { brokers: 3 }\n  - kill_broker: 0\n  - start_broker: 0\n\
                 \x20 - kill_broker: 101\n  - start_broker: all\n\
                 \x20 - create_topic: { name: orders, assignment: { 0: [0, 7] } }\n";
    let (brokers, explained) = existing(&[], steps);
    assert_eq!(brokers.numbers, [0, 7, 101].into());
    let lines: Vec<u32> = brokers.named.iter().map(|n| n.value).collect();
    assert_eq!(lines, [0, 101, 7], "in the order of the plan");
    for lane in ["broker 0", "broker 7", "broker 101"] {
        assert!(explained.contains(lane), "{lane}: {explained}");
    }
    assert!(
        !explained.contains("controller 101") && !explained.contains("broker 1 "),
        "{explained}"
    );

    // Those of the backend file are there, whether the plan names them or not.
    let (brokers, explained) = existing(&[0, 1, 2], "  - start_cluster\n  - kill_broker: 2\n");
    assert_eq!(brokers.numbers, [0, 1, 2].into());
    assert!(explained.contains("broker 1"), "{explained}");
    // And those that the plan declares.
    let (brokers, _) = existing(&[], "  - start_cluster: { first_broker: 4 }\n");
    assert_eq!(brokers.numbers, [4, 5, 6].into());
}
