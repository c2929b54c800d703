//! What editors get: completion, hover, names, corrections, outline, states.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kplan_dsl::editor::{
    self, Candidates, EditorFile, OutlinePart, PlanStates, complete, hover, places, rename,
};
use kplan_dsl::{
    Abilities, CellValue, Memory, Options, check_part, check_text, check_with, template_values,
};

/// A file and the place of `|` in its text, which is left out.
fn at(text: &str) -> (EditorFile, u32) {
    let byte = text.find('|').expect("a place");
    (EditorFile::new("p.yaml", text.replacen('|', "", 1)), u32::try_from(byte).expect("small"))
}

fn candidates(text: &str) -> Candidates {
    let (file, byte) = at(text);
    complete(&[&file], byte)
}

fn labels(text: &str) -> Vec<String> {
    candidates(text).all.into_iter().map(|candidate| candidate.label).collect()
}

/// The texts among labels, in the order in which they are asked for.
fn has(text: &str, wanted: &[&str]) {
    let all = labels(text);
    let missing: Vec<_> = wanted.iter().filter(|w| !all.iter().any(|l| l == *w)).collect();
    assert!(missing.is_empty(), "{missing:?} not among {all:?} for\n{text}");
}

fn has_not(text: &str, unwanted: &[&str]) {
    let all = labels(text);
    assert!(!all.is_empty(), "nothing is offered for\n{text}");
    let there: Vec<_> = unwanted.iter().filter(|w| all.iter().any(|l| l == *w)).collect();
    assert!(there.is_empty(), "{there:?} among {all:?} for\n{text}");
}

const HEAD: &str = "plan: v1
name: Drill
params:
  acks: { default: all, one_of: [1, all] }
matrix:
  version: [3.9.1, 4.1.1]
steps:
  - start_cluster: { brokers: 3, version: 4.1.1 }
  - create_topic: { name: orders, partitions: 2 }
  - start_producer: { name: P, topic: orders, acks: \"{{ acks }}\" }
  - start_consumer: { name: C, topics: [orders], group: readers, members: 2 }
  - name: outage
    kill_broker: 2
";

fn plan(rest: &str) -> String {
    format!("{HEAD}{rest}")
}

#[test]
fn words_of_steps_and_conditions_are_offered_while_they_are_typed() {
    has(&plan("  - |"), &["kill_broker", "wait", "name", "stop_cluster"]);
    has(&plan("  - kil|\n  - stop_cluster\n"), &["kill_broker", "kill_client"]);
    has(&plan("  - assert:\n      - lo|"), &["lost", "log", "lag"]);
    has(&plan("  - assert: [{ lo| }]"), &["lost"]);
    has(&plan("  - wait:\n      until:\n        - |\n      within: 5s\n"), &["lost", "leader"]);
    has("plan: v1\n|", &["name", "steps", "matrix"]);
    has_not("plan: v1\n|", &["plan"]);
    has_not(&plan("  - wait: 5s\n    |"), &["kill_broker", "wait"]);
    has(&plan("  - wait: 5s\n    |"), &["name", "when", "capture"]);
}

#[test]
fn arguments_and_their_values_are_offered() {
    has(&plan("  - create_topic: { name: x, par| }"), &["partitions", "replicas"]);
    has_not(&plan("  - create_topic: { name: x, par| }"), &["name"]);
    has(&plan("  - create_topic: { name: x, par|\n  - stop_cluster\n"), &["partitions"]);
    has(&plan("  - create_topic:\n      name: x\n      |\n  - stop_cluster\n"), &["partitions"]);
    has(&plan("  - start_producer: { name: Q, topic: orders, acks: | }"), &["all", "0", "1"]);
    has(&plan("  - start_cluster:\n      mode: |\n"), &["kraft", "zookeeper"]);
    has(&plan("  - start_cluster: { version: | }"), &["4.1.1", "3.9.1"]);
    has(&plan("  - kill_broker: |"), &["1", "2", "3", "random", "leader_of"]);
    has(&plan("  - kill_broker: { | }"), &["broker", "for", "leader_of"]);
    has_not(&plan("  - kill_broker: { broker: 1, | }"), &["broker", "leader_of"]);
    has(&plan("  - kill_broker: { broker: 1, | }"), &["for"]);
    assert_eq!(labels(&plan("  - kill_broker: { leader_of: orders/0, | }")), Vec::<String>::new());
    let inserted = candidates(&plan("  - kill_broker: |")).all;
    let leader = inserted.iter().find(|c| c.label == "leader_of").expect("it is offered");
    assert_eq!(leader.insert, "{ leader_of: }");
}

#[test]
fn names_of_the_plan_are_offered_where_they_are_meant() {
    has(&plan("  - delete_topic: { name: | }"), &["orders"]);
    has(&plan("  - start_consumer: { name: D, topics: [|] }"), &["orders"]);
    has(&plan("  - kill_broker: { leader_of: | }"), &["orders/0", "orders/1"]);
    has(&plan("  - stop_client: |"), &["P", "C", "C/1", "C/2"]);
    has(&plan("  - assert:\n      - lag: { group: | }\n"), &["readers"]);
    has(&plan("  - assert: { that: [lost: 0], since: | }"), &["outage"]);
    has(&plan("  - start_broker: { same_as: | }"), &["outage"]);
    has(&plan("  - note: \"{{ |"), &["acks", "version", "run"]);
    has(&plan("  - note: \"{{ run.|"), &["id", "seed"]);
    assert_eq!(labels(&plan("  - note: \"{{ acks.|")), Vec::<String>::new());
}

#[test]
fn settings_are_those_of_the_version_at_hand() {
    let topic = |version: &str, place: &str| {
        format!(
            "plan: v1\nname: x\nsteps:\n  - start_cluster: {{ version: {version} }}\n  \
             - create_topic: {{ name: t, config: {{ {place} }} }}\n"
        )
    };
    has(&topic("4.1.1", "retention.|"), &["retention.ms", "retention.bytes"]);
    has(&topic("3.9.1", "mess|"), &["message.format.version"]);
    has_not(&topic("4.1.1", "mess|"), &["message.format.version", "num.io.threads"]);
    has(&topic("4.1.1", "cleanup.policy: |"), &["compact", "delete"]);
    has(&plan("  - start_cluster:\n      config:\n        num.|\n"), &["num.io.threads"]);
    has(&plan("  - start_producer: { name: Q, topic: orders, config: { lin| } }"), &["linger.ms"]);
    has_not(
        &plan("  - start_producer: { name: Q, topic: orders, config: { f| } }"),
        &["fetch.min.bytes"],
    );
    let found = candidates(&topic("4.1.1", "retention.|"));
    let one = found.all.iter().find(|c| c.label == "retention.ms").expect("it is offered");
    assert!(one.doc.contains("default: `604800000`"), "{}", one.doc);
    assert_eq!(
        (one.insert.as_str(), found.replaces.end - found.replaces.start),
        ("retention.ms: ", 10)
    );
}

#[test]
fn every_step_of_every_example_can_be_completed_at_every_byte() {
    // Whatever is typed at any place: nothing panics, and what is replaced lies before the cursor.
    let mut asked = 0;
    for path in examples() {
        let text = std::fs::read_to_string(&path).expect("readable");
        let file = EditorFile::new(&path, text.clone());
        for byte in (0..text.len()).step_by(23) {
            let byte = u32::try_from(byte).expect("small");
            let found = complete(&[&file], byte);
            assert!(found.replaces.start <= found.replaces.end.max(byte), "{}", path.display());
            hover(&[&file], byte, None);
            places(&[&file], 0, byte);
            asked += 1;
        }
    }
    assert!(asked > 500, "{asked}");
}

fn examples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let entries = std::fs::read_dir(root).expect("examples").flatten().map(|e| e.path());
    let all: Vec<_> = entries.filter(|p| p.extension().is_some_and(|e| e == "yaml")).collect();
    assert!(!all.is_empty(), "there are examples");
    all
}

fn said(text: &str) -> String {
    let (file, byte) = at(text);
    hover(&[&file], byte, None).map(|said| said.text).unwrap_or_default()
}

#[test]
fn hover_shows_pages_of_words_arguments_values_settings_and_names() {
    assert!(said(&plan("  - kill_bro|ker: 2\n")).starts_with("# kill_broker (step)"));
    assert!(said(&plan("  - stop_clus|ter\n")).starts_with("# stop_cluster (step)"));
    assert!(said(&plan("  - assert:\n      - lo|st: 0\n")).starts_with("# lost (condition)"));
    let argument = said(&plan("  - create_topic: { name: x, repli|cas: 3 }\n"));
    assert!(argument.contains("`replicas`** of `create_topic`"), "{argument}");
    let value = said(&plan("  - start_cluster: { mode: kra|ft }\n"));
    assert!(value.contains("In KRaft controllers"), "{value}");
    let setting = said(&plan("  - create_topic: { name: x, config: { retention.m|s: 1 } }\n"));
    assert!(setting.contains("default: `604800000`"), "{setting}");
    let name = said(&plan("  - delete_topic: { name: ord|ers }\n"));
    assert!(name.contains("The topic `orders`, p.yaml line 9"), "{name}");
    assert!(said("plan: v1\nna|me: x\n").contains("The plan's name"));
    let (file, byte) = at(&plan("  - note: \"acks {{ ac|ks }}\"\n"));
    let asked = hover(&[&file], byte, None).and_then(|said| said.template);
    assert_eq!(asked.as_deref(), Some("acks {{ acks }}"));
}

#[test]
fn a_target_means_brokers_that_can_be_it_at_its_place() {
    let text =
        plan("  - wait: 1s\n  - stop_broker: { leader_of: orders/0 }\n  - start_broker: random\n");
    let checked = check_text(Path::new("p.yaml"), &text, &Options::default());
    let states = PlanStates::of(&checked.suites[0], &Abilities::default());
    let file = EditorFile::new("p.yaml", text.clone());
    let of = |word: &str| {
        let byte = u32::try_from(text.rfind(word).expect("it is there")).expect("small");
        hover(&[&file], byte + 1, Some(&states)).expect("something is said").text
    };
    assert!(of("leader_of").contains("Here it can mean 1 or 3 (2 is down)"), "{}", of("leader_of"));
    assert!(of("orders/0").contains("Here it can mean 1 or 3"), "{}", of("orders/0"));
    assert!(of("random").contains("Here it can mean 1, 2 or 3"), "{}", of("random"));
}

#[test]
fn hints_say_how_many_brokers_are_alive_after_each_step() {
    let text = plan("  - pause_broker: 1\n  - restart_broker: 3\n  - stop_cluster\n");
    let checked = check_text(Path::new("p.yaml"), &text, &Options::default());
    let states = PlanStates::of(&checked.suites[0], &Abilities::default());
    let file = EditorFile::new("p.yaml", text);
    let line = |at: u32| file.source().line(at);
    let hints = states.hints(Path::new("p.yaml"));
    let shown: Vec<(u32, &str)> = hints.iter().map(|h| (line(h.at), h.text.as_str())).collect();
    assert_eq!(shown[0], (8, "alive 3 of 3"));
    assert_eq!(shown[4], (12, "alive 2 of 3"));
    assert_eq!(shown[5].1, "alive 1 of 3, 1 paused, no quorum");
    assert!(
        hints[5].more.contains("broker 1: paused") && hints[5].more.contains("leads is known only")
    );
}

#[test]
fn names_are_found_and_renamed_over_the_files_of_a_plan() {
    let part = "fragment: v1\nparams:\n  count: 3\nsteps:\n  - elect_leaders: { topic: orders, partitions: [\"{{ count }}\"] }\n";
    let text = plan(
        "  - include: { file: parts/x.yaml, params: { count: 5 } }\n  - stop_client: [P, C/1]\n",
    );
    let main = EditorFile::new("p.yaml", text.clone());
    let included = EditorFile::new("parts/x.yaml", part);
    assert_eq!(main.includes().collect::<Vec<_>>(), [PathBuf::from("parts/x.yaml")]);
    let files = [&main, &included];
    let byte = |text: &str, word: &str| u32::try_from(text.find(word).expect(word)).expect("small");
    let texts = |found: Vec<editor::PlaceIn>| -> Vec<(usize, bool, String)> {
        let text = |p: &editor::PlaceIn| files[p.file].source().slice(p.span).to_owned();
        found.iter().map(|p| (p.file, p.defines, text(p))).collect()
    };
    let orders = texts(places(&files, 0, byte(&text, "orders")));
    assert_eq!(orders.len(), 4, "{orders:?}");
    assert_eq!(orders.iter().filter(|(_, defines, _)| *defines).count(), 1);
    assert!(orders.iter().all(|(.., text)| text == "orders"));
    assert_eq!(orders[3].0, 1, "the fragment's");
    let clients = texts(places(&files, 0, byte(&text, "P, topic")));
    assert_eq!(clients.len(), 2, "{clients:?}");
    let values = texts(places(&files, 0, byte(&text, "acks:")));
    assert_eq!(values.len(), 2, "declared and used: {values:?}");
    let counts = texts(places(&files, 1, byte(part, "count:")));
    assert_eq!(counts.iter().map(|c| c.0).collect::<Vec<_>>(), [0, 1, 1], "{counts:?}");
    let renamed = rename(&files, 0, byte(&text, "orders"), "sales").expect("it can be renamed");
    assert_eq!(renamed.len(), 4);
    for (to, why) in [("a b", "cannot be the name"), ("", "cannot be the name")] {
        let refused = rename(&files, 0, byte(&text, "orders"), to).expect_err("it is no name");
        assert!(refused.contains(why), "{refused}");
    }
    let taken = rename(&files, 0, byte(&text, "P, topic"), "C").expect_err("there is one");
    assert_eq!(taken, "there is a client `C` already");
    assert!(rename(&files, 0, 0, "x").is_err());
}

/// The text after each correction of each mistake, with the title of the correction.
fn corrected(text: &str) -> Vec<(String, String)> {
    let checked = check_text(Path::new("p.yaml"), text, &Options::default());
    let file = EditorFile::new("p.yaml", text);
    let all = checked.diagnostics.iter().flat_map(|wrong| editor::fixes(&file, wrong));
    all.map(|fix| {
        let mut text = text.to_owned();
        text.replace_range(fix.span.range(), &fix.text);
        (fix.title, text)
    })
    .collect()
}

fn codes(text: &str) -> Vec<&'static str> {
    let checked = check_text(Path::new("p.yaml"), text, &Options::default());
    checked.diagnostics.iter().map(|wrong| wrong.code.text()).collect()
}

#[test]
fn corrections_remove_the_mistakes_that_they_are_for() {
    let base = "plan: v1\nname: x\nsteps:\n  - start_cluster: { brokers: 3 }\n  - create_topic: { name: orders }\n";
    let end = "  - assert: [{ offline_partitions: 0 }]\n";
    for (step, code, title) in [
        ("  - kil_broker: 2\n", "E020", "Replace `kil_broker` by `kill_broker`"),
        ("  - sleep: 2s\n", "E020", "Replace `sleep` by `wait`"),
        (
            "  - create_topic: { name: b, replication_factor: 3 }\n",
            "E010",
            "Replace `replication_factor` by `replicas`",
        ),
        ("  - describe: { topic: ordesr }\n", "W012", "Replace `ordesr` by `orders`"),
        (
            "  - create_topic: { name: b, config: { retention.mss: 1 } }\n",
            "E019",
            "Replace `retention.mss` by `retention.ms`",
        ),
        (
            "  - create_topic: { name: b, config: { cleanup.policy: compacted } }\n",
            "E019",
            "Replace `compacted` by `compact`",
        ),
        ("  - create_topic: { partitions: 3 }\n", "E011", "Add `name`"),
        ("  - create_topic: {}\n", "E011", "Add `name`"),
        ("  - create_topic:\n", "E011", "Add `name`"),
        ("  - create_topic\n", "E011", "Add `name`"),
        ("  - create_topic:\n      partitions: 3\n", "E011", "Add `name`"),
        (
            "  - start_cluster: { broker_config: { 1: { num.io.threds: 3 } } }\n",
            "W014",
            "Replace `num.io.threds` by `num.io.threads`",
        ),
    ] {
        let text = format!("{base}{step}{end}");
        assert!(codes(&text).contains(&code), "{step}: {:?}", codes(&text));
        let all = corrected(&text);
        let found = all.iter().find(|(found, _)| found == title);
        let (_, after) = found.unwrap_or_else(|| panic!("{title} is not among {all:?}"));
        assert!(!codes(after).contains(&code), "{:?} after {title}:\n{after}", codes(after));
    }
}

#[test]
fn a_warning_is_allowed_where_the_checker_looks_for_it() {
    for text in [
        "plan: v1\nname: x\nsteps:\n  - start_cluster: {}\n  - describe: { topic: other }\n",
        "plan: v1\nname: x\nsteps:\n  - start_cluster: {}\n  - describe:\n      topic: other\n",
        "plan: v1\nname: x\nsteps:\n  - start_cluster: {}\n  # kplan: allow W001\n  - describe:\n      topic: other\n",
        "plan: v1\nname: x\nsteps: [start_cluster, { describe: { topic: other } }]\n",
    ] {
        for code in ["W012", "W020"] {
            assert!(codes(text).contains(&code), "{:?}\n{text}", codes(text));
            let all = corrected(text);
            let title = format!("Allow {code} here");
            let (_, after) =
                all.iter().find(|(found, _)| *found == title).expect("it can be allowed");
            assert!(!codes(after).contains(&code), "{:?}\n{after}", codes(after));
        }
    }
}

#[test]
fn the_outline_has_sections_steps_and_the_steps_in_them() {
    let text = plan(
        "  - parallel:\n      left:\n        - wait: 1s\n      right:\n        - stop_client: P\n",
    );
    let file = EditorFile::new("p.yaml", text);
    let parts = editor::outline(&file);
    let titles = |parts: &[OutlinePart]| parts.iter().map(|p| p.title.clone()).collect::<Vec<_>>();
    assert_eq!(titles(&parts), ["plan", "name", "params", "matrix", "steps"]);
    assert_eq!(titles(&parts[2].parts), ["acks"]);
    assert_eq!(titles(&parts[4].parts)[4..], ["outage", "parallel"]);
    assert_eq!(parts[4].parts[4].detail, "kill_broker 2");
    assert_eq!(titles(&parts[4].parts[5].parts), ["wait", "stop_client"]);
    let folds = editor::folds(&file);
    assert!(folds.contains(&(11, 12)) && folds.contains(&(13, 17)), "{folds:?}");
}

#[test]
fn a_template_has_a_value_in_each_cell() {
    let files =
        || Box::new(Memory(BTreeMap::from([(PathBuf::from("p.yaml"), HEAD.as_bytes().to_vec())])));
    let values = |text: &str| {
        template_values(Path::new("p.yaml"), &Options::default(), files(), text, &["seen"])
    };
    let known = |text: &str| CellValue::Known(text.to_owned());
    assert_eq!(
        values("v{{ version }}"),
        [
            ("version=3.9.1".to_owned(), known("v3.9.1")),
            ("version=4.1.1".to_owned(), known("v4.1.1"))
        ]
    );
    assert_eq!(values("{{ seen.acked }}")[0].1, CellValue::Late);
    assert_eq!(values("{{ nothing }}")[0].1, CellValue::Unknown);
}

#[test]
fn a_fragment_alone_has_only_mistakes_of_its_own() {
    let check = |text: &str| {
        let files = Memory(BTreeMap::from([(PathBuf::from("f.yaml"), text.as_bytes().to_vec())]));
        let checked = check_part(Path::new("f.yaml"), &Options::default(), Box::new(files));
        checked.diagnostics.iter().map(|d| d.code.text()).collect::<Vec<_>>()
    };
    let good = "fragment: v1\nparams:\n  topic: {}\nsteps:\n  - describe: { topic: \"{{ topic }}\" }\n  \
                - note: \"{{ of_the_plan }}\"\n";
    assert_eq!(check(good), Vec::<&str>::new());
    assert_eq!(check(&good.replace("note", "nott")), ["E020"]);
    assert_eq!(check("fragment: v1\nstep: []\n"), ["E010"]);
}

#[test]
fn only_what_looks_like_a_plan_is_one() {
    for text in ["plan: v1\n", "# a comment\nfragment: v1\n", "plan:\nsteps:\n"] {
        assert!(editor::looks_like_plan(text), "{text}");
    }
    for text in ["", "plan: premium\n", "services:\n  plan: v1\n", "steps:\n"] {
        assert!(!editor::looks_like_plan(text), "{text}");
    }
}

#[test]
fn secrets_of_a_plan_are_not_shown() {
    let text = "plan: v1\nname: x\nparams:\n  token: { default: s3cr3t, secret: true }\nsteps:\n  - note: hi\n";
    let files =
        || Box::new(Memory(BTreeMap::from([(PathBuf::from("p.yaml"), text.as_bytes().to_vec())])));
    let options = Options::default();
    let found = template_values(Path::new("p.yaml"), &options, files(), "a {{ token }}", &[]);
    assert_eq!(found, [(String::new(), CellValue::Known("a ***".to_owned()))]);
    assert!(!check_with(Path::new("p.yaml"), &options, files()).has_errors());
}
