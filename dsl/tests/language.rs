//! What plans mean once they are read: the positive space.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use kplan_dsl::steps::Wait;
use kplan_dsl::value::{Acks, Rate, Target};
use kplan_dsl::{
    Action, Checked, Code, Memory, Options, Override, Plan, Step, Values, Verb, check_text,
    check_with, render,
};

fn check_as(text: &str, options: &Options) -> Checked {
    check_text(Path::new("plan.yaml"), text, options)
}

/// These plans are read, not run: that they judge nothing is no matter.
fn without_judgement_is_fine(checked: &mut Checked) {
    checked.diagnostics.retain(|d| d.code != Code::W020);
}

/// The suites of a plan that must be clean.
fn suites(text: &str, options: &Options) -> Vec<Plan> {
    let mut checked = check_as(text, options);
    without_judgement_is_fine(&mut checked);
    assert_eq!(render(&checked.diagnostics, &checked.sources, false), "", "{text}");
    checked.suites
}

fn plan(steps: &str) -> Plan {
    let text = format!("plan: v1\nname: test\nsteps:\n{steps}");
    suites(&text, &Options::default()).remove(0)
}

fn param(name: &str, value: &str) -> Options {
    let (name, value, origin) = (name.to_owned(), value.to_owned(), "--param".to_owned());
    Options {
        params: vec![Override { name, value, origin, optional: false }],
        ..Options::default()
    }
}

fn labels(suites: &[Plan]) -> Vec<String> {
    suites.iter().filter_map(Plan::cell_label).collect()
}

fn verb(step: &Step) -> &Verb {
    step.verb().expect("the step is known before the run")
}

const MATRIX: &str = "plan: v1\nname: test\nmatrix:\n  acks: [1, all]   # kplan: allow W024\n  \
    version: [3.9.1, 4.1.1]\n  exclude:\n    - { acks: 1, version: 4.1.1 }\n  include:\n    \
    # kplan: allow W024\n    - { acks: 0, version: 4.0.0, extra: yes }\n\
    steps:\n  - start_cluster: { version: \"{{ version }}\" }\n";

#[test]
fn a_matrix_is_the_product_without_the_excluded_and_with_the_included() {
    let found = suites(MATRIX, &Options::default());
    assert_eq!(
        labels(&found),
        [
            "acks=1, version=3.9.1",
            "acks=all, version=3.9.1",
            "acks=all, version=4.1.1",
            "acks=0, version=4.0.0, extra=yes"
        ]
    );
    assert_eq!(found[0].suite_name(), "test [acks=1, version=3.9.1]");
}

#[test]
fn a_value_from_outside_pins_the_matrix() {
    assert_eq!(
        labels(&suites(MATRIX, &param("acks", "all"))),
        ["acks=all, version=3.9.1", "acks=all, version=4.1.1"]
    );
    let declared = MATRIX.replacen("matrix:", "params:\n  version: 4.1.1\nmatrix:", 1);
    let other = suites(&declared, &param("version", "3.8.0"));
    assert_eq!(
        labels(&other),
        ["acks=1, version=3.8.0", "acks=all, version=3.8.0", "acks=0, version=3.8.0, extra=yes"]
    );
}

/// What a plan's matrix of booleans comes to with one value given: the labels, and what a step got.
fn pinned(head: &str, given: &str) -> Result<Vec<(String, bool, Option<bool>)>, String> {
    let text = format!(
        "plan: v1\nname: test\n{head}steps:\n  - start_cluster: {{ brokers: 3 }}\n  - create_topic: t\n  \
         - start_producer: {{ name: P, topic: t, idempotent: \"{{{{ m }}}}\" }}\n    when: m\n"
    );
    let checked = check_text(Path::new("p.yaml"), &text, &param("m", given));
    if checked.has_errors() {
        return Err(checked
            .diagnostics
            .iter()
            .map(|d| format!("{} {}", d.code, d.message))
            .collect());
    }
    let one = |plan: &Plan| {
        let Verb::StartProducer(it) = verb(&plan.steps[2]) else { panic!("a producer") };
        let when = plan.steps[2].head.when.as_ref().expect("a condition");
        (plan.cell_label().unwrap_or_default(), it.idempotent.value, when.known())
    };
    Ok(checked.suites.iter().map(one).collect())
}

#[test]
fn a_pinned_value_has_the_type_of_those_that_it_replaces() {
    let undeclared = "matrix:\n  m: [true, false]\n";
    let declared = "params:\n  m: true\nmatrix:\n  m: [true, false]\n";
    let text = "params:\n  m: { default: \"x\" }\nmatrix:\n  m: [true, false]\n";
    for head in [undeclared, declared, text] {
        for value in [true, false] {
            let label = format!("m={value}");
            assert_eq!(
                pinned(head, &value.to_string()),
                Ok(vec![(label, value, Some(value))]),
                "{head}"
            );
        }
    }
    for (head, value) in [(undeclared, "banana"), (undeclared, "False"), (declared, "banana")] {
        let told = pinned(head, value).expect_err("no value of the matrix");
        assert!(told.starts_with("E040") && told.contains(value), "{told}");
        assert_eq!(told.matches("E040").count(), 1, "{told}");
    }
}

#[test]
fn a_matrix_value_is_accepted_though_the_default_has_another_type() {
    let text = "plan: v1\nname: test\nparams:\n  acks: 1\nmatrix:\n  acks: [1, all]\nsteps:\n  \
                - note: \"{{ acks }}\"\n";
    assert_eq!(labels(&suites(text, &param("acks", "all"))), ["acks=all"]);
}

#[test]
fn templates_give_what_is_wanted_where_it_is_wanted() {
    let text = "plan: v1\nname: test\nparams:\n  yes: true\n  n: 10\n  t: 20s\n  dead: [1, 2]\nsteps:\n  \
        - start_cluster: { brokers: \"{{ n / 2 }}\", config: { rsm.config.a: \"{{ yes }}\", rsm.config.b: \"x-{{ not yes }}\" } }\n  \
        - kill_broker: { broker: \"{{ dead }}\", for: \"{{ n / 2 }}s\" }\n    optional: \"{{ n > 3 }}\"\n    \
        timeout: \"{{ t }}\"\n  - note: \"{{ yes }} {{ none }} {{ [yes, 'a'] }} {{ yes | string }}\"\n";
    let found = suites(text, &Options::default());
    let Verb::StartCluster(cluster) = verb(&found[0].steps[0]) else { panic!("a cluster") };
    assert_eq!(cluster.brokers.value, 5);
    let settings: Vec<&str> = cluster.config.iter().map(|(_, v)| v).collect();
    assert_eq!(settings, ["true", "x-false"]);
    let Verb::KillBroker(kill) = verb(&found[0].steps[1]) else { panic!("a kill") };
    assert_eq!(kill.broker.numbers(), Some(vec![1, 2]));
    assert_eq!(kill.lasting.for_time.map(|t| t.as_secs()), Some(5));
    assert!(found[0].steps[1].head.optional);
    let Verb::Note(note) = verb(&found[0].steps[2]) else { panic!("a note") };
    assert_eq!(note.text, "true null [true, \"a\"] true");
    assert_eq!(found[0].params[0].value, "true");
}

#[test]
fn what_a_secret_could_have_been_is_a_secret() {
    let text = "plan: v1\nname: test\nparams:\n  p: { default: \"hun\\x74er22\", secret: true, one_of: \
                [hunter22, correct-horse] }\nmatrix:\n  p: [correct-horse, battery-staple]\nsteps:\n  - note: x\n";
    let checked = check_text(Path::new("p.yaml"), text, &param("p", "correct-horse"));
    for secret in ["hunter22", "hun\\x74er22", "correct-horse", "battery-staple"] {
        assert!(checked.secrets.contains(secret), "{secret} of {:?}", checked.secrets);
    }
}

#[test]
fn a_matrix_value_beats_a_default_and_a_param_keeps_its_source_text() {
    let text = "plan: v1\nname: test\nparams:\n  version: 4.10\n  other: 1\nmatrix:\n  other: [2]\nsteps:\n  \
                - note: \"{{ version }} {{ other }} {{ params.other }} {{ matrix.other }}\"\n";
    let found = suites(text, &Options::default());
    let Verb::Note(note) = verb(&found[0].steps[0]) else { panic!("a note") };
    assert_eq!(note.text, "4.10 2 2 2");
    assert_eq!(found[0].params[1].value, "2");
}

#[test]
fn a_number_and_the_same_in_quotes_are_the_same() {
    for acks in ["1", "\"1\""] {
        for literal in ["1", "'1'"] {
            let text = format!(
                "plan: v1\nname: test\nparams:\n  acks: {acks}\nsteps:\n  - note: x\n    when: acks == {literal}\n"
            );
            let found = suites(&text, &Options::default());
            let when = found[0].steps[0].head.when.as_ref().expect("a condition");
            assert_eq!(when.known(), Some(true), "{acks} == {literal}");
        }
    }
}

#[test]
fn arithmetic_works_on_numbers() {
    let text = "plan: v1\nname: test\nparams:\n  n: \"2\"\nsteps:\n  - start_cluster: { brokers: \"{{ n + 1 }}\" }\n";
    let found = suites(text, &Options::default());
    let Verb::StartCluster(cluster) = verb(&found[0].steps[0]) else { panic!("a cluster") };
    assert_eq!(cluster.brokers.value, 3);
}

#[test]
fn an_expression_that_is_the_whole_scalar_keeps_its_type() {
    let text = "plan: v1\nname: test\nparams:\n  dead: [1, 2]\nsteps:\n  - start_cluster: { brokers: 5 }\n  \
                - kill_broker: \"{{ dead }}\"\n";
    let found = suites(text, &Options::default());
    let Verb::KillBroker(kill) = verb(&found[0].steps[1]) else { panic!("a kill") };
    assert_eq!(kill.broker.numbers(), Some(vec![1, 2]));
}

#[test]
fn scalars_keep_their_text_where_text_is_meant() {
    let found = plan(
        "  - start_cluster: { config: { rsm.config.a: no, rsm.config.b: 0x10, rsm.config.c: 1.0, rsm.config.d: 4.10, rsm.config.e: true } }\n",
    );
    let Verb::StartCluster(cluster) = verb(&found.steps[0]) else { panic!("a cluster") };
    let texts: Vec<&str> = cluster.config.iter().map(|(_, v)| v).collect();
    assert_eq!(texts, ["no", "0x10", "1.0", "4.10", "true"]);
}

#[test]
fn short_and_long_forms_mean_the_same() {
    let found = plan(
        "  - start_cluster\n  - create_topic: orders\n  - kill_broker: { leader_of: orders/0 }\n  \
         - start_broker: { broker: { not: { leader_of: orders/0 } }, data: wiped }\n  - heal_network # kplan: allow W018\n",
    );
    let Verb::KillBroker(kill) = verb(&found.steps[2]) else { panic!("a kill") };
    assert!(matches!(&kill.broker.value, Target::LeaderOf(p) if p.partition == 0));
    assert_eq!(kill.lasting.for_time, None);
    assert!(matches!(verb(&found.steps[4]), Verb::HealNetwork(_)));
}

#[test]
fn defaults_of_the_plan_are_joined_with_the_steps_own() {
    let text = "plan: v1\nname: test\ndefaults:\n  producer:\n    acks: 1\n    rate: 7/s\n    config: { linger.ms: 5, batch.size: 1 }\n\
        steps:\n  - start_cluster\n  - create_topic: orders\n  \
        - start_producer: { name: P, topic: orders, rate: 9/s, config: { batch.size: 2 } }\n";
    let found = suites(text, &Options::default());
    let Verb::StartProducer(producer) = verb(&found[0].steps[2]) else { panic!("a producer") };
    assert_eq!((producer.acks.value, producer.rate.value), (Acks::Leader, Rate::PerSecond(9.0)));
    let config: Vec<(&str, &str)> = producer.config.iter().collect();
    assert_eq!(config, [("linger.ms", "5"), ("batch.size", "2")]);
}

#[test]
fn a_step_that_needs_the_run_is_read_again_when_it_runs() {
    let found = plan(
        "  - start_cluster\n  - record: [brokers_alive]\n    capture: before\n  \
         - kill_broker: \"{{ before.brokers_alive }}\"\n    name: \"kill {{ before.brokers_alive }}\"\n    when: before.brokers_alive > 1\n",
    );
    let late = &found.steps[2];
    assert!(matches!(late.action, Action::Late(_)));
    assert_eq!(late.title(), "kill {{ before.brokers_alive }}");
    let captures =
        BTreeMap::from([("before".to_owned(), serde_json::json!({ "brokers_alive": 2 }))]);
    let values = Arc::new(Values { captures, ..Values::default() });
    let ready = late.finish(&values).expect("it can be read");
    assert_eq!(ready.head.name.as_ref().map(|n| n.value.as_str()), Some("kill 2"));
    assert_eq!(ready.head.when.as_ref().and_then(|w| w.known()), Some(true));
    let Verb::KillBroker(kill) = &*ready.verb else { panic!("a kill") };
    assert_eq!(kill.broker.value, Target::Broker(2));

    let wrong =
        BTreeMap::from([("before".to_owned(), serde_json::json!({ "brokers_alive": "nobody" }))]);
    let values = Arc::new(Values { captures: wrong, ..Values::default() });
    let told = late.finish(&values).expect_err("nobody is no broker");
    assert_eq!(told[0].code, Code::E014);
}

#[test]
fn run_id_and_seed_are_late_and_conditions_are_judged_by_expressions() {
    let found = plan(
        "  - note: \"{{ run.id }}/{{ run.seed }}\"\n  - start_cluster\n  - assert:\n      - expr: run.seed == 7\n",
    );
    let values = Arc::new(Values { run_id: "r1".to_owned(), seed: 7, captures: BTreeMap::new() });
    let ready = found.steps[0].finish(&values).expect("known");
    assert_eq!(ready.verb.explain(), "Note: r1/7");
    let Verb::Assert(assert) = verb(&found.steps[2]) else { panic!("an assert") };
    let kplan_dsl::Condition::Expr(expr) = &assert.that[0].value else { panic!("an expression") };
    assert_eq!(expr.0.known(), None);
    assert_eq!(expr.0.eval(&values), Ok(true));
}

#[test]
fn a_condition_known_to_be_false_is_known_before_the_run() {
    let text = "plan: v1\nname: test\nmatrix:\n  acks: [1, all]\nsteps:\n  - wait: 1s\n    when: \"{{ acks == 'all' }}\"\n";
    let known: Vec<Option<bool>> = suites(text, &Options::default())
        .iter()
        .map(|p| p.steps[0].head.when.as_ref().and_then(|w| w.known()))
        .collect();
    assert_eq!(known, [Some(false), Some(true)]);
}

#[test]
fn rounds_are_read_with_their_values() {
    let found = plan(
        "  - start_cluster\n  - repeat:\n      for_each: [1, 3]\n      as: n\n      steps:\n        \
         - restart_broker: \"{{ n }}\"\n  - repeat: { times: 3, steps: [{ wait: 1s }] }\n",
    );
    let Verb::Repeat(repeat) = verb(&found.steps[1]) else { panic!("a loop") };
    let targets: Vec<Option<Vec<u32>>> = repeat
        .rounds
        .iter()
        .map(|r| verb(&r.steps[0]).target().and_then(|t| t.numbers()))
        .collect();
    assert_eq!(targets, [Some(vec![1]), Some(vec![3])]);
    assert_eq!(repeat.rounds[1].steps[0].head.id.as_str(), "2.1");
    let Verb::Repeat(times) = verb(&found.steps[2]) else { panic!("a loop") };
    assert!(Arc::ptr_eq(&times.rounds[0].steps, &times.rounds[2].steps));
}

#[test]
fn a_loop_over_something_captured_is_read_when_it_runs() {
    let found = plan(
        "  - start_cluster\n  - record: [brokers_alive]\n    capture: seen\n  - repeat:\n      \
         for_each: \"{{ seen.brokers_alive }}\"\n      as: n\n      steps:\n        - restart_broker: \"{{ n }}\"\n",
    );
    let captures =
        BTreeMap::from([("seen".to_owned(), serde_json::json!({ "brokers_alive": [2, 3] }))]);
    let values = Arc::new(Values { captures, ..Values::default() });
    let ready = found.steps[2].finish(&values).expect("known by now");
    let Verb::Repeat(repeat) = &*ready.verb else { panic!("a loop") };
    assert_eq!(repeat.rounds.len(), 2);
}

#[test]
fn an_included_file_gets_its_parameters_and_its_finally_joins() {
    let plan = "plan: v1\nname: test\nparams:\n  many: 6\nsteps:\n  - start_cluster\n  \
                - include: { file: parts/topic.yaml, params: { partitions: \"{{ many }}\", label: \"{{ run.id }}\" } }\n\
                finally:\n  - heal_network\n";
    let part = "fragment: v1\nparams:\n  partitions: 1\n  label: x\nsteps:\n  \
                - create_topic: { name: orders, partitions: \"{{ partitions }}\" }\n  - note: \"for {{ label }}\"\n\
                finally:\n  - note: done with {{ partitions }}\n";
    let files = Memory(BTreeMap::from([
        (PathBuf::from("dir/plan.yaml"), plan.as_bytes().to_vec()),
        (PathBuf::from("dir/parts/topic.yaml"), part.as_bytes().to_vec()),
    ]));
    let checked = check_with(Path::new("dir/plan.yaml"), &Options::default(), Box::new(files));
    assert_eq!(render(&checked.diagnostics, &checked.sources, false), "");
    let plan = &checked.suites[0];
    let Verb::Include(include) = verb(&plan.steps[1]) else { panic!("an include") };
    let Verb::CreateTopic(topic) = verb(&include.steps[0]) else { panic!("a topic") };
    assert_eq!(topic.partition_count(), 6);
    assert_eq!(plan.file_of(&include.steps[0].head), Path::new("dir/parts/topic.yaml"));
    let values = Arc::new(Values { run_id: "r9".to_owned(), ..Values::default() });
    let note = include.steps[1].finish(&values).expect("known by now");
    assert_eq!(note.verb.explain(), "Note: for r9");
    let finally: Vec<String> = plan.finally.iter().map(Step::explain).collect();
    assert_eq!(finally, ["Heal the network", "Note: done with 6"]);
    assert_eq!(plan.finally[1].head.id.as_str(), "finally.2.1");
}

#[test]
fn a_report_can_quote_the_plans_own_lines() {
    let found = plan(
        "  - start_cluster\n  - name: pause\n    wait:\n      until:\n        - brokers_alive: 3\n      # not this\n  - wait: 1s\n",
    );
    let head = &found.steps[1].head;
    assert_eq!(head.lines, (5, 8));
    assert_eq!(
        found.source_text(head),
        "  - name: pause\n    wait:\n      until:\n        - brokers_alive: 3"
    );
    let Verb::Wait(wait) = verb(&found.steps[1]) else { panic!("a wait") };
    let Wait::Until(until) = &**wait else { panic!("conditions") };
    assert_eq!(found.text_at(until.until[0].span), "brokers_alive: 3");
    assert_eq!(until.within.value, Duration::from_secs(60));
}

#[test]
fn a_warning_is_allowed_on_the_steps_line_or_above_it() {
    let warns = |step: &str| {
        let text = format!("plan: v1\nname: test\nsteps:\n  - start_cluster\n{step}");
        let mut checked = check_as(&text, &Options::default());
        without_judgement_is_fine(&mut checked);
        checked.diagnostics.len()
    };
    assert_eq!(warns("  - describe: { topic: other }\n"), 1);
    assert_eq!(warns("  - describe: { topic: other } # kplan: allow W012\n"), 0);
    assert_eq!(warns("  # kplan: allow W012\n  - describe:\n      topic: other\n"), 0);
    assert_eq!(warns("  - describe: # kplan: allow W012\n      topic: other\n"), 0);
    assert_eq!(warns("  # kplan: allow W001\n  - describe: { topic: other }\n"), 1);
    assert_eq!(warns("  - wait: 1s # kplan: allow W012\n  - describe: { topic: other }\n"), 1);
    assert_eq!(warns("  - kill_broker: 9 # kplan: allow E052\n"), 1, "errors are never allowed");
}

#[test]
fn what_may_not_run_makes_nothing_certain() {
    let clean = |steps: &str| {
        let text = format!("plan: v1\nname: test\nsteps:\n  - start_cluster\n{steps}");
        suites(&text, &Options::default());
    };
    clean("  - kill_broker: random\n  - start_broker: 2\n");
    clean("  - kill_broker: 2\n    optional: true\n  - start_broker: 2\n  - kill_broker: 2\n");
    clean("  - kill_broker: { broker: 2, for: 10s }\n  - wait:\n      - brokers_alive: 3\n");
    clean("  - kill_broker: [2, 3]\n  - start_broker: all\n");
    clean(
        "  - create_topic: { name: t, replicas: 9 }\n    expect_error: INVALID_REPLICATION_FACTOR\n",
    );
    clean(
        "  - kill_broker: 2\n  - assert:\n      - any: [{ brokers_alive: 3 }, { brokers_alive: 2 }]\n",
    );
    clean(
        "  - parallel:\n      one: [{ kill_broker: 1 }]\n      two: [{ kill_broker: 2 }]\n  - start_broker: [1, 2]\n",
    );
}

#[test]
fn the_environment_is_read_only_where_it_is_allowed() {
    let text = "plan: v1\nname: test\nsteps:\n  - note: \"{{ env.USER_NAME }}\"\n";
    let mut options = Options::default();
    options.env.allowed.insert("USER_NAME".to_owned(), "x".to_owned());
    let found = suites(text, &options);
    assert_eq!(found[0].steps[0].explain(), "Note: x");
}

#[test]
fn steps_read_like_the_minutes_of_a_drill() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plans/broker-restart.yaml");
    let checked = kplan_dsl::check_file(&path, &Options::default());
    let lines: Vec<String> = checked.suites[0].steps.iter().map(Step::explain).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_is_meant_for_the_time_after_a_fault_is_not_warned_of() {
    let clean = |steps: &str| {
        plan(&format!(
            "  - start_cluster: {{ brokers: 3 }}\n  - create_topic: {{ name: orders, partitions: 3, replicas: 3 }}\n  \
             - start_producer: {{ name: P, topic: orders }}\n{steps}"
        ));
    };
    let fault = "  - pause_broker: { broker: 2, for: 20s }\n";
    clean(&format!("{fault}  - wait: [progressing: P]\n"));
    clean(&format!("{fault}  - wait: [{{ in_sync: {{ topic: orders, replicas: 3 }} }}]\n"));
    clean(&format!("{fault}  - wait: 5s\n"));
    clean(&format!("{fault}  - stop_client: P\n  - wait: 20s\n"));
    // Something else has the effect: a broker that is dead, a network that is parted.
    clean(&format!(
        "  - kill_broker: 3\n{fault}  - assert: [{{ under_replicated_partitions: {{ at_least: 1 }} }}]\n"
    ));
    clean(&format!(
        "  - partition_network: {{ isolate: 3 }}\n{fault}  - assert: [{{ brokers_alive: 2 }}]\n"
    ));
    clean(
        "  - parallel:\n      one: [{ pause_broker: { broker: 2, for: 20s } }, { wait: 20s }]\n      \
           two: [{ wait: 1s }, { kill_broker: { broker: 1, for: 30s } }]\n",
    );
    clean(
        "  - kill_broker: { broker: 3, during: [{ pause_broker: { broker: 2, for: 5s } }, { assert: [{ \
           brokers_alive: { at_most: 2 } }] }] }\n",
    );
    clean(
        "  - pause_broker: { broker: 2, for: 20s, during: [{ wait: [{ brokers_alive: 2 }] }] }\n",
    );
}

#[test]
fn what_can_be_counted_from_is_not_warned_of() {
    let clean = |steps: &str| {
        plan(&format!(
            "  - start_cluster: {{ brokers: 3 }}\n  - create_topic: {{ name: orders, partitions: 3, replicas: 3 }}\n  \
             - start_producer: {{ name: P, topic: orders }}\n{steps}"
        ));
    };
    let judged = "  - assert: [{ lost: { is: 0, since: x } }]\n";
    clean(&format!("  - restart_broker: 2\n    name: x\n  - stop_client: P\n{judged}"));
    // What a producer flushes at its end was sent while that step ran.
    clean(&format!("  - stop_client: P\n    name: x\n{judged}"));
    clean(&format!(
        "  - stop_client: P\n  - alter_topic: {{ name: orders, partitions: 4 }}\n    name: x\n  \
         - produce: {{ topic: orders, messages: [{{ value: a }}] }}\n{judged}"
    ));
    let when = "    when: \"{{ run.seed > 5 }}\"\n";
    clean(&format!("  - restart_broker: 2\n    name: x\n{when}  - stop_client: P\n{judged}{when}"));
    // A time that is waited for may begin with a note.
    clean(
        "  - note: here\n    name: x\n  - assert: { that: [{ brokers_alive: 3 }], within: 5s, since: x }\n",
    );
}

#[test]
fn a_step_on_clients_is_wrong_only_where_it_can_work_on_none() {
    let before = "  - start_cluster\n  - create_topic: { name: orders, partitions: 1 }\n  \
                  - start_producer: { name: P, topic: orders }\n  - start_producer: { name: Q, topic: orders }\n";
    for (fit, unfit, word) in [
        ("", "kill_client", "kill_client"),
        ("", "kill_client", "stop_client"),
        ("", "pause_client", "pause_client"),
        ("pause_client", "", "resume_client"),
        ("kill_client", "", "start_client"),
    ] {
        let first = |word: &str, name| match word {
            "" => String::new(),
            word => format!("  - {word}: {name}\n"),
        };
        let both = format!("{before}{}{}", first(unfit, "P"), first(fit, "Q"));
        plan(&format!("{both}  - {word}: [P, Q]\n"));
        let wrong = format!("plan: v1\nname: test\nsteps:\n{both}  - {word}: P\n");
        let told = check_as(&wrong, &Options::default()).diagnostics;
        assert!(told.iter().any(|d| d.code == Code::E064), "{word}: {told:?}");
    }
}
